package ingest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// countingPort is a port whose driver counts.
type countingPort struct {
	*memPort
	mu sync.Mutex
	c  LineCounts
}

func (p *countingPort) LineCounts() (LineCounts, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.c, true
}

// TestStallIsCountedAndLogged: while nothing can be stored and the buffers are full, the
// reader stands still; how often and how long is counted, and an episode has one line at
// its begin and one at its end.
func TestStallIsCountedAndLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) { o.MaxWaiting, o.Buffer, b.store.fail = 8, 64, errors.New("disk full") })
		for i := range 100 {
			send(port, strings.Repeat("x", 20)+string(rune('0'+i/10))+string(rune('0'+i%10)))
		}
		pass(time.Minute)
		h := b.w.Health()
		if h.Stalls == 0 || h.StalledFor < 50*time.Second || h.StalledSince.IsZero() || !h.StalledUntil.IsZero() {
			t.Errorf("while it stands still: %d stalls, %v, since %v, until %v", h.Stalls, h.StalledFor, h.StalledSince, h.StalledUntil)
		}
		want(t, "Line of a port that does not count", h.Line, nil)
		b.store.set(func(s *memStore) { s.fail = nil })
		pass(time.Minute)
		h = b.w.Health()
		if !h.StalledSince.IsZero() || h.StalledUntil.IsZero() || h.StalledFor < 50*time.Second || h.StalledFor > 70*time.Second {
			t.Errorf("afterwards: %v, since %v, until %v", h.StalledFor, h.StalledSince, h.StalledUntil)
		}
		_ = b.stop()
		log := b.log.String()
		want(t, "begins", strings.Count(log, "link.stalled"), 1)
		want(t, "ends", strings.Count(log, "link.flowing"), 1)
		if !strings.Contains(log, "stalled_for=") || !strings.Contains(log, "overruns=unknown") {
			t.Errorf("the log: %s", log)
		}
	})
}

// TestOverrunsOfTheDriver: only what the driver counts after the port was opened is this
// worker's, also where its counts wrap; lost bytes are an episode.
func TestOverrunsOfTheDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := &countingPort{memPort: newMemPort(), c: LineCounts{Overrun: 1<<32 - 2, Frame: 7}}
		b := start(t, func(_ *bench, o *Options) {
			o.Open = func(context.Context) (Port, string, error) { return port, "/dev/ttyS1", nil }
		})
		b.run()
		pass(3 * time.Second)
		want(t, "before", *b.w.Health().Line, LineErrors{})
		port.mu.Lock()
		port.c = LineCounts{Overrun: 1, BufOverrun: 4, Frame: 9, Parity: 2, Break: 1}
		port.mu.Unlock()
		pass(3 * time.Second)
		h := b.w.Health()
		want(t, "counted", *h.Line, LineErrors{Overrun: 3, BufOverrun: 4, Frame: 2, Parity: 2, Break: 1})
		want(t, "an episode", h.StalledSince.IsZero(), false)
		pass(10 * time.Second)
		want(t, "over", b.w.Health().StalledSince.IsZero(), true)
		_ = b.stop()
		if log := b.log.String(); !strings.Contains(log, "overruns=7") {
			t.Errorf("the log: %s", log)
		}
	})
}
