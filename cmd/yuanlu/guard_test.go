package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard/pins"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// withSupervisor adds a supervisor to a configuration.
func withSupervisor(t *testing.T, config string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "[[guard.supervisor]]\nid = \"s-1\"\nname = \"Wang\"\noperators = [\"07\"]\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGuardPIN: two lines of standard input, both the same, of somebody the configuration
// names; the PIN stands in no output and no file.
func TestGuardPIN(t *testing.T) {
	config, dir := storeAt(t)
	withSupervisor(t, config)
	const pin = "628401"
	for _, c := range []struct {
		name, stdin, id string
		code            int
		want            string
	}{
		{"two that differ", pin + "\n628402\n", "s-1", exitUsage, "differ"},
		{"one line", pin + "\n", "s-1", exitUsage, "differ"},
		{"nothing", "", "s-1", exitUsage, "not taken"},
		{"a weak one", "123456\n123456\n", "s-1", exitUsage, "not taken"},
		{"a stranger", pin + "\n" + pin + "\n", "s-2", exitNotFound, `id "s-2"`},
		{"a right one", pin + "\r\n" + pin, "s-1", exitOK, "the PIN of s-1 is set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := yl(t, c.stdin, "guard", "pin", c.id, "--config", config, "--lang", "en")
			if code != c.code || !strings.Contains(out+errs, c.want) || strings.Contains(out+errs, pin) {
				t.Errorf("%d %s%s", code, out, errs)
			}
		})
	}
	ids, err := pins.Known(filepath.Join(dir, "keys"))
	if err != nil || len(ids) != 1 {
		t.Error(ids, err)
	}
	info, err := os.Stat(filepath.Join(dir, "keys", "pins"))
	if err != nil || info.Mode() != 0o600 {
		t.Error(info, err)
	}
}

// TestDoctorAndStatusOfAGuard: without a daemon, too, doctor names a level that has no supervisor
// and refunds without an ask, and status the level.
func TestDoctorAndStatusOfAGuard(t *testing.T) {
	config, dir := storeAt(t)
	withSupervisor(t, config)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), "port = \"/dev/ttyS1\"\n", "port = \"/dev/ttyS1\"\nguard = \"hold\"\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: newJudge(refund.DefaultSettings()), Level: func(string) ask.Level { return ask.HoldLevel }})
	if err != nil {
		t.Fatal(err)
	}
	own := refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: "M", TerminalID: "T", Operator: "7", Channel: refund.ChannelCard,
		Amount: 100, HasAmount: true, Currency: "CNY", At: time.Now().Format(time.RFC3339)}
	if _, err := db.Apply(t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(own, db.Keys()), Received: time.Now()}}}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	expect := func(verb, lang string, words ...string) {
		t.Helper()
		_, out, errs := yl(t, "", verb, "--config", config, "--lang", lang)
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("%s in %s lacks %q: %s%s", verb, lang, w, out, errs)
			}
		}
	}
	expect("doctor", "en", "no supervisor has a PIN", "1 of 1 refunds in 30 days were not asked about")
	if err := pins.Set(filepath.Join(dir, "keys"), "s-1", refund.NewSecret("271828")); err != nil {
		t.Fatal(err)
	}
	expect("doctor", "en", "could release refunds of these cashiers of the last 30 days: 7")
	expect("doctor", "zh", "30 天内以下收银员的退款：7", "1 笔退款中有 1 笔事前未核查")
	expect("status", "en", "guard hold")
	expect("status", "zh", "核查 hold")
}

// TestConfigCheckOfAGuard: a level without a supervisor is a
// warning in both languages; one with a supervisor is none.
func TestConfigCheckOfAGuard(t *testing.T) {
	const key = "[[backoffice.key]]\nid = \"k\"\npublic_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n"
	for _, c := range []struct{ level, more, lang, want string }{
		{"hold", "", "en", "nobody can release"},
		{"hold", "", "zh", "但无人可放行"},
		{"hold", key, "en", "only the back office can release"},
		{"office", key, "zh", "只有后台可放行"},
		{"advise", "", "en", ""},
		{"hold", "[[guard.supervisor]]\nid = \"s-1\"\n", "en", ""},
	} {
		config, _ := storeAt(t)
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		with := strings.Replace(string(text), "port = \"/dev/ttyS1\"\n", "port = \"/dev/ttyS1\"\nguard = \""+c.level+"\"\n", 1) + c.more
		if err := os.WriteFile(config, []byte(with), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := yl(t, "", "config", "check", "--config", config, "--lang", c.lang)
		if code != exitOK || (c.want == "") != (errs == "") || !strings.Contains(errs, c.want) {
			t.Errorf("%+v: %d %s%s", c, code, out, errs)
		}
	}
}
