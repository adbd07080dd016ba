package ingest

import (
	"context"
	"log/slog"
	"math/bits"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// Guesser finds out which wire fits bytes, by decoding them for all wires at once.
// *probe.Guess is one.
type Guesser interface {
	Take(b []byte, now time.Time)
	Fit() Fit
}

// Bounds of what is looked back on.
const (
	slotFor     = 10 * time.Second
	slots       = 30   // five minutes
	sampleSize  = 4096 // bytes, of what came last
	lastOf      = 16   // messages that are looked back on
	lastAtLeast = 4    // messages, before most of them can be refused
)

// slot is what came within slotFor.
type slot struct {
	at                                      time.Time // its begin, by the monotonic clock
	bytes, noise, frames, messages, refused uint64
}

// evidence is what a worker knows about how well its link is understood. It belongs to the
// goroutine of Run; what others see of it is LinkHealth.Recent.
type evidence struct {
	slots    []slot // the oldest first
	ever     bool
	read     int64     // bytes up to the end of the last good frame
	since    time.Time // when the first byte behind it came, by the worker's clock
	until    time.Time // when the newest byte came
	messages int       // the last ones, up to lastOf
	refused  uint16    // of them, a bit each, the newest the lowest
	// sample is the last bytes that came, in clear and in memory only: what is not
	// understood is decoded for all wires. It is blank while the link is understood.
	sample  []byte
	chunks  []Chunk   // where they came
	guesser Guesser   // nil: nothing needs to be guessed
	shaped  time.Time // when the shape was made
}

// Chunk is one read of a port.
type Chunk struct {
	At    time.Time `json:"at"`
	Bytes int       `json:"bytes"`
}

// now returns the slot of a moment.
func (e *evidence) now(at time.Time) *slot {
	if n := len(e.slots); n == 0 || at.Sub(e.slots[n-1].at) >= slotFor {
		e.slots = append(e.slots, slot{at: at})
	}
	for at.Sub(e.slots[0].at) >= slots*slotFor {
		e.slots = e.slots[:copy(e.slots, e.slots[1:])]
	}
	return &e.slots[len(e.slots)-1]
}

// took notes bytes before they are decoded; received counts all bytes up to them.
func (e *evidence) took(b []byte, received int64, now Clock, at time.Time) {
	e.now(at).bytes += uint64(len(b))
	e.until = now.Now
	if e.read == received-int64(len(b)) {
		e.since = now.Now
	}
	e.sample = append(e.sample, b...)
	e.chunks = append(e.chunks, Chunk{now.Now, len(b)})
	for len(e.sample) > sampleSize {
		drop := min(e.chunks[0].Bytes, len(e.sample)-sampleSize)
		e.sample = e.sample[:copy(e.sample, e.sample[drop:])]
		if e.chunks[0].Bytes -= drop; e.chunks[0].Bytes == 0 {
			e.chunks = e.chunks[:copy(e.chunks, e.chunks[1:])]
		}
	}
	if e.guesser != nil {
		e.guesser.Take(b, now.Now)
	}
}

// frame notes a good frame and what became of it; received counts all bytes so far.
func (e *evidence) frame(f frame.Frame, received int64, life bool, err error, at time.Time) {
	s := e.now(at)
	s.frames++
	s.noise += e.noise(e.read, f.Offset, received)
	e.read, e.since = f.Offset+int64(len(f.Raw)), e.until
	switch {
	case life:
		e.ever = true
		return
	case err != nil:
		s.refused++
	default:
		e.ever = true
		s.messages++
	}
	e.refused <<= 1
	if err != nil {
		e.refused |= 1
	}
	e.messages = min(e.messages+1, lastOf)
}

// mostly reports whether most of the last messages were refused.
func (e *evidence) mostly() bool {
	return e.messages >= lastAtLeast && 2*bits.OnesCount16(e.refused) > e.messages
}

// noise counts the bytes from one place to another that are no single control characters;
// those that have left the sample all count.
func (e *evidence) noise(from, to, received int64) uint64 {
	begin := received - int64(len(e.sample))
	n := uint64(max(0, min(to, begin)-from))
	for at := max(from, begin); at < to; at++ {
		switch e.sample[at-begin] {
		case 0x04, 0x05, 0x06, 0x15: // EOT, ENQ, ACK, NAK
		default:
			n++
		}
	}
	return n
}

// recent returns it as others see it.
func (e *evidence) recent(received int64) Recent {
	r := Recent{Until: e.until, Ever: e.ever, Mostly: e.mostly()}
	for _, s := range e.slots {
		r.Bytes += s.bytes
		r.Noise += s.noise
		r.Frames += s.frames
		r.Messages += s.messages
		r.Refused += s.refused
	}
	if received > e.read {
		r.Unread, r.UnreadSince = e.noise(e.read, received, received), e.since
		r.Noise += r.Unread
	}
	r.Noise = min(r.Noise, r.Bytes)
	return r
}

// reopened forgets what came before the port was opened.
func (e *evidence) reopened(received int64) {
	clear(e.sample)
	*e = evidence{read: received, sample: e.sample[:0], chunks: e.chunks[:0]}
}

// understood blanks the sample and ends the guessing.
func (e *evidence) understood() {
	clear(e.sample)
	e.guesser = nil
}

// signOfLife reports whether a step is that of a handshake or a confirm, not of a message.
func signOfLife(s *Step) bool {
	return (len(s.Immediate) > 0 || s.Confirmed > 0) && len(s.Records)+len(s.Memory)+len(s.LeftOut)+len(s.Reply) == 0 &&
		s.Question == nil && s.Order == nil && s.Ignored == ""
}

// weigh brings Health up to what has come, and guesses where it is not understood.
func (w *Worker) weigh() {
	e := &w.evidence
	r := e.recent(w.received)
	w.count(func(h *LinkHealth) { h.Recent = r })
	verdict := w.judge()
	switch verdict {
	case VerdictGood, VerdictNoisy, VerdictSilent:
		if e.guesser != nil || verdict == VerdictGood && r.Unread == 0 {
			e.understood()
		}
		w.setFit(nil)
		w.mu.Lock()
		w.shape = nil
		w.mu.Unlock()
		return
	}
	w.describe()
	if e.guesser == nil && len(e.sample) > 0 && w.opt.NewGuesser != nil {
		g, err := w.opt.NewGuesser()
		if err != nil { // the profiles that are built in do not come here
			w.log.Error("link.guess", "err", err)
			w.opt.NewGuesser = nil
			return
		}
		g.Take(e.sample, w.clock().Now)
		e.guesser = g
	}
	if e.guesser != nil {
		fit := e.guesser.Fit()
		w.setFit(&fit)
	}
}

// setFit notes what fits; nil: nothing needs to.
func (w *Worker) setFit(f *Fit) {
	w.mu.Lock()
	if f != nil && f.Wire == "" && w.tuned != nil {
		f = w.tuned
	}
	was := w.health.Fit
	w.health.Fit = f
	w.mu.Unlock()
	if f != nil && f.Wire != "" && f.Baud == 0 && (was == nil || was.Wire != f.Wire) {
		w.log.Warn("link.fits", "wire", f.Wire, "configured", w.opt.Wire)
		w.opt.OnChange()
	}
}

// judge finds the verdict again, logs it if it is another, and returns it. Any goroutine
// may call it.
func (w *Worker) judge() string {
	now := w.opt.Clock().Now
	w.mu.Lock()
	h := w.health
	was := h.Verdict
	verdict := VerdictOf(&h, now)
	changed := verdict != was
	if changed {
		w.health.Verdict, w.health.VerdictSince = verdict, now
	}
	if changed && h.State == StateOnline && w.storeReason == "" && stateBy(verdict) != stateBy(was) {
		w.health.Since = now
	}
	w.mu.Unlock()
	if changed {
		attrs := []any{"verdict", verdict, "was", was}
		switch verdict {
		case VerdictNoisy:
			attrs = append(attrs, "percent", h.Recent.Share())
		case VerdictHeld:
			attrs = append(attrs, "by", h.Holders)
		case VerdictNoFrame:
			attrs = append(attrs, "bytes", h.Recent.Unread)
		}
		w.log.Log(context.Background(), levelOf(verdict), "link.verdict", attrs...)
		w.opt.OnChange()
	}
	return verdict
}

func levelOf(verdict string) slog.Level {
	switch verdict {
	case VerdictGood, VerdictSilent, VerdictUndecided, VerdictNotOpened, VerdictDisabled:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// SetHolders notes which other processes have the port open, "pid 812 (minicom)". Safe for
// concurrent use.
func (w *Worker) SetHolders(holders []string) {
	w.mu.Lock()
	if w.health.State == StateOnline {
		w.health.Holders = holders
	}
	w.mu.Unlock()
	w.judge()
}

// noteRecord keeps the newest sale, refund or void for people.
func (w *Worker) noteRecord(r *refund.Record, now Clock) {
	if r.Kind != refund.KindSale && !r.Kind.Judged() || !r.HasAmount {
		return
	}
	last := &LastRecord{Kind: r.Kind, Outcome: r.Outcome, Amount: r.Amount, Currency: r.Currency, At: now.Now}
	w.count(func(h *LinkHealth) { h.LastRecord = last })
}
