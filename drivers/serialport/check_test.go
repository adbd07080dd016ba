package serialport

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// watchOpens returns a function that reports whether a file was opened since.
func watchOpens(t *testing.T, path string) func() bool {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		n, err := unix.Read(fd, make([]byte, 4096))
		return n > 0 && err == nil
	}
}

// A tool that listens opens no port that somebody has open, not even one without a
// lock, nor the console, nor what is no serial line; to know that it opens nothing.
func TestCheckOpensNothing(t *testing.T) {
	dev := openPTY(t)
	opened := watchOpens(t, dev.slave)
	if err := Check(dev.slave); err != nil {
		t.Errorf("a free port: %v", err)
	}
	if opened() {
		t.Error("Check opened the port")
	}
	holder, err := os.OpenFile(dev.slave, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !opened() {
		t.Fatal("an open goes unnoticed")
	}
	want := fmt.Sprintf("pid %d (", os.Getpid())
	if err := Check(dev.slave); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), want) {
		t.Errorf("a port that is open without a lock: %v, want ErrBusy naming %q", err, want)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	if opened() {
		t.Error("Check opened a port that was in use")
	}
	for path, class := range map[string]error{
		"/dev/null": ErrSettings, "/dev/tty1": ErrSettings, "/dev/no-such-port": ErrAbsent, t.TempDir(): ErrSettings,
	} {
		t.Run(path, func(t *testing.T) {
			if path == "/dev/tty1" && !exists(path) {
				return
			}
			if err := Check(path); !errors.Is(err, class) {
				t.Errorf("%s: %v, want %v", path, err, class)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestCheckKeepsOffTheConsole(t *testing.T) {
	dev := openPTY(t)
	sys := t.TempDir()
	dir := filepath.Join(sys, "class/tty/console")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "active"), []byte("tty0 "+filepath.Base(dev.slave)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := tree{sys: sys, dev: "/dev"}.check(dev.slave)
	if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "the console of this machine") {
		t.Errorf("%v", err)
	}
}
