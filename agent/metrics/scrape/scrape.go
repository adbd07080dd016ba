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
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"yuanlu/agent/config"
	"yuanlu/agent/metrics"
)

const (
	path      = "/metrics"
	mostConns = 8                // at once; further ones wait until the kernel's queue is full
	askTime   = 5 * time.Second  // for a request to come
	wholeTime = 10 * time.Second // for request and answer
	stopTime  = 100 * time.Millisecond
	tryEvery  = 10 * time.Second // a port that is not to be had is tried again
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
	o     Options
	asked sync.RWMutex // locked for reading by every request under way

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
	for {
		var how net.ListenConfig
		l, err := how.Listen(ctx, "tcp", s.o.Listen)
		if err == nil {
			s.note(nil)
			err = s.serve(ctx, l)
		}
		if ctx.Err() != nil {
			return nil
		}
		s.note(err)
		t := time.NewTimer(tryEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
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

// serve answers on l until ctx ends or l fails. It closes l.
func (s *Server) serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s, ReadTimeout: askTime, WriteTimeout: wholeTime, MaxHeaderBytes: 8 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug)}
	server.SetKeepAlivesEnabled(false) // an idle client takes no place
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		bye, done := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer done()
		if server.Shutdown(bye) != nil {
			_ = server.Close() // a client that does not go away is cut off
		}
	})
	err := server.Serve(netutil.LimitListener(l, mostConns))
	if stop() {
		err = errors.Join(err, server.Close())
	} else {
		<-down
	}
	s.asked.Lock()
	defer s.asked.Unlock()
	return err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.RLock()
	defer s.asked.RUnlock()
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
