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

// Call asks the daemon on the socket at path and hands every answer to each (nil:
// nobody wants them), in order. It ends when the daemon says so, when each returns an error, or when ctx
// ends (then it returns ctx.Err()). Errors: ErrNotRunning, ErrPermission, *Error,
// ErrProtocol.
func Call(ctx context.Context, path, verb string, args any, each func(json.RawMessage) error) error {
	conn, err := dial(ctx, path)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := ask(conn, verb, args); err != nil {
		return err
	}
	// The first answer has a deadline; a stream may then be silent for long.
	_ = conn.SetReadDeadline(time.Now().Add(quietWithin))
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 4096), maxAnswer)
	for lines.Scan() {
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

func ask(conn net.Conn, verb string, args any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("control: arguments: %w", err)
	}
	line, err := json.Marshal(Request{Verb: verb, Args: raw})
	if err != nil {
		return fmt.Errorf("control: request: %w", err)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	return nil
}
