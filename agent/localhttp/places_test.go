package localhttp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { close(l.done); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// hall is a server with two places, in the time of a synctest bubble.
type hall struct {
	t     *testing.T
	l     *pipes
	stuck int
}

// open starts a server and runs a test on it.
func open(t *testing.T, handler http.HandlerFunc, test func(*hall)) {
	synctest.Test(t, func(t *testing.T) {
		h := &hall{t: t, l: &pipes{conns: make(chan net.Conn), done: make(chan struct{})}}
		s := Server{
			Listen: func(context.Context) (net.Listener, http.Handler, error) { return h.l, handler, nil },
			Conns:  2, Ask: 5 * time.Second, Answer: 5 * time.Second,
			Listening: func(net.Addr) {}, Failed: func(err error) { t.Error(err) },
			Stuck: func() { h.stuck++ }, Log: slog.New(slog.DiscardHandler),
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		test(h)
		cancel()
		<-ended
	})
}

// dial connects and sends a text; it returns when nothing more can happen by itself.
func (h *hall) dial(text string) net.Conn {
	h.t.Helper()
	mine, theirs := net.Pipe()
	h.t.Cleanup(func() { _ = mine.Close() })
	h.l.conns <- theirs
	go func() { _, _ = io.WriteString(mine, text) }() // one that is not read ends with its connection
	synctest.Wait()
	return mine
}

// status reads an answer and returns its status and after how long it came.
func (h *hall) status(c net.Conn) (string, time.Duration) {
	h.t.Helper()
	begin := time.Now()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return fmt.Sprint(err), time.Since(begin)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return r.Status, time.Since(begin)
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// ok reads its request and answers.
func ok(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// TestStuckMakeRoom: who has sent no whole request, or does not read his answer, loses his
// place to one who wants it, the oldest first.
func TestStuckMakeRoom(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "half a head": "GET / HTTP/1.1\r\nHo", "half a body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
		"a body after 100 Continue": "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
		"reads nothing":             get,
	} {
		t.Run(name, func(t *testing.T) {
			open(t, ok, func(h *hall) {
				first, second := h.dial(text), h.dial(text)
				good := h.dial(get)
				if got, after := h.status(good); got != "200 OK" || after > answerGrace {
					t.Errorf("%s after %v", got, after)
				}
				if h.stuck != 1 {
					t.Errorf("%d were cut off, want 1", h.stuck)
				}
				for c, want := range map[net.Conn]bool{first: true, second: false} {
					_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
					_, err := io.Copy(io.Discard, c)
					if cut := err == nil; name != "reads nothing" && cut != want {
						t.Errorf("cut off: %v, want %v", cut, want)
					}
				}
			})
		})
	}
}

// TestSilentIsCutOff: a client has 5 s for its request, though no other wants its place.
func TestSilentIsCutOff(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "half a head": "GET / HTTP/1.1\r\nHo"} {
		t.Run(name, func(t *testing.T) {
			open(t, ok, func(h *hall) {
				begin := time.Now()
				_, _ = io.Copy(io.Discard, h.dial(text))
				if took := time.Since(begin); took != 5*time.Second {
					t.Errorf("cut off after %v", took)
				}
			})
		})
	}
}

// TestManyStuckMakeRoom: a whole queue of silent clients costs the one behind it 10 ms for
// every two.
func TestManyStuckMakeRoom(t *testing.T) {
	open(t, ok, func(h *hall) {
		begin := time.Now()
		for range 20 {
			h.dial("")
		}
		if got, _ := h.status(h.dial(get)); got != "200 OK" || time.Since(begin) > 10*askGrace {
			t.Errorf("%s after %v", got, time.Since(begin))
		}
	})
}

// TestWorkIsNotCutOff: whose request is whole keeps his place until he is answered.
func TestWorkIsNotCutOff(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) {
		ok(w, r)
		<-time.After(time.Second) // of the bubble
	}
	for name, text := range map[string]string{"no body": get, "a body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"a body after 100 Continue": "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			open(t, slow, func(h *hall) {
				clients := []net.Conn{h.dial(text), h.dial(text)}
				for _, c := range clients {
					if strings.Contains(text, "Expect") {
						if got, _ := h.status(c); got != "100 Continue" {
							t.Fatal(got)
						}
						go func() { _, _ = io.WriteString(c, "{}") }()
						synctest.Wait()
					}
				}
				for _, c := range append(clients, h.dial(get)) {
					if got, after := h.status(c); got != "200 OK" || after > 2*time.Second {
						t.Errorf("%s after %v", got, after)
					}
				}
				if h.stuck != 0 {
					t.Errorf("%d were cut off", h.stuck)
				}
			})
		})
	}
}

// TestPatientMakesRoom: a handler that waits answers early, and is not cut off.
func TestPatientMakesRoom(t *testing.T) {
	waits := func(w http.ResponseWriter, r *http.Request) {
		ok(w, r)
		if r.Method != http.MethodPut {
			return
		}
		ctx, done := Patient(r.Context())
		defer done()
		select {
		case <-ctx.Done():
			w.WriteHeader(http.StatusAccepted)
		case <-time.After(3 * time.Second):
		}
	}
	open(t, waits, func(h *hall) {
		first, second := h.dial("PUT / HTTP/1.1\r\nHost: x\r\n\r\n"), h.dial("PUT / HTTP/1.1\r\nHost: x\r\n\r\n")
		good := h.dial(get)
		if got, after := h.status(first); got != "202 Accepted" || after > 0 {
			t.Errorf("first: %s after %v", got, after)
		}
		if got, after := h.status(good); got != "200 OK" || after > answerGrace {
			t.Errorf("good: %s after %v", got, after)
		}
		if got, after := h.status(second); got != "200 OK" || after < 2*time.Second {
			t.Errorf("second: %s after %v", got, after)
		}
		if h.stuck != 0 {
			t.Errorf("%d were cut off", h.stuck)
		}
	})
}

// TestCutOffEndsTheHandler: the handler of a client that was cut off does not go on.
func TestCutOffEndsTheHandler(t *testing.T) {
	over := make(chan struct{}, 2)
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut { // its body is never read
			<-r.Context().Done()
			over <- struct{}{}
		}
	}
	open(t, handler, func(h *hall) {
		const text = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
		h.dial(text)
		h.dial(text)
		if got, _ := h.status(h.dial(get)); got != "200 OK" {
			t.Error(got)
		}
		synctest.Wait()
		if len(over) != 1 {
			t.Errorf("%d handlers have ended, want 1", len(over))
		}
	})
}

// TestStopWhileOneWaitsForAPlace: the end does not wait for a place.
func TestStopWhileOneWaitsForAPlace(t *testing.T) {
	busy := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	open(t, busy, func(h *hall) {
		h.dial(get)
		h.dial(get)
		h.dial(get)
	})
}
