package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"
)

// Each returns what reads an answer into a T and hands it to do, for Call.
func Each[T any](do func(T) error) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		return do(v)
	}
}

// Call asks the daemon on the socket at path and hands every answer to each (nil:
// they are read and dropped), in order. It ends when the daemon ends the answer, when
// each returns an error, or when ctx ends (then it returns ctx.Err()). Errors:
// ErrNotRunning, ErrPermission, *Error (ErrBusy and ErrStopping are such), ErrProtocol.
func Call(ctx context.Context, path, verb string, args any, each func(json.RawMessage) error) error {
	conn, err := dial(ctx, path)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := request(verb, args)
	if err != nil {
		return err
	}
	dog := watchPeer(ctx, conn, path)
	defer dog.end()
	// A daemon that refuses may hang up before it has read the request; its answer
	// lies here all the same.
	unsent := send(conn, line)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// The first answer has a deadline; a stream may then be silent for long.
	_ = conn.SetReadDeadline(time.Now().Add(quietWithin))
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 4096), maxAnswer)
	for lines.Scan() {
		dog.end()
		_ = conn.SetReadDeadline(time.Time{})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return fmt.Errorf("%w: not JSON", ErrProtocol)
		}
		switch {
		case a.Error != nil:
			return a.Error
		case a.End:
			return nil
		}
		if each == nil {
			continue
		}
		if err := each(a.Data); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if hung := dog.found(); hung != nil {
		return hung
	}
	if unsent != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, unsent)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return fmt.Errorf("%w: %w", ErrProtocol, io.ErrUnexpectedEOF)
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialWithin}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%w (%s)", ErrNotRunning, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w (%s)", ErrPermission, path)
	}
	return nil, fmt.Errorf("control: %w", err)
}

// request makes the line of a request.
func request(verb string, args any) ([]byte, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("control: arguments: %w", err)
	}
	line, err := json.Marshal(Request{Verb: verb, Args: raw})
	if err != nil {
		return nil, fmt.Errorf("control: request: %w", err)
	}
	return append(line, '\n'), nil
}

func send(conn net.Conn, line []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if _, err := conn.Write(line); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}
