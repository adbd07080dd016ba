package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/store"
)

// One command makes a backup that only its owner reads, one restores it; neither writes over
// anything, and a damaged one is refused with exit status 65.
func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	db, err := store.Open(t.Context(), at("desk.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	add := run1("", "people", "add", "wang", "--staff", "7", "--role", "supervisor", "--shop", "*", "--store", at("desk.db"))
	if add.code != 0 || !strings.Contains(add.out, "to be changed at first use") {
		t.Fatal(add)
	}
	if r := run1("", "backup", at("b"), "--store", at("desk.db")); r.code != exitOK || !strings.Contains(r.out, "1 events of the case desk") {
		t.Errorf("%+v", r)
	}
	if info, err := os.Stat(at("b")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	for _, one := range []struct {
		name string
		args []string
		code int
		has  string
	}{
		{"a file that is there is not overwritten", []string{"backup", at("b"), "--store", at("desk.db")}, exitInternal, "exists"},
		{"no store", []string{"backup", at("c"), "--store", at("none.db")}, exitNotFound, "no store"},
		{"which file", []string{"backup"}, exitUsage, "which file"},
		{"a check makes nothing", []string{"restore", "--check", at("b"), "--store", at("checked.db")}, exitOK, "every journal whole"},
		{"restored", []string{"restore", at("b"), "--store", at("restored.db")}, exitOK, "0 cases"},
		{"never over a store", []string{"restore", at("b"), "--store", at("restored.db")}, exitStore, "--store"},
		{"no backup", []string{"restore", at("desk.db"), "--store", at("d.db")}, exitData, "does not begin as one"},
		{"no such backup", []string{"restore", at("none"), "--store", at("d.db")}, exitNotFound, "none"},
	} {
		t.Run(one.name, func(t *testing.T) {
			if r := run1("", one.args...); r.code != one.code || !strings.Contains(r.out+r.errors, one.has) {
				t.Errorf("%+v, want %d and %q", r, one.code, one.has)
			}
		})
	}
	if _, err := os.Stat(at("checked.db")); err == nil {
		t.Error("--check has made a store")
	}
	if r := run1("", "people", "list", "--store", at("restored.db")); !strings.Contains(r.out, "wang") {
		t.Errorf("%+v", r)
	}
	pipe := run1("", "backup", "-", "--store", at("desk.db"))
	if r := run1(pipe.out, "restore", "-", "--store", at("piped.db")); r.code != exitOK {
		t.Errorf("through a pipe: %+v", r)
	}
}
