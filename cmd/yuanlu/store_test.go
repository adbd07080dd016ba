package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// storeAt makes a configuration with a store in which lines are judged.
func storeAt(t *testing.T, lines ...string) (config, dir string) {
	t.Helper()
	base := t.TempDir()
	config, dir = filepath.Join(base, "yuanlu.toml"), filepath.Join(base, "store")
	text := "[terminal]\nid = \"t-1\"\nmerchant_id = \"898310153310123\"\n[store]\ndir = \"" + dir + "\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/dev/ttyS1\"\n[mqtt]\nurl = \"tcp://127.0.0.1:1\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(lines) == 0 {
		return config, dir
	}
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: newJudge(refund.DefaultSettings())})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, l := range lines {
		r, err := refund.ParseRecord([]byte(l), refund.Reject)
		if err != nil {
			t.Fatal(err)
		}
		a := []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(r, db.Keys())}}}}
		if _, err := db.Apply(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	return config, dir
}

// runStore runs the verb with a passphrase in the environment.
func runStore(t *testing.T, pass string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs syncBuffer
	p := newProgram(t, &out, &errs, append([]string{"store"}, args...)...)
	p.env = func(name string) string {
		if name == passphraseEnv {
			return pass
		}
		return ""
	}
	return p.run(t.Context()), out.String(), errs.String()
}

func TestStoreIsCarriedToAnotherTerminal(t *testing.T) {
	const pass = "correct horse battery"
	config, _ := storeAt(t, saleLine, refundLine)
	file := filepath.Join(t.TempDir(), "store.age")
	if code, out, errs := runStore(t, pass, "export", file, "--config", config); code != exitOK || !strings.Contains(out, file) {
		t.Fatalf("export: %d %s %s", code, out, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 || bytes.Contains(b, []byte("898310153310123")) {
		t.Errorf("mode %v, or readable", info.Mode())
	}
	if code, _, _ := runStore(t, pass, "export", file, "--config", config); code != exitUsage {
		t.Errorf("over a file: %d", code)
	}
	if code, _, errs := runStore(t, "short", "export", file+"2", "--config", config); code != exitUsage || !strings.Contains(errs, "12") {
		t.Errorf("a short passphrase: %d %s", code, errs)
	}
	if code, _, _ := runStore(t, "", "export", file+"2", "--config", config); code != exitUsage {
		t.Errorf("nowhere to ask: %d", code)
	}

	to, dir := storeAt(t)
	for what, bad := range map[string][]byte{"cut off": b[:len(b)-1], "half": b[:len(b)/2], "changed": append(append([]byte{}, b[:len(b)-20]...), bytes.Repeat([]byte{0}, 20)...), "empty": nil} {
		name := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errs := runStore(t, pass, "import", name, "--config", to)
		if _, err := os.Stat(dir); code != exitData || err == nil {
			t.Errorf("%s: %d %s; a store is left: %v", what, code, errs, err == nil)
		}
	}
	if code, _, errs := runStore(t, "another passphrase", "import", file, "--config", to); code != exitData || !strings.Contains(errs, "passphrase") {
		t.Errorf("another passphrase: %d %s", code, errs)
	}
	secret := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(secret, []byte(pass+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := runStore(t, "", "import", file, "--passphrase-file", secret, "--json", "--config", to); code != exitOK || !strings.Contains(out, `"result":"imported"`) {
		t.Fatalf("import: %d %s %s", code, out, errs)
	}
	if code, _, errs := runStore(t, pass, "import", file, "--config", to); code != exitStore || !strings.Contains(errs, "nothing was changed") {
		t.Errorf("import again: %d %s", code, errs)
	}
	list := func(config string) string {
		t.Helper()
		code, out, errs := yl(t, "", "cases", "list", "--json", "--config", config)
		if code != exitOK || out == "" {
			t.Fatalf("cases: %d %s %s", code, out, errs)
		}
		return out
	}
	if got, want := list(to), list(config); got != want {
		t.Errorf("cases\n got %s\nwant %s", got, want)
	}
}

// TestStoreDump: what is packed in the file is printed as JSON, a line a row.
func TestStoreDump(t *testing.T) {
	config, _ := storeAt(t, saleLine, refundLine)
	code, all, errs := runStore(t, "", "dump", "--config", config)
	if code != exitOK || strings.Count(all, `{"table":"record"`) != 2 || strings.Count(all, `{"table":"verdict"`) != 1 {
		t.Errorf("%d %s %s", code, all, errs)
	}
	code, records, _ := runStore(t, "", "dump", "record", "--config", config)
	if code != exitOK || !strings.Contains(records, `"body":{"v":1,"kind":"sale"`) || !strings.HasPrefix(all, records) {
		t.Errorf("%d %s", code, records)
	}
	for line := range strings.Lines(all) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	if code, _, errs := runStore(t, "", "dump", "records", "--config", config); code != exitUsage || !strings.Contains(errs, "record, verdict") {
		t.Errorf("no such table: %d %s", code, errs)
	}
	if code, _, _ := runStore(t, "", "dump", "--config", filepath.Join(t.TempDir(), "none.toml")); code == exitOK {
		t.Error("without a configuration")
	}
}
