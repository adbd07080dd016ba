package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBusyDaemon: every verb that asks a daemon which serves too many clients tells
// that it is busy and ends with 74, also when the daemon hangs up before the request is
// there. It ended with nothing on the screen and 0, as if its output had been closed.
func TestBusyDaemon(t *testing.T) {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "c.sock"), filepath.Join(dir, "yuanlu.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "[terminal]\nid = \"t-1\"\n[store]\ndir = %q\n[control]\nsocket = %q\n[[link]]\nname = \"pos\"\nport = \"/dev/ttyS9\"\nwire = \"mispos\"\n", dir, socket), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan bool)
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(`{"error":{"code":"busy","message":"16 clients are being served","about":"clients"}}` + "\n"))
			_ = conn.Close()
		}
	}()
	defer func() {
		_ = l.Close()
		<-served
	}()
	for _, verb := range [][]string{{"status"}, {"tail"}, {"ctl", "link-reopen", "pos"}, {"capture", "info"}, {"capture", "start", "pos"},
		{"outbox", "requeue", "1"}, {"config", "revert"}} {
		args := append(verb, "--config", file)
		code, out, errs := yl(t, "", args...)
		if code != exitDevice || !strings.Contains(errs, "busy") || out != "" {
			t.Errorf("%v: exit %d, %q %q", verb, code, out, errs)
		}
		if code, _, errs = yl(t, "", append([]string{"--lang", "zh"}, args...)...); code != exitDevice || !strings.Contains(errs, "守护进程正忙") {
			t.Errorf("%v in Chinese: exit %d, %q", verb, code, errs)
		}
	}
}

// TestReaderGone: only the pipe of our own output ends a program in silence.
func TestReaderGone(t *testing.T) {
	if own := fmt.Errorf("print: %w", &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.EPIPE}); !readerGone(own) {
		t.Error("our own output")
	}
	for _, other := range []error{syscall.EPIPE, &net.OpError{Op: "write", Net: "unix", Err: os.NewSyscallError("write", syscall.EPIPE)}} {
		if readerGone(other) {
			t.Errorf("%v was taken for our own output", other)
		}
	}
}
