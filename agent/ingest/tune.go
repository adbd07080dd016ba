package ingest

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
)

// LineSetting is a speed and parity of a serial line with eight data bits.
type LineSetting struct {
	Baud   int
	Parity string // none, even, odd
}

// Framing returns the usual short form, "8N1" or "8E1".
func (s LineSetting) Framing() string { return "8" + strings.ToUpper(s.Parity[:1]) + "1" }

// tunable is a Port whose line can be set while it is open.
type tunable interface {
	// Tune sets speed and parity; what has arrived before is dropped.
	Tune(s LineSetting) error
}

// Bounds of listening at other settings.
const (
	tuneErrors = 4                      // framing and parity errors that the driver has counted
	tuneTurn   = 4 * time.Second        // at each setting; a smart terminal shakes hands every two
	tuneQuiet  = 500 * time.Millisecond // after bytes: the terminal has ended
	tunePoll   = 100 * time.Millisecond
	tuneAgain  = time.Minute // after a round that found nothing, doubled each time
	tuneRarest = 15 * time.Minute
)

// tuning is the state of listening at other settings, since the port was opened.
type tuning struct {
	errors uint64 // that the driver had counted when the port was opened
	next   time.Time
	wait   time.Duration
	found  bool
}

// lineFaults is what the driver has counted of stop and parity bits that were none.
func (w *Worker) lineFaults() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.health.Line == nil {
		return 0
	}
	return w.health.Line.Frame + w.health.Line.Parity
}

// due reports whether the line is set wrongly by all that is known: nothing was ever
// understood, no wire fits what comes, and the driver counts stop or parity bits that are
// none. A line whose bits are right keeps its setting: a wire or profile is wrong there. So
// does one whose driver counts nothing, a pseudo terminal for one.
func (u *tuning) due(w *Worker) bool {
	if u.found || time.Now().Before(u.next) || w.lineFaults() < u.errors+tuneErrors {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h, f := &w.health, w.health.Fit
	return h.Verdict == VerdictNoFrame && !h.Recent.Ever && h.Recent.Frames == 0 && (f == nil || f.Wire == "" && len(f.Sees) == 0 && f.SevenBit == "")
}

// round listens at each other setting for a turn, until a wire understands a message, and sets
// the line back. What comes meanwhile is decoded to find that out and for nothing else: it
// could not be read at the setting of the configuration.
func (u *tuning) round(ctx context.Context, w *Worker, port Port) error {
	line, ok := port.(tunable)
	if !ok || w.opt.NewGuesser == nil || len(w.opt.Settings) < 2 {
		u.found = true // nothing can be
		return nil
	}
	w.log.Info("link.tuning", "settings", len(w.opt.Settings)-1)
	var err error
	for _, s := range w.opt.Settings[1:] {
		var fit Fit
		if err = line.Tune(s); err != nil {
			continue // this line does not have it
		}
		if fit, err = u.turn(ctx, w, port); err != nil || ctx.Err() != nil || w.reopen.Load() {
			break
		}
		if fit.Wire != "" {
			u.found = true
			fit.Baud, fit.Framing = s.Baud, s.Framing()
			w.setTuned(&fit)
			break
		}
	}
	u.wait = min(max(2*u.wait, tuneAgain), tuneRarest)
	u.next = time.Now().Add(u.wait)
	return errors.Join(line.Tune(w.opt.Settings[0]), err)
}

// turn listens at one setting.
func (u *tuning) turn(ctx context.Context, w *Worker, port Port) (Fit, error) {
	g, err := w.opt.NewGuesser()
	if err != nil {
		return Fit{}, err
	}
	buf := make([]byte, readSize)
	end, quiet := time.Now().Add(tuneTurn), time.Time{}
	for now := time.Now(); now.Before(end) && (quiet.IsZero() || now.Before(quiet)) && ctx.Err() == nil && !w.reopen.Load(); now = time.Now() {
		if err := port.SetReadDeadline(now.Add(tunePoll)); err != nil {
			return Fit{}, err
		}
		w.busy.Store(now.UnixNano())
		n, err := port.Read(buf)
		w.busy.Store(0)
		if n > 0 {
			quiet = time.Now().Add(tuneQuiet)
			if g.Take(buf[:n], w.clock().Now); g.Fit().Wire != "" {
				return g.Fit(), nil
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return Fit{}, err
		}
	}
	return Fit{}, nil
}

// setTuned notes at which other setting a wire fits; nil: none is known.
func (w *Worker) setTuned(f *Fit) {
	w.mu.Lock()
	w.tuned = f
	w.mu.Unlock()
	if f != nil {
		w.log.Warn("link.fits", "wire", f.Wire, "configured", w.opt.Wire, "baud", f.Baud, "framing", f.Framing)
		w.opt.OnChange()
	}
}
