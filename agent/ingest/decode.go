package ingest

import (
	"context"
	"log/slog"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// decoder is the part of a Worker that turns bytes into arrivals. It belongs to the
// goroutine of Run.
type decoder struct {
	scanner    *frame.Scanner
	chunk      [readSize]byte
	received   int64 // bytes
	generation int   // of the port the bytes come from
	// stuck is a frame that could not be looked at because the store does not
	// return what the wire remembers. Nothing is pushed into the scanner until it is.
	stuck   *frame.Frame
	ending  mark        // taken from the inbox, and not yet done with
	nextDue time.Time   // zero: nothing waits for time to pass
	askDue  bool        // something may wait since Due was last asked
	seen    frame.Stats // already counted and logged
}

// clock returns the time for one chunk.
func (w *Worker) clock() Clock { return w.opt.Clock().short() }

// receive takes what is in the inbox, one chunk or mark, and decodes it. It reports
// whether there is more.
func (w *Worker) receive() bool {
	n, m, more := w.inbox.take(w.chunk[:])
	if more {
		signal(w.inbox.ready)
	}
	now := w.clock()
	if n > 0 {
		w.received += int64(n)
		w.evidence.took(w.chunk[:n], w.received, now, time.Now())
		w.scanner.Push(w.chunk[:n])
		w.frames(now)
	}
	if m != markNone {
		w.ending = m
		w.end(now)
	}
	w.logDamage()
	return more
}

// end acts on a mark of silence or loss: it drops the unfinished frame and decodes the
// bytes behind it. While a frame is stuck on the way, the mark stays.
func (w *Worker) end(now Clock) {
	if w.ending == markNone {
		return
	}
	for w.stuck == nil && w.scanner.Pending() {
		w.scanner.GiveUp()
		w.frames(now)
	}
	if w.stuck != nil {
		return
	}
	if w.ending == markLost {
		w.generation++
		w.evidence.reopened(w.received)
	}
	w.ending = markNone
}

// frames looks at every whole frame the scanner has.
func (w *Worker) frames(now Clock) {
	for w.stuck == nil {
		f, ok := w.scanner.Next()
		if !ok {
			return
		}
		w.frame(f, now)
	}
}

// frame decodes one frame; if the store does not answer the wire, it is stuck.
func (w *Worker) frame(f frame.Frame, now Clock) {
	w.memory.err = nil
	step, err := w.wire.Frame(f, now)
	if w.memory.err != nil {
		w.stuck = &f
		w.storeFails(w.memory.err)
		return
	}
	w.askDue = true
	w.count(func(h *LinkHealth) {
		h.LastFrame = now.Now
		if err != nil {
			h.Refused++
		}
	})
	w.evidence.frame(f, w.received, err == nil && signOfLife(&step), err, time.Now())
	if err != nil {
		w.log.Warn("message.refused", "offset", f.Offset, "error", err)
	}
	w.step(step, now, f.Raw, f.Offset)
}

// retryStuck looks again at a frame that is stuck, and at what is behind it.
func (w *Worker) retryStuck() {
	if w.stuck == nil || time.Now().Before(w.retryAt) {
		return
	}
	f := *w.stuck
	w.stuck = nil
	now := w.clock()
	w.frame(f, now)
	w.frames(now)
	w.end(now)
	w.logDamage()
}

// due asks the wire what has become known by time passing.
func (w *Worker) due() {
	if w.stuck != nil || w.nextDue.IsZero() && !w.askDue || time.Now().Before(w.nextDue) {
		return
	}
	now := w.clock()
	w.memory.err = nil
	step, next := w.wire.Due(now)
	if w.memory.err != nil {
		w.storeFails(w.memory.err)
		w.nextDue = w.retryAt
		return
	}
	w.step(step, now, nil, w.received)
	w.nextDue, w.askDue = time.Time{}, false
	if !next.IsZero() {
		w.nextDue = time.Now().Add(next.Sub(now.Now))
	}
}

// step acts on what a frame, or time passing, has brought.
func (w *Worker) step(s Step, now Clock, raw []byte, offset int64) {
	for _, what := range s.LeftOut {
		w.count(func(h *LinkHealth) { h.Ignored++ })
		level := slog.LevelWarn
		if what.usual() {
			level = slog.LevelDebug
		}
		w.log.Log(context.Background(), level, "message.ignored", "what", string(what), "offset", offset)
	}
	if s.Ignored != "" {
		w.count(func(h *LinkHealth) { h.Ignored++ })
		w.log.Warn("message.ignored", "what", s.Ignored, "offset", offset)
	}
	if len(s.Immediate) > 0 {
		w.write(w.generation, s.Immediate)
	}
	w.arrive(s, now, raw)
	w.show(s.Shown)
	w.guardStep(&s)
}

// arrive seals what a wire made and queues it with the confirm that waits for it.
func (w *Worker) arrive(s Step, now Clock, raw []byte) {
	if len(s.Records) == 0 && len(s.Memory) == 0 {
		w.queueReply(s.Reply)
		return
	}
	a := refund.Arrival{Link: w.opt.Link, Memory: append([]refund.MemoryChange(nil), s.Memory...)}
	if len(s.Records) > 0 {
		a.Sightings = make([]refund.Sighting, len(s.Records))
	}
	for i, d := range s.Records {
		from := d.Raw
		if from == nil {
			from = raw
		}
		a.Sightings[i] = refund.Sighting{
			Record: refund.Seal(d.Record, w.opt.Tokenizer), Received: now.Now, ClockSynced: now.Synced, AtFromClock: d.AtFromClock,
			YearFromClock: d.YearFromClock, Boot: now.Boot,
		}
		if w.opt.MAC != nil && len(from) > 0 {
			a.Sightings[i].FrameMAC = w.opt.MAC(from)
		}
		w.noteRecord(&a.Sightings[i].Record, now)
	}
	w.count(func(h *LinkHealth) { h.Records += uint64(len(s.Records)) })
	w.enqueue(a, s.Reply)
}

// logDamage counts and logs what the scanner has skipped since it did so last.
func (w *Worker) logDamage() {
	s := w.scanner.Stats()
	if s == w.seen {
		return
	}
	w.count(func(h *LinkHealth) { statsOf(h, s) })
	if bad, skipped := s.BadFrames-w.seen.BadFrames, s.SkippedBytes-w.seen.SkippedBytes; bad+skipped > 0 {
		w.log.Warn("frame.bad", "frames", bad, "skipped", skipped, "offset", w.received)
	}
	w.seen = s
}

// write writes to the port the frame came from, if it is still open: another port, or
// the same one opened again, gets no answer to what it did not send.
func (w *Worker) write(generation int, b []byte) {
	if _, err := w.port.write(generation, b); err != nil {
		w.log.Warn("link.write", "reason", w.opt.Classify(err).Reason)
	}
}
