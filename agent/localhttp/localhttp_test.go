package localhttp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestRunWaitsForWhatIsUnderWay: Run returns only when no request is answered any more.
func TestRunWaitsForWhatIsUnderWay(t *testing.T) {
	begun, address := make(chan struct{}), make(chan string, 1)
	over := false // written by the request, read after Run
	s := Server{
		Listen: func(ctx context.Context) (net.Listener, http.Handler, error) {
			var how net.ListenConfig
			l, err := how.Listen(ctx, "tcp", "127.0.0.1:0")
			return l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(begun)
				<-r.Context().Done()
				over = true
			}), err
		},
		Conns: 1, Ask: time.Minute, Answer: time.Minute,
		Listening: func(a net.Addr) { address <- a.String() }, Failed: func(err error) { t.Error(err) },
		Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	go func() {
		if r, err := http.Get("http://" + <-address); err == nil { // cut off by the end
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
		}
	}()
	<-begun
	cancel()
	<-ended
	if !over {
		t.Error("Run has returned before the request")
	}
}

// TestRunTriesAgain: an address that is not to be had is tried every ten seconds.
func TestRunTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken, failed := errors.New("taken"), 0
		s := Server{
			Listen: func(context.Context) (net.Listener, http.Handler, error) { return nil, nil, taken },
			Failed: func(err error) {
				if failed++; !errors.Is(err, taken) {
					t.Error(err)
				}
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		if s.Run(ctx); failed != 4 {
			t.Errorf("%d tries in 35 s, want 4", failed)
		}
	})
}
