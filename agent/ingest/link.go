package ingest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"yuanlu/agent/beat"
)

// Timing of the link goroutine.
const (
	openLimit  = 10 * time.Second       // for one Open
	readPoll   = 500 * time.Millisecond // the longest wait in one Read while something is unfinished
	readAgain  = 10 * time.Millisecond  // the shortest: for bytes that are there already
	backOffMin = time.Second
	backOffMax = 30 * time.Second
	goodFor    = 10 * time.Second // a port open that long was a good one: back-off starts again at its least
	readSize   = 2048
	noProgress = 100 // Reads in a row that return neither bytes nor an error
)

// errNoProgress: the port returns neither bytes nor an error.
var errNoProgress = errors.New("ingest: reads give nothing")

// errAsked: the port was closed because Reopen was called.
var errAsked = errors.New("ingest: asked to reopen the port")

// runLink owns the port: it opens it with back-off, puts what it reads into the
// inbox and closes it, until ctx is done. It never waits for the store.
func (w *Worker) runLink(ctx context.Context) {
	failures, lost, opened := 0, 0, 0
	defer context.AfterFunc(ctx, w.reading.wake)()
	for ctx.Err() == nil {
		port, name, err := w.open(ctx)
		if err != nil {
			w.notOpen(err)
			failures++
			w.pause(ctx, failures)
			continue
		}
		if opened++; opened > 1 {
			w.count(func(h *LinkHealth) { h.Reopens++ })
		}
		w.online(name, lost > 0)
		since := time.Now()
		w.port.set(port, lost)
		gotBytes, err := w.read(ctx, port)
		w.port.set(nil, lost)
		w.busy.Store(time.Now().UnixNano())
		closeErr := port.Close()
		w.busy.Store(0)
		if ctx.Err() != nil {
			return
		}
		lost++
		w.stallEnds(true)
		w.tapRest()
		w.inbox.mark(markLost)
		w.lost(errors.Join(err, closeErr))
		if failures++; gotBytes || time.Since(since) >= goodFor {
			failures = 1
		}
		if !errors.Is(err, errAsked) {
			w.pause(ctx, failures)
		}
	}
}

func (w *Worker) open(ctx context.Context) (Port, string, error) {
	w.reopen.Store(false)
	select { // devices that came while the port was open are no news
	case <-w.kick:
	default:
	}
	w.busy.Store(time.Now().UnixNano())
	defer w.busy.Store(0)
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	return w.opt.Open(ctx)
}

// notOpen notes and logs why the port is not open, once per reason.
func (w *Worker) notOpen(err error) {
	f := w.opt.Classify(err)
	if w.setState(f) {
		w.log.Warn("link."+f.State, "reason", f.Reason)
	}
}

func (w *Worker) online(name string, again bool) {
	w.count(func(h *LinkHealth) { h.Port = name })
	w.setState(Fault{State: StateOnline})
	w.log.Info("link.online", "port", name)
	if again {
		w.opt.OnEvent("link.restored", slog.String("port", name))
	}
}

func (w *Worker) lost(err error) {
	f := w.opt.Classify(err)
	if errors.Is(err, errAsked) {
		f = Fault{State: StateAbsent, Verdict: VerdictNoPort, Reason: "being reopened"}
	}
	w.setState(f)
	w.log.Warn("link.lost", "reason", f.Reason)
	w.opt.OnEvent("link.lost", slog.String("reason", f.Reason))
}

// pause waits before the next try to open: 1 s, 2 s, 4 s … 30 s, half of it at
// random so that many terminals do not try at once. Wake ends it.
func (w *Worker) pause(ctx context.Context, failures int) {
	d := backOff(failures, backOffMin, backOffMax)
	t := time.NewTimer(d/2 + time.Duration(w.opt.Jitter()*float64(d/2)))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-w.kick:
	}
}

// backOff doubles first with every failure after the first one, up to last.
func backOff(failures int, first, last time.Duration) time.Duration {
	d := first
	for ; failures > 1 && d < last; failures-- {
		d *= 2
	}
	return min(d, last)
}

// read puts bytes into the inbox until the port fails, Reopen is called or ctx is
// done. A silence of FrameTimeout after a byte is marked there: what is unfinished
// then is given up. The silence is one that the port reports, not one that a clock shows
// afterwards: a process that was stopped for a while finds its bytes in the kernel,
// without a pause between them. A deadline that passed while it was stopped is
// reported although they are there, so the port is asked once more.
func (w *Worker) read(ctx context.Context, port Port) (gotBytes bool, err error) {
	buf := make([]byte, readSize)
	var silentAt time.Time // when the silence is long enough; zero: it was marked
	sure := false          // the port was asked once more
	empty := 0
	var line lineMeter
	w.setTuned(nil)
	tune := tuning{errors: w.lineFaults()}
	for ctx.Err() == nil {
		w.meter(&line, port, false)
		if tune.due(w) {
			if err := tune.round(ctx, w, port); err != nil {
				return gotBytes, err
			}
			w.inbox.mark(markSilence) // what came before belongs to nothing that comes now
			silentAt = time.Time{}
		}
		w.stallEnds(false)
		if w.reopen.Load() {
			return gotBytes, errAsked
		}
		n, err := w.readOnce(ctx, port, buf, silentAt)
		if n > 0 {
			gotBytes, empty = true, 0
			w.tapBytes(buf[:n])
			w.put(ctx, buf[:n])
			silentAt, sure = time.Now().Add(w.opt.FrameTimeout), false
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if n > 0 || silentAt.IsZero() || time.Now().Before(silentAt) {
				continue
			}
			if sure {
				w.tapRest()
				w.inbox.mark(markSilence)
				silentAt = time.Time{}
			}
			sure = true
		case err != nil:
			return gotBytes, err
		case n == 0:
			if empty++; empty >= noProgress {
				return gotBytes, errNoProgress
			}
		}
	}
	if !silentAt.IsZero() { // it was not silent for long enough to give up what has begun
		w.readOn(port, silentAt.Add(-w.opt.FrameTimeout))
	}
	return gotBytes, nil
}

// readOnce reads until silentAt, for readPoll at most and readAgain at least. On a line that
// rests it waits for the next beat, or until breakRead.
func (w *Worker) readOnce(ctx context.Context, port Port, buf []byte, silentAt time.Time) (int, error) {
	now := time.Now()
	wait := readPoll
	if !silentAt.IsZero() {
		wait = min(readPoll, max(readAgain, silentAt.Sub(now)))
	} else if !w.stalling() {
		wait = beat.In(now, beat.Every)
	}
	w.busy.Store(now.UnixNano())
	defer w.busy.Store(0)
	if err := w.reading.begin(port, now.Add(wait), func() bool { return ctx.Err() != nil || w.reopen.Load() }); err != nil {
		return 0, err
	}
	defer w.reading.end()
	return port.Read(buf)
}

// reader is the port that a Read waits at, for another goroutine to end the wait.
type reader struct {
	mu   sync.Mutex
	port Port // nil: none
}

// begin sets the deadline of the Read that follows, which has passed where the wait would be
// broken at once.
func (r *reader) begin(port Port, deadline time.Time, broken func() bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.port = port; broken() {
		deadline = time.Now()
	}
	return port.SetReadDeadline(deadline)
}

func (r *reader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.port = nil
}

// wake ends a Read that waits.
func (r *reader) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.port != nil {
		_ = r.port.SetReadDeadline(time.Unix(1, 0)) // a port that is closed reads no more
	}
}
