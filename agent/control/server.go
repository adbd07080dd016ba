package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Handler does one verb. It answers by calling send any number of times (never
// concurrently); its error, if it is an *Error, is sent to the client. ctx
// ends when the client hangs up or the server stops.
type Handler func(ctx context.Context, args json.RawMessage, send func(data any) error) error

// Server answers on one socket.
type Server struct {
	path     string
	listener *net.UnixListener
	handlers map[string]Handler
	log      *slog.Logger
	slots    chan struct{} // one per client that is being served

	lingering chan struct{} // one per refused client whose request is still read
}

// Listen makes the socket. A socket file without a listener is replaced:
// while the caller holds the lock of the store, no other daemon
// runs. The caller must call Run, which also removes the socket.
func Listen(path string, handlers map[string]Handler, log *slog.Logger) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, fmt.Errorf("control socket: %s is there and is no socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	return &Server{path: path, listener: l, handlers: handlers, log: log,
		slots: make(chan struct{}, maxClients), lingering: make(chan struct{}, maxClients)}, nil
}

// Run serves until ctx ends, then hangs up on every client, waits for their
// handlers and removes the socket.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	var err error
	for {
		var conn *net.UnixConn
		if conn, err = s.listener.AcceptUnix(); err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				err = nil
				break
			}
			// Out of descriptors, for one; a pause, because it will be so for a while.
			s.log.Warn("control.accept", "err", err)
			if !pause(ctx, time.Second) {
				err = nil
				break
			}
			continue
		}
		clients.Go(func() { s.client(ctx, conn) })
	}
	cancel()
	clients.Wait()
	if stop() {
		err = errors.Join(err, s.listener.Close())
	}
	return err
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// client serves one connection. Its errors concern the client alone.
func (s *Server) client(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.refuse(ctx, conn, &Error{Code: "busy", About: aboutClients,
			Message: fmt.Sprintf("%d clients are being served; ask again in a moment", maxClients)})
		return
	}
	if !ours(conn) {
		s.refuse(ctx, conn, &Error{Code: "permission", Message: "only root and the daemon's own user may ask"})
		return
	}
	unblock := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer unblock()
	req, err := readRequest(conn)
	if err != nil && ctx.Err() != nil {
		_ = write(conn, answer{Error: cutShort()})
		return
	}
	if err != nil {
		s.refuse(ctx, conn, &Error{Code: "bad_request", Message: err.Error()})
		return
	}
	handler, ok := s.handlers[req.Verb]
	if !ok {
		_ = write(conn, answer{Error: &Error{Code: "unknown_verb", Message: "this daemon does not know that verb"}})
		return
	}
	s.serve(ctx, conn, handler, req.Args)
}

// refuse answers a client whose request was not read, or not to its end, and then
// reads what it still sends, so that it can send it and read the answer: of a socket
// that is closed at once the client sees only a broken pipe. It ends when the client
// closes its side, after readWithin, or with ctx. When as many refused clients are
// waited for as lingering has room, the socket is closed at once; Call reads the
// answer then too.
func (s *Server) refuse(ctx context.Context, conn *net.UnixConn, e *Error) {
	if write(conn, answer{Error: e}) != nil || conn.CloseWrite() != nil {
		return
	}
	select {
	case s.lingering <- struct{}{}:
		defer func() { <-s.lingering }()
	default:
		return
	}
	if conn.SetReadDeadline(time.Now().Add(readWithin)) != nil {
		return
	}
	unblock := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer unblock()
	_, _ = io.Copy(io.Discard, conn)
}

func (s *Server) serve(ctx context.Context, conn *net.UnixConn, handler Handler, args json.RawMessage) {
	ctx, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { // a client sends nothing more: the end of its stream is its going away
		_, _ = io.Copy(io.Discard, conn)
		cancel()
	})
	err := handler(ctx, args, func(data any) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := json.Marshal(data)
		if err != nil {
			return fmt.Errorf("control: answer: %w", err)
		}
		return write(conn, answer{Data: raw})
	})
	last := answer{End: true}
	if err != nil && ctx.Err() != nil {
		err = cutShort()
	}
	if err != nil {
		last = answer{Error: asError(err)}
	}
	_ = write(conn, last)
	_ = conn.SetReadDeadline(time.Unix(1, 0))
	watcher.Wait()
	cancel()
}

func cutShort() *Error {
	return &Error{Code: codeStopped, Message: "the daemon stopped before it had answered; ask again"}
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "internal", Message: err.Error()}
}

func readRequest(conn *net.UnixConn) (Request, error) {
	if err := conn.SetReadDeadline(time.Now().Add(readWithin)); err != nil {
		return Request{}, errors.New("no deadline")
	}
	line, err := bufio.NewReaderSize(io.LimitReader(conn, maxRequest), 4096).ReadBytes('\n')
	if err != nil {
		return Request{}, fmt.Errorf("want one line of at most %d bytes within %s", maxRequest, readWithin)
	}
	var req Request
	if err := json.Unmarshal(bytes.TrimSpace(line), &req); err != nil {
		return Request{}, errors.New("not a JSON object with verb and args")
	}
	return req, conn.SetReadDeadline(time.Time{})
}

func write(conn *net.UnixConn, a answer) error {
	line, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("control: answer: %w", err)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}

// ours reports whether the other side is root or our own user.
func ours(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	allowed := false
	err = raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		allowed = err == nil && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid())
	})
	return err == nil && allowed
}
