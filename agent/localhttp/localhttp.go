// Package localhttp keeps an HTTP server open to the programs of this machine. They are not
// trusted to behave: requests are bounded in size and time, connections in number. An idle
// client takes no place, and a stuck one loses it when another client needs it.
package localhttp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	stopTime   = 100 * time.Millisecond
	tryEvery   = 10 * time.Second // an address that is not to be had is tried again
	mostHeader = 8 << 10          // bytes
)

// Server is where is listened, who answers there and within which bounds. All but Stuck are needed.
type Server struct {
	// Listen opens the address and returns who answers there.
	Listen func(context.Context) (net.Listener, http.Handler, error)
	Conns  int           // at once; for a further one a stuck client makes room, else it waits
	Ask    time.Duration // for a request to come
	Answer time.Duration // for request and answer
	// Listening is called each time the address is had, Failed each time it is not, or no longer.
	Listening func(net.Addr)
	Failed    func(error)
	// Stuck is called for each client that was cut off to make room for another; it may not
	// block. nil: not called.
	Stuck func()
	Log   *slog.Logger // of what net/http says of its clients, at level debug
}

// Run answers until ctx ends, then waits for the requests under way, which end with it. An
// address that cannot be had is tried again after ten seconds, and is no error.
func (s *Server) Run(ctx context.Context) {
	for {
		l, handler, err := s.Listen(ctx)
		if err == nil {
			s.Listening(l.Addr())
			err = s.serve(ctx, l, handler)
		}
		if ctx.Err() != nil {
			return
		}
		s.Failed(err)
		t := time.NewTimer(tryEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// serve answers on l until ctx ends or l fails, and closes l. No request is under way when it
// returns.
func (s *Server) serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	var asked sync.RWMutex // locked for reading by every request under way
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.RLock()
		defer asked.RUnlock()
		begun(r)
		handler.ServeHTTP(w, r)
	})
	server := &http.Server{Handler: counted, ReadTimeout: s.Ask, WriteTimeout: s.Answer, MaxHeaderBytes: mostHeader, DisableGeneralOptionsHandler: true,
		BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withPlace, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)}
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
	err := server.Serve(newRoom(l, s.Conns, s.Stuck))
	if stop() {
		err = errors.Join(err, server.Close())
	} else {
		<-down
	}
	asked.Lock()
	defer asked.Unlock()
	return err
}
