package newfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"yuanlu/agent/newfile"
)

func entries(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestKeptOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.tar.gz")
	f, err := newfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("whole"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("it is there before it is kept")
	}
	if err := errors.Join(f.Keep(), f.Discard()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != 5 || entries(t, dir) != 1 {
		t.Errorf("%v, %v, %d entries", info, err, entries(t, dir))
	}
	other, err := newfile.Create(filepath.Join(dir, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Discard(); err != nil || entries(t, dir) != 1 {
		t.Errorf("%v, %d entries", err, entries(t, dir))
	}
}

// TestNothingIsWrittenThroughALink: planted before, planted meanwhile, and what stands
// at the place already.
func TestNothingIsWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	precious, path := filepath.Join(dir, "precious"), filepath.Join(dir, "out")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, plant := range []func() error{
		func() error { return os.Symlink(precious, path) },
		func() error { return os.Symlink(filepath.Join(dir, "nothing"), path) },
		func() error { return os.WriteFile(path, nil, 0o600) },
	} {
		if err := plant(); err != nil {
			t.Fatal(err)
		}
		if _, err := newfile.Create(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("planted before: %v", err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		f, err := newfile.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := plant(); err != nil {
			t.Fatal(err)
		}
		if err := f.Keep(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("planted meanwhile: %v", err)
		}
		if err := errors.Join(f.Discard(), os.Remove(path)); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" || entries(t, dir) != 1 {
		t.Errorf("%q, %v, %d entries", text, err, entries(t, dir))
	}
}
