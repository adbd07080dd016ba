package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openReader(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestPTYCarriesEveryByte(t *testing.T) {
	p, err := OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Open() {
		t.Error("open before anybody opened it")
	}
	if n, err := p.Write([]byte("nobody")); n != 6 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if p.Lost() != 6 {
		t.Errorf("lost %d", p.Lost())
	}
	r := openReader(t, p.Place())
	if !p.Open() {
		t.Error("not open after it was opened")
	}
	want := make([]byte, 64<<10)
	for i := range want {
		want[i] = byte(i)
	}
	done := make(chan error, 1)
	go func() { _, err := p.Write(want); done <- err }()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("bytes changed on the way")
	}
	if _, err := r.Write([]byte{0x0D, 0x03, 0x11}); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 3)
	if _, err := io.ReadFull(p, back); err != nil || !bytes.Equal(back, []byte{0x0D, 0x03, 0x11}) {
		t.Errorf("%X, %v", back, err)
	}
}

// TestASignalIsNoClosedPort: a signal that ends a poll is nothing about the other end.
func TestASignalIsNoClosedPort(t *testing.T) {
	p, err := OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	openReader(t, p.Place()) // which reads nothing: there is no room soon, and poll finds nothing ready
	if err := p.master.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := p.master.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d, %v: want a full line", n, err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, thread := os.Getpid(), unix.Gettid()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = unix.Tgkill(pid, thread, unix.SIGURG) // as the Go runtime does
		}
	}()
	for range 5_000 {
		if !p.Open() {
			t.Error("a port that is open is taken for closed")
			break
		}
	}
	cancel()
	<-ended
}

func TestSocketComesBackUnderAnotherName(t *testing.T) {
	link := filepath.Join(t.TempDir(), "pos")
	s, err := Plug("pty", link, 9600)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := s.Line().Place()
	if to, _ := os.Readlink(link); to != before {
		t.Errorf("link points at %s, not %s", to, before)
	}
	if err := s.Replug(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	after := s.Line().Place()
	if after == before {
		t.Error("came back under the same name")
	}
	if to, _ := os.Readlink(link); to != after {
		t.Errorf("link points at %s, not %s", to, after)
	}
	if _, err := os.Stat(before); err == nil {
		t.Error("the old name is still there")
	}
}

func TestPlugKeepsForeignFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Plug("pty", path, 9600); err == nil {
		s.Close()
		t.Error("a file was replaced by a link")
	}
}
