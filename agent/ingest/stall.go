package ingest

import (
	"context"
	"time"
)

// While the buffers of a link are full, its reader stands still: the kernel's own buffer
// takes what comes then, and drops the rest. Short waits are usual where bytes come
// faster than they are stored; from stallLeast on they are an episode, which is logged
// once at its begin and once at its end.
const (
	stallLeast = time.Second
	stallRest  = 5 * time.Second // without another such wait: the episode is over
	lineEvery  = 2 * time.Second // how often the driver's counts are read
)

// LineErrors are what the driver of a serial line has counted since the worker started.
type LineErrors struct {
	Overrun    uint64 `json:"overrun"`     // the UART had no room: bytes are lost
	BufOverrun uint64 `json:"buf_overrun"` // the kernel had no room: bytes are lost
	Frame      uint64 `json:"frame"`       // a stop bit was not where it should be
	Parity     uint64 `json:"parity"`
	Break      uint64 `json:"brk"`
}

// Lost is the number of times that bytes were lost.
func (e *LineErrors) Lost() uint64 { return e.Overrun + e.BufOverrun }

// LineCounts are the counts of a driver as it keeps them; they wrap.
type LineCounts struct{ Overrun, BufOverrun, Frame, Parity, Break uint32 }

// lineCounter is a Port whose driver counts. ok is false where it does not, as on a
// pseudo terminal.
type lineCounter interface {
	LineCounts() (c LineCounts, ok bool)
}

// lineMeter turns the counts of a driver into those since the worker started. It belongs
// to the goroutine that reads.
type lineMeter struct {
	looked time.Time
	last   LineCounts
	known  bool // last is of this opening of the port
}

// stalls is what a worker knows about its own standing still, guarded by Worker.mu.
type stalls struct {
	count uint64
	total time.Duration // of all waits that have ended
	since time.Time     // of the wait that lasts, by the monotonic clock; zero: none
	begin time.Time     // of the episode that lasts; zero: none
	last  time.Time     // when its last long wait ended
	lost  uint64        // LineErrors.Lost at its begin
}

// put hands bytes to the decoder and counts the wait for room.
func (w *Worker) put(ctx context.Context, p []byte) {
	if w.inbox.tryPut(p) {
		return
	}
	begin := time.Now()
	w.mu.Lock()
	w.stalls.count++
	w.stalls.since = begin
	w.mu.Unlock()
	w.inbox.put(ctx, p, stallLeast, func() { w.stallBegins(stallFull, 0) })
	w.mu.Lock()
	w.stalls.since = time.Time{}
	w.stalls.total += time.Since(begin)
	if time.Since(begin) >= stallLeast {
		w.stalls.last = time.Now()
	}
	w.mu.Unlock()
}

// Why an episode has begun, for the log.
const (
	stallFull = "the buffers are full: what the kernel does not keep is lost"
	stallLost = "the driver dropped bytes"
)

// stallBegins notes that an episode has begun, unless one lasts, with so many losses
// already.
func (w *Worker) stallBegins(why string, lost uint64) {
	now := time.Now()
	w.mu.Lock()
	again := !w.stalls.begin.IsZero()
	w.stalls.last = now
	if !again {
		w.stalls.begin = now
		w.health.StalledSince = w.opt.Clock().Now
		if l := w.health.Line; l != nil {
			w.stalls.lost = l.Lost() - lost
		}
	}
	waiting := w.health.Waiting
	w.mu.Unlock()
	if !again {
		w.log.Error("link.stalled", "waiting", waiting, "why", why)
		w.opt.OnChange()
	}
}

// stalling reports whether an episode is under way.
func (w *Worker) stalling() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.stalls.begin.IsZero()
}

// stallEnds notes that the episode is over, once the reader has gone on for stallRest, or
// at once where the port is no longer read.
func (w *Worker) stallEnds(atOnce bool) {
	now := time.Now()
	w.mu.Lock()
	s := &w.stalls
	over := !s.begin.IsZero() && (atOnce || now.Sub(s.last) >= stallRest)
	took, waits, lost := s.last.Sub(s.begin), s.count, any("unknown")
	if over {
		if l := w.health.Line; l != nil {
			lost = l.Lost() - s.lost
		}
		s.begin = time.Time{}
		w.health.StalledSince, w.health.StalledUntil = time.Time{}, w.opt.Clock().Now
	}
	w.mu.Unlock()
	if over {
		w.log.Warn("link.flowing", "stalled_for", took.Round(time.Millisecond), "waits", waits, "overruns", lost)
		w.opt.OnChange()
	}
}

// fill copies the figures of s into the health of a link.
func (s *stalls) fill(h *LinkHealth, now time.Time) {
	h.Stalls, h.StalledFor = s.count, s.total
	if !s.since.IsZero() {
		h.StalledFor += now.Sub(s.since)
	}
}

// meter reads the counts of the driver every lineEvery, at once where now is true. Bytes
// that the kernel has lost begin an episode.
func (w *Worker) meter(m *lineMeter, port Port, now bool) {
	counter, ok := port.(lineCounter)
	if !ok || !now && time.Since(m.looked) < lineEvery {
		return
	}
	m.looked = time.Now()
	c, ok := counter.LineCounts()
	if !ok {
		return
	}
	var lost uint64
	w.count(func(h *LinkHealth) {
		if h.Line == nil {
			h.Line = &LineErrors{}
		}
		if m.known {
			e := *h.Line // the one before may be in the hands of others
			e.Overrun += uint64(c.Overrun - m.last.Overrun)
			e.BufOverrun += uint64(c.BufOverrun - m.last.BufOverrun)
			e.Frame += uint64(c.Frame - m.last.Frame)
			e.Parity += uint64(c.Parity - m.last.Parity)
			e.Break += uint64(c.Break - m.last.Break)
			lost = e.Lost() - h.Line.Lost()
			h.Line = &e
		}
	})
	m.last, m.known = c, true
	if lost > 0 {
		w.stallBegins(stallLost, lost)
	}
}
