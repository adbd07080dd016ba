// Package scrape lets Prometheus fetch figures over HTTP, on this machine alone:
//
//	GET /metrics HTTP/1.1
//	Host: 127.0.0.1:9100
//
// Every program of the machine may ask, and is not trusted to behave: requests are bounded
// in size and time, connections in number. A page in a browser whose name is made to mean
// the loopback is refused by its Host.
package scrape

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/localhttp"
	"yuanlu/agent/metrics"
)

const (
	path      = "/metrics"
	mostConns = 8                // at once; further ones wait until the kernel's queue is full
	askTime   = 5 * time.Second  // for a request to come
	wholeTime = 10 * time.Second // for request and answer
)

// Options are what is offered, and where. All are needed.
type Options struct {
	Listen   string                                 // a loopback address and a port
	Families func(context.Context) []metrics.Family // called for each request, concurrently
	Changed  func()                                 // Problem returns something else; never blocks
	Log      *slog.Logger
}

// Server offers figures. It is safe for concurrent use; Run is called once.
type Server struct {
	o Options

	mu      sync.Mutex // guards problem
	problem error
}

// New makes a server. It does not listen yet.
func New(o Options) *Server { return &Server{o: o} }

// Problem returns why nothing is offered; nil: it is, or Run has not begun.
func (s *Server) Problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// Run offers the figures until ctx ends, then waits for the requests under way, which end
// with it. A port that cannot be had is tried again, and is no error.
func (s *Server) Run(ctx context.Context) error {
	server := localhttp.Server{
		Listen: func(ctx context.Context) (net.Listener, http.Handler, error) {
			var how net.ListenConfig
			l, err := how.Listen(ctx, "tcp", s.o.Listen)
			return l, s, err
		},
		Conns: mostConns, Ask: askTime, Answer: wholeTime,
		Listening: func(net.Addr) { s.note(nil) }, Failed: s.note, Log: s.o.Log,
	}
	server.Run(ctx)
	return nil
}

// note keeps what is wrong, and logs it where it is another thing than before.
func (s *Server) note(err error) {
	s.mu.Lock()
	same := s.problem != nil && err != nil && s.problem.Error() == err.Error()
	s.problem = err
	s.mu.Unlock()
	switch {
	case same:
		return
	case err != nil:
		s.o.Log.Error("metrics.unavailable", "listen", s.o.Listen, "err", err)
	default:
		s.o.Log.Info("metrics.listening", "listen", s.o.Listen)
	}
	s.o.Changed()
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case !local(r.Host):
		http.Error(w, "this machine alone may ask: http://"+s.o.Listen+path, http.StatusForbidden)
	case r.URL.Path != path:
		http.Error(w, "nothing is here; see "+path, http.StatusNotFound)
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		http.Error(w, "only GET here", http.StatusMethodNotAllowed)
	default:
		text := metrics.Append(nil, s.o.Families(r.Context()))
		h.Set("Content-Type", metrics.ContentType)
		h.Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text) // a client that went away does not get it
	}
}

// local reports whether a Host header means the loopback.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return config.Loopback(strings.Trim(host, "[]"))
}
