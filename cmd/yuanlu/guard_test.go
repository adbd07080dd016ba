package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/guard/pins"
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
