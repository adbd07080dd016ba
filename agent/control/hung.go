package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHung: the daemon accepts and answers nothing. The error is a *HungError.
var ErrHung = errors.New("the daemon hangs")

// HungError names the daemon that does not answer.
type HungError struct {
	PID     int  // 0: not known
	Stopped bool // by a signal (SIGSTOP), or by a debugger
}

// Error names the process and what it is in.
func (e *HungError) Error() string {
	if e.Stopped {
		return fmt.Sprintf("%v: process %d was stopped by a signal", ErrHung, e.PID)
	}
	return fmt.Sprintf("%v: process %d does not answer", ErrHung, e.PID)
}

// Unwrap makes errors.Is(err, ErrHung) true.
func (e *HungError) Unwrap() error { return ErrHung }

// peerWatch finds out why an answer does not come.
type peerWatch struct {
	stop func() bool
	done sync.WaitGroup
	mu   sync.Mutex
	hung *HungError
}

// watchPeer looks at the daemon behind a connection when it has not answered for
// aliveWithin: one that was stopped is a HungError at once, one that answers no other client
// within busyWithin, too. The connection is ended then.
func watchPeer(ctx context.Context, conn net.Conn, path string) *peerWatch {
	w := &peerWatch{}
	ctx, cancel := context.WithCancel(ctx)
	w.done.Add(1)
	timer := time.AfterFunc(aliveWithin, func() {
		defer w.done.Done()
		pid := peerOf(conn)
		hung := &HungError{PID: pid, Stopped: stopped(pid)}
		if !hung.Stopped && answers(ctx, path) || ctx.Err() != nil {
			return
		}
		hung.Stopped = stopped(pid)
		w.mu.Lock()
		w.hung = hung
		w.mu.Unlock()
		_ = conn.SetDeadline(time.Unix(1, 0))
	})
	w.stop = func() bool {
		cancel()
		return timer.Stop()
	}
	return w
}

// end ends the watch: the daemon has answered.
func (w *peerWatch) end() {
	if w.stop() {
		w.done.Done()
		w.stop = func() bool { return false }
	}
	w.done.Wait()
}

// found returns what was found out.
func (w *peerWatch) found() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hung == nil {
		return nil
	}
	return w.hung
}

// answers reports whether the daemon answers another connection with anything.
func answers(ctx context.Context, path string) bool {
	conn, err := dial(ctx, path)
	if err != nil {
		return false
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(busyWithin))
	if _, err := conn.Write([]byte("{\"verb\":\"alive\"}\n")); err != nil {
		return false
	}
	n, _ := conn.Read(make([]byte, 1))
	return n > 0
}

// peerOf returns the process at the other end, 0 if it is not known.
func peerOf(conn net.Conn) int {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}

// stopped reports whether a process was stopped: state T or t in /proc.
func stopped(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := b[bytes.LastIndexByte(b, ')')+1:]
	return len(rest) > 2 && (rest[1] == 'T' || rest[1] == 't')
}

// PID returns the process that listens on the socket at path, 0 if it is not known.
// Errors: those of a connection, as Call.
func PID(ctx context.Context, path string) (int, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return 0, err
	}
	pid := peerOf(conn)
	return pid, conn.Close()
}
