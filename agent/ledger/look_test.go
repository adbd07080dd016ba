package ledger

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/ledger/sqlite"
)

// TestLookAtFindsWhatOpeningWould, and changes nothing in the folder.
func TestLookAtFindsWhatOpeningWould(t *testing.T) {
	files := storeFiles(t, true)
	for name, c := range map[string]struct {
		change func(path string) error
		want   string
	}{
		"whole":   {func(string) error { return nil }, ""},
		"missing": {os.Remove, "missing"},
		"a folder": {func(path string) error {
			_ = os.Remove(path)
			return os.Mkdir(path, 0o700)
		}, "a folder stands in place"},
		"a zeroed page": {func(path string) error {
			b := bytes.Clone(files[storeFile])
			clear(b[3*sqlite.PageSize : 4*sqlite.PageSize])
			return os.WriteFile(path, b, 0o600)
		}, "page 4 "},
		"cut off": {func(path string) error { return os.Truncate(path, 5*sqlite.PageSize+100) }, "page 6 "},
	} {
		dir := laidOut(t, files)
		must(t, c.change(filepath.Join(dir, storeFile)))
		before := filesOf(t, dir)
		pages, err := LookAt(context.Background(), dir)
		if c.want == "" && (err != nil || pages != int64(len(files[storeFile])/sqlite.PageSize)) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %d pages, %v", name, pages, err)
		}
		after := filesOf(t, dir)
		if len(after) != len(before) || !bytes.Equal(after[storeFile], before[storeFile]) {
			t.Errorf("%s: the folder has changed", name)
		}
	}
}

// TestReadingLeavesTheWAL: a reader of a store that was killed leaves the file and the
// WAL as they are.
func TestReadingLeavesTheWAL(t *testing.T) {
	dir := laidOut(t, storeFiles(t, false))
	before := filesOf(t, dir)
	if len(before[walFile]) < sqlite.WALHeader {
		t.Fatal("no WAL")
	}
	d, err := OpenReadOnly(context.Background(), dir)
	must(t, err)
	if _, err := d.Counts(context.Background(), start); err != nil {
		t.Error(err)
	}
	if _, err := d.Facts(context.Background()); err != nil {
		t.Error(err)
	}
	must(t, d.Close())
	after := filesOf(t, dir)
	for _, name := range []string{storeFile, walFile} {
		if !bytes.Equal(before[name], after[name]) {
			t.Errorf("%s has changed", name)
		}
	}
}
