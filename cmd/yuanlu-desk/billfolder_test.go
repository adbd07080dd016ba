package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/store"
)

// TestBillFolder: a file is read once it has not changed for 10 s, once, with the hash beside
// it; again after a failure of the store, and when it changed.
func TestBillFolder(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 8, 24, 9, 0, 0, 0, time.UTC)
	var taken []string
	var fails error
	b := newBillFolder(dir, nil, nil, slog.New(slog.DiscardHandler))
	b.imports = func(_ context.Context, f bills.File) (*store.Imported, error) {
		taken = append(taken, f.Name+"="+string(f.Data)+string(f.Hash))
		return &store.Imported{}, fails
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(after time.Duration, want string) {
		t.Helper()
		now, taken = now.Add(after), nil
		b.look(t.Context(), now)
		if got := strings.Join(taken, " "); got != want {
			t.Errorf("took %q, want %q", got, want)
		}
	}
	put("a.csv", "1")
	put("a.csv.sha1", "h")
	put(".hidden", "x")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	look(0, "")
	look(9*time.Second, "")
	put("a.csv", "12")
	look(time.Second, "")
	fails = errors.New("no store")
	look(10*time.Second, "a.csv=12h")
	fails = nil
	look(time.Second, "a.csv=12h")
	look(time.Hour, "")
	put("a.csv", "123")
	look(0, "")
	look(10*time.Second, "a.csv=123h")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	look(time.Second, "")
}
