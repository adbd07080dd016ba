package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/protocol/evidence"
)

// TestCosigningKey: the file is one line that sumdb/note has, its owner's alone, never replaced; both vkeys
// are printed, and replay answers with it.
func TestCosigningKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cosign.key")
	r := run1("", "keygen", "--cosign", "desk-1", "--out", file)
	vkeys := strings.Fields(r.out)
	if r.code != 0 || len(vkeys) != 2 {
		t.Fatal(r)
	}
	if k, err := evidence.ParseKey(vkeys[1], evidence.KeyCosign); err != nil || k.Name != "yuanlu-desk/desk-1" {
		t.Errorf("%v, %s", err, vkeys[1])
	}
	if _, err := evidence.ParseKey(vkeys[0], evidence.KeyLog); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\n") != 1 || !strings.HasPrefix(string(text), "PRIVATE+KEY+yuanlu-desk/desk-1+") {
		t.Errorf("%v, %d bytes", err, len(text))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if r := run1("", "keygen", "--cosign", "desk-1", "--out", file); r.code == 0 {
		t.Error("a key is replaced")
	}
	if r := run1("", "keygen", "--cosign", "a/b", "--out", file+"2"); r.code != exitUsage {
		t.Errorf("%+v", r)
	}
	const line = `{"at":"2026-08-23T01:00:00Z","terminal":"t-1","message":{}}` + "\n"
	if r := run1(line, "evidence", "replay", "--key", file); r.code != 0 || r.out != `{"line":1,"answer":null,"alarms":[]}`+"\n" {
		t.Errorf("%+v", r)
	}
	if r := run1("{}\n", "evidence", "replay", "--key", file); r.code != exitData {
		t.Errorf("%+v", r)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if r := run1(line, "evidence", "replay", "--key", file); r.code != 0 || !strings.Contains(r.errors, "chmod 600") || strings.Contains(r.errors, "PRIVATE") {
		t.Errorf("%+v", r)
	}
	if r := run1(line, "evidence", "else"); r.code != exitUsage {
		t.Errorf("%+v", r)
	}
}
