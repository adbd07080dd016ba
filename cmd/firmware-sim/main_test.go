package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// called runs the program in this process.
func called(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = dispatch(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	script := file("bad.script", "{\"do\":\"sale\"}\n{\"do\":\"rob\"}\n")
	reversal := file("reversal.rec", `{"v":1,"kind":"reversal","outcome":"approved"}`)
	garbage := file("garbage.rec", `{"v":1,"kind":"sale","colour":1}`)
	for _, c := range []struct {
		args   []string
		code   int
		prints string
	}{
		{[]string{}, exitUsage, "firmware-sim run"},
		{[]string{"sing"}, exitUsage, "sing"},
		{[]string{"version"}, exitOK, ""},
		{[]string{"run"}, exitUsage, "--terminal"},
		{[]string{"run", "--terminal", "toaster"}, exitUsage, "toaster"},
		{[]string{"run", "--terminal", "e-sign", "--fault", "fire=1"}, exitUsage, "fire"},
		{[]string{"run", "--terminal", "e-sign", "--scenario", script}, exitInput, "line 2"},
		{[]string{"run", "--terminal", "e-sign", "--link", filepath.Join(dir, "none")}, exitNotFound, "none"},
		{[]string{"run", "--records", reversal, "--wire", "mispos"}, exitInput, "kind"},
		{[]string{"run", "--records", garbage, "--wire", "mispos"}, exitInput, "line 1"},
		{[]string{"run", "--records", filepath.Join(dir, "none"), "--wire", "mispos"}, exitNotFound, "none"},
		{[]string{"run", "--records", reversal}, exitUsage, "--wire"},
		{[]string{"demo"}, exitUsage, "--agent"},
		{[]string{"demo", "--agent", filepath.Join(dir, "none")}, exitNotFound, "none"},
		{[]string{"ledger", filepath.Join(dir, "none")}, exitNotFound, "none"},
	} {
		code, _, errs := called(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.prints) {
			t.Errorf("%v: exit %d, want %d: %s", c.args, code, c.code, errs)
		}
	}
}

func TestRunAndLedger(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	code, out, errs := called(t, "run", "--terminal", "e-sign", "--no-wait", "--speed", "0", "--count", "120", "--wrong", "0.5", "--json")
	if code != exitOK || !strings.HasPrefix(out, `{"event":"found","link":"pty","place":"/dev/pts/`) {
		t.Fatalf("exit %d: %s %s", code, out, errs)
	}
	code, out, errs = called(t, "ledger")
	if code != exitOK || strings.Count(out, "\n") != 120 {
		t.Fatalf("exit %d, %d lines: %s", code, strings.Count(out, "\n"), errs)
	}
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Fatalf("not JSON: %s", line)
		}
	}
	code, out, _ = called(t, "ledger", "--refunds")
	if code != exitOK || !strings.Contains(out, `"label":"wrong"`) || strings.Count(out, "\n") >= 120 {
		t.Errorf("exit %d: %s", code, out)
	}
}
