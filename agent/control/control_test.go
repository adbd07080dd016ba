package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start runs a server with a few verbs; the test ends it.
func start(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "c.sock")
	handlers := map[string]Handler{
		"echo": func(_ context.Context, args json.RawMessage, send func(any) error) error { return send(args) },
		"count": func(_ context.Context, args json.RawMessage, send func(any) error) error {
			for i := range 3 {
				if err := send(i); err != nil {
					return err
				}
			}
			return nil
		},
		"missing": func(context.Context, json.RawMessage, func(any) error) error {
			return fmt.Errorf("case: %w", &Error{Code: "not_found", Message: "no such case"})
		},
		"broken": func(context.Context, json.RawMessage, func(any) error) error { return errors.New("oops") },
		"wait": func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
			if err := send("waiting"); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		},
		"flood": func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
			for ctx.Err() == nil {
				if err := send(strings.Repeat("x", 1000)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	s, err := Listen(path, handlers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("the server does not stop")
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the socket is still there")
		}
	})
	return path
}

func call(t *testing.T, path, verb string, args any) ([]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []string
	err := Call(ctx, path, verb, args, func(raw json.RawMessage) error {
		got = append(got, string(raw))
		return nil
	})
	return got, err
}

func TestCalls(t *testing.T) {
	path := start(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got, err := call(t, path, "echo", map[string]int{"n": 1}); err != nil || fmt.Sprint(got) != `[{"n":1}]` {
		t.Errorf("echo: %v, %v", got, err)
	}
	if got, err := call(t, path, "count", nil); err != nil || fmt.Sprint(got) != `[0 1 2]` {
		t.Errorf("count: %v, %v", got, err)
	}
	for verb, want := range map[string]string{"missing": "not_found", "broken": "internal", "nonsense": "unknown_verb"} {
		t.Run(verb, func(t *testing.T) {
			var e *Error
			if _, err := call(t, path, verb, nil); !errors.As(err, &e) || e.Code != want {
				t.Errorf("%s: %v, want code %s", verb, err, want)
			}
		})
	}
}

func TestNotRunning(t *testing.T) {
	if _, err := call(t, filepath.Join(t.TempDir(), "none"), "echo", nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	path := filepath.Join(t.TempDir(), "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, path, "echo", nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stale socket: %v", err)
	}
	s, err := Listen(path, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("a stale socket is in the way: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file was taken for a socket")
	}
}

func TestClientGoesAway(t *testing.T) {
	path := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := Call(ctx, path, "wait", nil, func(json.RawMessage) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("returned %v", err)
	}
	enough := errors.New("enough")
	if err := Call(t.Context(), path, "flood", nil, func(json.RawMessage) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("returned %v", err)
	}
}

// What a daemon that ends has not finished is no answer: neither nothing at all, which reads
// as done, nor the first half of a list.
func TestCutShortIsNoAnswer(t *testing.T) {
	for _, lines := range []int{0, 1} {
		t.Run(fmt.Sprint(lines), func(t *testing.T) {
			path, working := filepath.Join(t.TempDir(), "c.sock"), make(chan struct{})
			order := func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
				for i := range lines {
					if err := send(i); err != nil {
						return err
					}
				}
				close(working)
				<-ctx.Done()
				return ctx.Err()
			}
			s, err := Listen(path, map[string]Handler{"order": order}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			go func() {
				<-working
				cancel()
			}()
			if _, err := call(t, path, "order", nil); !errors.Is(err, ErrStopping) {
				t.Errorf("returned %v, want ErrStopping", err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHostileRequests(t *testing.T) {
	path := start(t)
	for name, text := range map[string]string{
		"not json":  "hello\n",
		"too long":  strings.Repeat("x", maxRequest+10) + "\n",
		"an array":  "[1]\n",
		"no object": "\n",
		"binary":    "\x00\xff\x00\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = conn.Write([]byte(text)) }()
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, "bad_request") {
				t.Errorf("answered %q, %v", line, err)
			}
		})
	}
}

func TestTooManyClients(t *testing.T) {
	path := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, ended := make(chan bool, maxClients), make(chan error, maxClients)
	for range maxClients {
		go func() {
			ended <- Call(ctx, path, "wait", nil, func(json.RawMessage) error {
				ready <- true
				return nil
			})
		}()
	}
	for range maxClients {
		<-ready
	}
	var e *Error
	if _, err := call(t, path, "echo", 1); !errors.As(err, &e) || e.Code != "busy" {
		t.Errorf("one too many: %v", err)
	}
	cancel()
	for range maxClients {
		<-ended
	}
}

// TestRefusedBeforeTheRequest: a client that is refused before it has sent its request
// can send it all the same, and gets the answer. It met a broken pipe.
func TestRefusedBeforeTheRequest(t *testing.T) {
	path := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan bool, maxClients), make(chan error, maxClients)
	for range maxClients {
		go func() {
			ended <- Call(ctx, path, "wait", nil, func(json.RawMessage) error {
				ready <- true
				return nil
			})
		}()
	}
	defer func() {
		cancel()
		for range maxClients {
			<-ended
		}
	}()
	for range maxClients {
		<-ready
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, `"busy"`) {
		t.Fatalf("answered %q, %v", line, err)
	}
	if _, err := conn.Write([]byte(`{"verb":"echo"}` + "\n")); err != nil {
		t.Errorf("the request after the refusal: %v", err)
	}
}

// TestAnswerOfADaemonThatHungUp: the client reads the answer that lies in its socket,
// whatever became of its request; without one the error is ErrProtocol and no bare
// broken pipe, which a command line would take for the end of its own output.
func TestAnswerOfADaemonThatHungUp(t *testing.T) {
	for name, answer := range map[string]string{"refused": `{"error":{"code":"busy","message":"x","about":"clients"}}` + "\n", "silent": ""} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.sock")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for range 200 { // the request may come before the end, or after it
				hung := make(chan error, 1)
				go func() {
					conn, err := l.Accept()
					if err == nil {
						_, err = conn.Write([]byte(answer))
						err = errors.Join(err, conn.Close())
					}
					hung <- err
				}()
				_, err := call(t, path, "echo", 1)
				if hung := <-hung; hung != nil {
					t.Fatal(hung)
				}
				if want := map[bool]error{true: ErrBusy, false: ErrProtocol}[answer != ""]; !errors.Is(err, want) {
					t.Fatalf("returned %v, want %v", err, want)
				}
			}
		})
	}
}
