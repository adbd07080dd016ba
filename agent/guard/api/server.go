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

	"yuanlu/agent/guard"
	"yuanlu/agent/localhttp"
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
	// mostReleases bounds the releases under way: PINs are compared one at a time, at a cost.
	mostReleases = 4
	// sayStuck is how often at most the log tells of stuck clients.
	sayStuck = time.Minute
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
	Tally    *guard.Tally // counts what does not come to the guard; nil: one of its own
}

// Server is the local API. Run is called once.
type Server struct {
	o     Options
	waits chan struct{} // one for each request that waits
	// releases has one for each release under way.
	releases chan struct{}
	pace     pace
	stuck    stuck
	mux      *http.ServeMux
	known    merchants
}

// New makes a server. It does not listen yet.
func New(o Options) *Server {
	s := &Server{o: o, waits: make(chan struct{}, mostWaits), releases: make(chan struct{}, mostReleases), pace: pace{left: mostAsks}, mux: http.NewServeMux()}
	if s.o.Tally == nil {
		s.o.Tally = &guard.Tally{}
	}
	s.mux.HandleFunc("POST /v1/asks", s.ask)
	s.mux.HandleFunc("GET /v1/asks/{terminal}/{id}", s.look)
	s.mux.HandleFunc("POST /v1/asks/{terminal}/{id}/release", s.release)
	s.mux.HandleFunc("POST /v1/asks/{terminal}/{id}/cancel", s.cancel)
	s.mux.HandleFunc("/", s.noPath)
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
	return nil
}

// keep listens and serves, again and again, until ctx ends.
func (s *Server) keep(ctx context.Context, network string, listen func(context.Context) (net.Listener, http.Handler, error)) {
	last := ""
	server := localhttp.Server{
		Listen: listen, Conns: mostConns, Ask: askTime, Answer: askTime, Log: s.o.Log,
		Listening: func(a net.Addr) {
			s.o.Log.Info("guard.listening", "network", network, "address", a.String())
			last = ""
		},
		Failed: func(err error) {
			if text := fmt.Sprint(err); text != last {
				s.o.Log.Error("guard.unavailable", "network", network, "err", err)
				last = text
			}
		},
		Stuck: func() {
			s.o.Tally.Refused(codeStuck)
			if n := s.stuck.add(time.Now()); n > 0 {
				s.o.Log.Warn("guard.stuck", "network", network, "clients", n)
			}
		},
	}
	server.Run(ctx)
}

// socket listens on the unix socket: mode 0660, for the group.
func (s *Server) socket(context.Context) (net.Listener, http.Handler, error) {
	path := s.o.Socket
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, nil, fmt.Errorf("guard socket: %s is there and is no socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, nil, err
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
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, http.HandlerFunc(s.serveHTTP), nil
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
func (s *Server) loopback(ctx context.Context) (net.Listener, http.Handler, error) {
	info, err := os.Stat(s.o.Token)
	if err != nil {
		return nil, nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, nil, fmt.Errorf("guard.token_file: %s: got mode %04o, want 0600: others could show the token", s.o.Token, mode)
	}
	data, err := os.ReadFile(s.o.Token)
	if err != nil {
		return nil, nil, err
	}
	token, _, _ := strings.Cut(string(data), "\n")
	if token = strings.TrimSpace(token); len(token) < 16 {
		return nil, nil, errors.New("guard.token_file: want a first line of 16 characters at least")
	}
	var how net.ListenConfig
	l, err := how.Listen(ctx, "tcp", s.o.Listen)
	if err != nil {
		return nil, nil, err
	}
	return l, s.guarded(http.HandlerFunc(s.serveHTTP), token, l.Addr().String()), nil
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

// codeStuck counts a client that was cut off because it hung and another wanted its place.
const codeStuck = "stuck"

// stuck counts clients that were cut off, for a line of the log once a minute at most.
type stuck struct {
	mu   sync.Mutex // guards the rest
	n    int        // not logged yet
	last time.Time  // of a line
}

// add counts one more, and returns how many to log now, 0: nothing.
func (s *stuck) add(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if !s.last.IsZero() && now.Sub(s.last) < sayStuck {
		return 0
	}
	n := s.n
	s.n, s.last = 0, now
	return n
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
