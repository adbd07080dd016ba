// Package newfile writes files for people into folders that others may write to, too:
// whole or not at all, readable by the owner alone, never over or through what somebody
// else has put there.
package newfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File is a file on its way: written under another name beside its place until Keep.
// It is not safe for concurrent use.
type File struct {
	*os.File
	path string
	done bool
}

// Create begins a file for path: exclusively, under a name that cannot be foreseen,
// mode 0600. Errors: fs.ErrExist if something is at path already, be it a symbolic link
// to nothing; those of the file system.
func Create(path string) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, exists(path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part") // O_EXCL follows no link
	if err != nil {
		return nil, err
	}
	return &File{File: f, path: path}, nil
}

func exists(path string) error { return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist} }

// Keep syncs and closes the file and puts it at its place; fs.ErrExist if something has
// come there meanwhile.
func (f *File) Keep() error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, f.path, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system that cannot
		if err = os.Link(f.Name(), f.path); err == nil {
			err = os.Remove(f.Name())
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return exists(f.path)
	case err != nil:
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.done = true
	return nil
}

// Discard closes and removes the file, unless it was kept.
func (f *File) Discard() error {
	if f.done {
		return nil
	}
	f.done = true
	if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Remove(f.Name())
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
