package scrape

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/logbook"
	"yuanlu/agent/metrics"
)

// some is what the tests offer.
func some(context.Context) []metrics.Family {
	return []metrics.Family{{Name: "a", Help: "Help.", Kind: metrics.Gauge, Samples: []metrics.Sample{{Value: 7}}}}
}

// loopbackPort returns an address of the loopback on which nothing listens.
func loopbackPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serving runs a server and returns its address once it listens, and what stops it.
func serving(t *testing.T, families func(context.Context) []metrics.Family) (address string, stop func()) {
	t.Helper()
	changed := make(chan struct{}, 8)
	address = loopbackPort(t)
	s := New(Options{Listen: address, Families: families, Changed: func() { changed <- struct{}{} }, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not stop")
		}
	}
	t.Cleanup(stop)
	for { // another process may have taken the port meanwhile; it is tried again
		select {
		case <-changed:
		case <-time.After(60 * time.Second):
			t.Fatal("the server does not listen: ", s.Problem())
		}
		if s.Problem() == nil {
			return address, stop
		}
	}
}

func ask(t *testing.T, method, address, path, host string) (int, http.Header, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, got.Header, string(body)
}

func TestWhoMayAskWhat(t *testing.T) {
	var asked atomic.Int64
	address, _ := serving(t, func(ctx context.Context) []metrics.Family { asked.Add(1); return some(ctx) })
	_, port, _ := net.SplitHostPort(address)
	for _, tt := range []struct {
		method, path, host string
		want               int
	}{
		{"GET", "/metrics", address, 200}, {"GET", "/metrics?x=1", "localhost", 200}, {"GET", "/metrics", "[::1]:" + port, 200},
		{"GET", "/metrics", "127.0.0.1.example:" + port, 403}, {"GET", "/metrics", "pos.example", 403}, {"GET", "/metrics", "10.0.0.1:" + port, 403},
		{"GET", "/", address, 404}, {"GET", "/metrics/", address, 404}, {"GET", "/debug/pprof/", address, 404},
		{"POST", "/metrics", address, 405}, {"HEAD", "/metrics", address, 405}, {"OPTIONS", "/metrics", address, 405}, {"DELETE", "/metrics", address, 405},
	} {
		t.Run(tt.method, func(t *testing.T) {
			before := asked.Load()
			status, h, body := ask(t, tt.method, address, tt.path, tt.host)
			if status != tt.want || (asked.Load() > before) != (tt.want == 200) {
				t.Errorf("%s %s of %s: %d %s", tt.method, tt.path, tt.host, status, body)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || status == 405 && h.Get("Allow") != "GET" {
				t.Errorf("%s %s: %v", tt.method, tt.path, h)
			}
			if status == 200 && (body != "# HELP a Help.\n# TYPE a gauge\na 7\n" || h.Get("Content-Type") != metrics.ContentType) {
				t.Errorf("%v %q", h, body)
			}
		})
	}
	before := asked.Load()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The server closes before it has read all, so either side of the answer may fail.
	_, werr := io.WriteString(c, "GET /metrics?"+strings.Repeat("x", 32<<10)+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	answer, rerr := io.ReadAll(c)
	if asked.Load() != before || werr == nil && rerr == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") {
		t.Errorf("a great request: %q, %v, %v", answer, werr, rerr)
	}
}

// TestIdleClientsAreCutOff: clients that send nothing take every place there is, and lose
// them after askTime; only then is the one that asks answered.
func TestIdleClientsAreCutOff(t *testing.T) {
	address, _ := serving(t, some)
	var idle []net.Conn
	for range mostConns {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	if status, _, _ := ask(t, "GET", address, "/metrics", address); status != 200 {
		t.Errorf("%d", status)
	}
	cut := 0
	for _, c := range idle {
		if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); !errors.Is(err, os.ErrDeadlineExceeded) {
			cut++
		}
	}
	if cut == 0 {
		t.Error("one more than there are places for was served")
	}
	for _, c := range idle {
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Error("an idle client was not cut off: ", err)
		}
	}
}

// TestStopWaitsForTheRequestsUnderWay: they end with the server's ctx, and Run after them.
func TestStopWaitsForTheRequestsUnderWay(t *testing.T) {
	began, ended := make(chan struct{}), atomic.Bool{}
	address, stop := serving(t, func(ctx context.Context) []metrics.Family {
		close(began)
		<-ctx.Done()
		ended.Store(true)
		return some(ctx)
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-began
	stop()
	if !ended.Load() {
		t.Error("Run did not wait for a request")
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

// TestAPortThatIsTaken is a problem and one line in the log; once it is free, the figures
// are there.
func TestAPortThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	synctest.Test(t, func(t *testing.T) {
		book := logbook.Open(logbook.Options{})
		changes := make(chan struct{}, 8)
		s := New(Options{Listen: address, Families: some, Changed: func() { changes <- struct{}{} }, Log: book.Logger()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		<-changes
		<-time.After(55 * time.Second) // five more tries
		past, sub := book.Subscribe(100, func(l logbook.Line) bool { return l.Code == "metrics.unavailable" })
		sub.Cancel()
		if err := s.Problem(); !errors.Is(err, syscall.EADDRINUSE) || len(past) != 1 || len(changes) != 0 {
			t.Errorf("%v, %d lines, %d changes", err, len(past), len(changes))
		}
		l.Close()
		<-changes
		if err := s.Problem(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = book.Close(context.Background())
	})
}
