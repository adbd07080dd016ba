package main

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A named pipe in place of a bill, or of the hash beside one, has no end to wait for.
func TestBillFileThatIsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bill.csv")
	for _, name := range []string{path, path + ".sha1"} {
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := billFile(path)
	if err != nil || len(f.Data) != 0 || !f.Hashed || len(f.Hash) != 0 {
		t.Fatalf("got %d bytes, hashed %v with %d bytes, %v", len(f.Data), f.Hashed, len(f.Hash), err)
	}
}
