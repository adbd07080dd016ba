package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"yuanlu/agent/guard"
)

// Bounds. Source: guard.md § 5.
const (
	mostConns = 16               // at once, at each address; further ones wait
	askTime   = 5 * time.Second  // for a request, and for writing its answer
	mostBody  = 16 << 10         // bytes
	mostWait  = 30 * time.Second // of ?wait_s=
	mostAsks  = 50               // a second
	// mostWaits bounds the requests that wait for the end of a hold; one more is answered
	// at once, so that a place is left for asks.
	mostWaits = 8
	stopTime  = 100 * time.Millisecond
	tryEvery  = 10 * time.Second // an address that is not to be had is tried again
)

// Options are who answers, and where. Service, Socket, Links, Zone and Log are needed.
type Options struct {
	Service  guard.Service
	Socket   string   // path of the unix socket
	Group    string   // name or number of the group that may use it, "" the process's own
	Listen   string   // loopback address and port, "" none
	Token    string   // path of the file whose first line a client must show there
	Links    []string // of the configuration; the first is the default of an ask
	Merchant string   // of the configuration: of an ask that a request names without one
	Zone     *time.Location
	Log      *slog.Logger
}

// Server is the local API. Run is called once.
type Server struct {
	o     Options
	waits chan struct{} // one for each request that waits
	pace  pace
	asked sync.RWMutex // locked for reading by every request under way
	mux   *http.ServeMux
	known merchants
}

// New makes a server. It does not listen yet.
func New(o Options) *Server {
	s := &Server{o: o, waits: make(chan struct{}, mostWaits), pace: pace{left: mostAsks}, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST /v1/asks", s.ask)
	s.mux.HandleFunc("GET /v1/asks/{terminal}/{id}", s.look)
	s.mux.HandleFunc("POST /v1/asks/{terminal}/{id}/release", s.release)
	s.mux.HandleFunc("POST /v1/asks/{terminal}/{id}/cancel", s.cancel)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusNotFound, guard.CodeForm, "path")
	})
	return s
}

// Run answers until ctx ends, then waits for the requests under way, which end with it. An
// address that cannot be had is logged and tried again, and is no error.
func (s *Server) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { s.keep(ctx, "unix", s.socket) })
	if s.o.Listen != "" {
		both.Go(func() { s.keep(ctx, "tcp", s.loopback) })
	}
	both.Wait()
	s.asked.Lock() // the requests under way
	defer s.asked.Unlock()
	return nil
}

// keep listens and serves, again and again, until ctx ends.
func (s *Server) keep(ctx context.Context, network string, listen func(context.Context) (net.Listener, string, error)) {
	last := ""
	for ctx.Err() == nil {
		l, token, err := listen(ctx)
		if err == nil {
			s.o.Log.Info("guard.listening", "network", network, "address", l.Addr().String())
			last = ""
			err = s.serve(ctx, l, token)
		}
		if ctx.Err() != nil {
			return
		}
		if text := fmt.Sprint(err); text != last {
			s.o.Log.Error("guard.unavailable", "network", network, "err", err)
			last = text
		}
		t := time.NewTimer(tryEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// socket listens on the unix socket: mode 0660, for the group.
func (s *Server) socket(context.Context) (net.Listener, string, error) {
	path := s.o.Socket
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, "", err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, "", fmt.Errorf("guard socket: %s is there and is no socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, "", err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, "", err
	}
	err = os.Chmod(path, 0o600) // until the group is right
	if err == nil && s.o.Group != "" {
		var gid int
		if gid, err = groupOf(s.o.Group); err == nil {
			err = os.Chown(path, -1, gid)
		}
	}
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		return nil, "", errors.Join(err, l.Close())
	}
	return l, "", nil
}

func groupOf(name string) (int, error) {
	if gid, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(gid), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// loopback listens on the loopback address, and reads the token.
func (s *Server) loopback(ctx context.Context) (net.Listener, string, error) {
	data, err := os.ReadFile(s.o.Token)
	if err != nil {
		return nil, "", err
	}
	token, _, _ := strings.Cut(string(data), "\n")
	if token = strings.TrimSpace(token); len(token) < 16 {
		return nil, "", errors.New("guard.token_file: want a first line of 16 characters at least")
	}
	var how net.ListenConfig
	l, err := how.Listen(ctx, "tcp", s.o.Listen)
	return l, token, err
}

// serve answers on l until ctx ends or l fails. It closes l.
func (s *Server) serve(ctx context.Context, l net.Listener, token string) error {
	handler := http.Handler(http.HandlerFunc(s.serveHTTP))
	if token != "" {
		handler = s.guarded(handler, token, l.Addr().String())
	}
	server := &http.Server{Handler: handler, ReadTimeout: askTime, WriteTimeout: askTime, MaxHeaderBytes: 8 << 10,
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
		return errors.Join(err, server.Close())
	}
	<-down
	return err
}

// pace lets so many asks through a second.
type pace struct {
	mu   sync.Mutex // guards the rest
	left float64
	last time.Time
}

// take reports whether one more may be asked now.
func (p *pace) take(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.last.IsZero() {
		p.left = min(mostAsks, p.left+now.Sub(p.last).Seconds()*mostAsks)
	}
	p.last = now
	if p.left < 1 {
		return false
	}
	p.left--
	return true
}

// merchants remembers whose asks came: a request about one names its terminal and id alone.
type merchants struct {
	mu    sync.Mutex // guards the rest
	of    map[[2]string]string
	order [][2]string
}

// mostKnown bounds what is remembered; of an older ask the merchant of the configuration counts.
const mostKnown = 4096

func (m *merchants) note(terminal, id, merchant string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := [2]string{terminal, id}
	if m.of == nil {
		m.of = map[[2]string]string{}
	}
	if _, had := m.of[k]; !had {
		if len(m.order) >= mostKnown {
			delete(m.of, m.order[0])
			m.order = m.order[1:]
		}
		m.order = append(m.order, k)
	}
	m.of[k] = merchant
}

func (m *merchants) find(terminal, id string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	merchant, ok := m.of[[2]string{terminal, id}]
	return merchant, ok
}
