package logbook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// retryFile is how long a file that could not be opened or written is left alone.
const retryFile = 10 * time.Second

// file is a log file of bounded size: at max bytes it becomes path.1, path.1
// becomes path.2, and so on to keep; older ones go. Only the sink's goroutine
// uses it. Writing to a full disk fails and is tried again later.
type file struct {
	path  string
	max   int64
	keep  int
	now   func() time.Time
	f     *os.File
	size  int64
	retry time.Time // not before, after a failure
}

// Write appends one line.
func (w *file) Write(line []byte) (int, error) {
	if w.f == nil {
		if err := w.open(); err != nil {
			return 0, err
		}
	}
	if w.size+int64(len(line)) > w.max && w.size > 0 {
		if err := w.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := w.f.Write(line)
	w.size += int64(n)
	if err == nil {
		return n, nil
	}
	// A torn line would run into the next one.
	if n > 0 {
		if w.f.Truncate(w.size-int64(n)) == nil {
			w.size -= int64(n)
		}
	}
	return n, w.fail(err)
}

// fail closes the file, so that the next try begins again.
func (w *file) fail(err error) error {
	if w.f != nil {
		err = errors.Join(err, w.f.Close())
		w.f = nil
	}
	w.retry = w.now().Add(retryFile)
	return fmt.Errorf("log file: %w", err)
}

func (w *file) open() error {
	if w.now().Before(w.retry) {
		return fmt.Errorf("log file: %w", fs.ErrClosed)
	}
	if err := os.MkdirAll(filepath.Dir(w.path), 0o700); err != nil {
		return w.fail(err)
	}
	// A pipe without a reader would be waited for.
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return w.fail(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", w.path)
	}
	if err != nil {
		return w.fail(errors.Join(err, f.Close()))
	}
	w.f, w.size = f, info.Size()
	return nil
}

func (w *file) rotate() error {
	err := w.f.Close()
	w.f = nil
	if err != nil {
		return w.fail(err)
	}
	for i := w.keep; i > 0; i-- {
		if err := os.Rename(w.older(i-1), w.older(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return w.fail(err)
		}
	}
	if w.keep == 0 {
		if err := os.Remove(w.path); err != nil {
			return w.fail(err)
		}
	}
	return w.open()
}

// older names the i-th older file; 0 is the current one.
func (w *file) older(i int) string {
	if i == 0 {
		return w.path
	}
	return fmt.Sprintf("%s.%d", w.path, i)
}

// Close closes the file.
func (w *file) Close() error {
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	return err
}

// Files returns the log files there are for path, oldest first.
func Files(path string, keep int) []string {
	var all []string
	w := file{path: path}
	for i := keep; i >= 0; i-- {
		if _, err := os.Stat(w.older(i)); err == nil {
			all = append(all, w.older(i))
		}
	}
	return all
}
