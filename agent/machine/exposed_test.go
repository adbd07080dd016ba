package machine

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/config"
)

// TestWhatIsOpenToOthersIsNamed: each of the places at each mode, in the log, by doctor
// and in both languages.
func TestWhatIsOpenToOthersIsNamed(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	file := func(name string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	c := &config.Config{File: file("etc/yuanlu.toml", 0o644)}
	c.Store.Dir = store
	c.MQTT.PasswordFile, c.MQTT.KeyFile = file("etc/password", 0o640), file("etc/key.pem", 0o600)
	c.MQTT.CAFile, c.MQTT.CertFile = file("etc/ca.pem", 0o644), file("etc/cert.pem", 0o644)
	database, wal, key := file("store/yuanlu.db", 0o600), file("store/yuanlu.db-wal", 0o600), file("store/keys/token", 0o600)
	if got := Exposed(c); len(got) != 0 {
		t.Errorf("nothing is open, and named are %+v", got)
	}
	for _, tt := range []struct {
		path string
		mode fs.FileMode
		says string
	}{
		{c.File, 0o666, "changed"},
		{c.MQTT.PasswordFile, 0o644, "read"},
		{c.MQTT.PasswordFile, 0o666, "read and changed"},
		{c.MQTT.KeyFile, 0o604, "read"},
		{c.MQTT.CAFile, 0o646, "changed"},
		{c.MQTT.CertFile, 0o666, "changed"},
		{database, 0o644, "read"},
		{wal, 0o644, "read"},
		{key, 0o644, "read"},
		{store, 0o777, "read and changed"},
		{store, 0o755, "read"},
		{filepath.Join(store, "keys"), 0o755, "read"},
		{filepath.Join(dir, "etc"), 0o777, "changed"},
	} {
		before, err := os.Stat(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(tt.path, tt.mode); err != nil {
			t.Fatal(err)
		}
		got := Exposed(c)
		if len(got) != 1 || got[0].Path != tt.path || got[0].May.EN != tt.says {
			t.Errorf("%s at %o: %+v, want %s", tt.path, tt.mode, got, tt.says)
		} else if text := got[0].Text(); !strings.Contains(text.EN, tt.path) || !strings.Contains(text.ZH, tt.path) || !strings.HasSuffix(got[0].Remedy().EN, tt.path) {
			t.Errorf("%+v, %s", text, got[0].Remedy().EN)
		}
		if err := os.Chmod(tt.path, before.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}
