package machine

import (
	"os"
	"path/filepath"
	"testing"

	"yuanlu/agent/config"
)

// TestPINTrouble: the file of PINs is the daemon's alone, or doctor names it.
func TestPINTrouble(t *testing.T) {
	c := &config.Config{}
	c.Store.Dir = t.TempDir()
	me := uint32(os.Geteuid())
	if got := PINTrouble(c, me); got != nil {
		t.Errorf("no file: %+v", got)
	}
	path := filepath.Join(c.Store.Dir, "keys", "pins")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := PINTrouble(c, me); got != nil {
		t.Errorf("as it must be: %+v", got)
	}
	if got := PINTrouble(c, me+1); got == nil || got.Owner == got.Want {
		t.Errorf("of another user: %+v", got)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if got := PINTrouble(c, me); got == nil || got.Mode != mode || got.Path != path {
			t.Errorf("mode %o: %+v", mode, got)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", path); err != nil {
		t.Fatal(err)
	}
	if got := PINTrouble(c, me); got == nil || got.Error == "" {
		t.Errorf("a link: %+v", got)
	}
}
