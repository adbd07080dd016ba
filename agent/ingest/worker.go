package ingest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/agent/beat"
	"yuanlu/agent/refund"
	"yuanlu/agent/sanitise"
	"yuanlu/protocol/frame"
)

// Port is an open device: bytes with deadlines. One goroutine reads, another may
// write at the same time; Close is called when neither is in a call.
type Port interface {
	// Read returns at least one byte, or an error; os.ErrDeadlineExceeded when the
	// deadline has passed without one (bytes that came just then may be left for the
	// next call).
	Read(p []byte) (int, error)
	// Write writes all of p or returns an error. It ends by itself when the device
	// takes nothing.
	Write(p []byte) (int, error)
	SetReadDeadline(t time.Time) error
	Close() error
}

// Opener opens the port of a link and returns it with the name of the device it found. It
// ends when ctx does.
type Opener func(ctx context.Context) (Port, string, error)

// Applier stores arrivals. *ledger.DB is one.
type Applier interface {
	// Submit stores all of the arrivals or none, after those of earlier calls, and does not
	// wait for it. done is called once, from any goroutine: without an error they are
	// durable, with one answer for each of their sightings, in order; after an error it is
	// unknown whether they are stored, and storing them again does no harm.
	Submit(arrivals []refund.Arrival, done func(applied []refund.Applied, err error))
}

// Recaller returns what a wire remembered, as stored. *ledger.DB is one.
type Recaller interface {
	Memory(ctx context.Context, link, key string) (value []byte, ok bool, err error)
}

// Defaults of Options.
const (
	DefaultFrameTimeout = 500 * time.Millisecond // wires.md, Common
	// DefaultMaxWaiting bounds the arrivals kept in memory while the store cannot take
	// them: a few megabytes, and at 9600 baud five minutes of a line that never rests.
	DefaultMaxWaiting = 2048
	// DefaultBuffer bounds the bytes read ahead of the decoder.
	DefaultBuffer = 64 << 10
	// MaxBatch is the greatest number of arrivals for one Submit. One commit costs the
	// same for all of them; beyond this the wait for it grows and little is gained.
	MaxBatch = 64
)

// Options of a Worker. Link, Wire, Open, Applier, Tokenizer and Clock are required.
type Options struct {
	Link    string // name of the link in the configuration
	Wire    string // name of its wire
	Profile Profile
	Open    Opener
	Applier Applier
	Guard   Guard // answers asks; nil: none is answered
	// Recaller returns what the wire remembered in earlier runs; nil: nothing.
	Recaller  Recaller
	Tokenizer refund.Tokenizer
	MAC       func(raw []byte) string // keyed hash of a frame; nil: none
	// Clock returns the time of reception and what dates are made from. Waits for
	// answers are measured by its Now.
	Clock func() Clock
	// Classify returns what an error of Open or Read means; nil: "absent" and the error's
	// text.
	Classify func(error) Fault
	// NewGuesser makes what finds out which wire fits; nil: that is not found out.
	NewGuesser func() (Guesser, error)
	// Settings are those of the line: first the configured one, then others at which it is
	// listened where the driver shows that the first one is wrong; empty: that is not done.
	Settings []LineSetting
	// OnEvent is called with "link.lost" and "link.restored", OnChange after the state of
	// Health has changed: from several goroutines, and they may not block. nil: not called.
	OnEvent  func(event string, attrs ...slog.Attr)
	OnChange func()
	Log      *slog.Logger // nil: none

	FrameTimeout time.Duration
	MaxWaiting   int
	Buffer       int
	Jitter       func() float64 // in [0,1); nil: random
}

// Worker reads one link for as long as it runs.
type Worker struct {
	opt     Options
	log     *slog.Logger
	wire    Wire
	memory  *overlay
	inbox   *inbox
	port    livePort
	kick    chan struct{} // cap 1: try to open now
	reopen  atomic.Bool   // close the port and open it again
	reading reader
	tap     atomic.Pointer[Tap]
	// busy is the time (Unix ns) since which the link goroutine is in a call of the
	// driver, 0 if it is in none.
	busy     atomic.Int64
	progress atomic.Uint64

	mu     sync.Mutex // guards what follows
	health LinkHealth
	shape  *Shape // of what is not understood; nil: all is
	stalls stalls
	tuned  *Fit // at another setting of the line than the configured one; nil: none is known
	// storeReason is why nothing can be stored, "" while it can.
	storeReason string

	decoder             // only of the goroutine of Run
	evidence   evidence // likewise
	queue               // likewise
	talk       talk     // likewise
	shown      shown
	began      time.Time // of the worker
	turns      []turn    // only of the goroutine of Run
	turnsAsked chan chan struct{}
	frameAsked chan chan bool // inFrame asks, by the reader, while Run stops
}

// ErrOptions: a required option is missing.
var ErrOptions = errors.New("ingest: missing option")

// NewWorker makes a worker; Run starts it. Errors: ErrOptions, and those of NewWire.
func NewWorker(o Options) (*Worker, error) {
	if o.Link == "" || o.Open == nil || o.Applier == nil || o.Tokenizer == nil || o.Clock == nil {
		return nil, ErrOptions
	}
	defaults(&o)
	w := &Worker{opt: o, log: o.Log.With("link", o.Link), kick: make(chan struct{}, 1), inbox: newInbox(o.Buffer)}
	w.memory = newOverlay(o.Recaller, o.Link)
	wire, err := NewWire(o.Wire, o.Profile, w.memory, WithTokenizer(o.Tokenizer))
	if err != nil {
		return nil, err
	}
	w.wire = wire
	w.scanner, w.askDue = wire.Scanner(), true
	w.stored, w.talk, w.began = make(chan stored, 1), newTalk(), o.Clock().Now
	w.turnsAsked, w.frameAsked = make(chan chan struct{}), make(chan chan bool)
	w.health = Untried(o.Link, o.Wire, "", o.Clock().Now)
	w.health.Verdict, w.health.VerdictSince = VerdictNotOpened, w.health.Since
	return w, nil
}

func defaults(o *Options) {
	if o.FrameTimeout <= 0 {
		o.FrameTimeout = DefaultFrameTimeout
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = DefaultMaxWaiting
	}
	if o.Buffer <= 0 {
		o.Buffer = DefaultBuffer
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Classify == nil {
		o.Classify = func(err error) Fault { return Fault{State: StateAbsent, Verdict: VerdictNoPort, Reason: err.Error()} }
	}
	if o.OnEvent == nil {
		o.OnEvent = func(string, ...slog.Attr) {}
	}
	if o.OnChange == nil {
		o.OnChange = func() {}
	}
}

// Timing of Run.
const (
	hung       = 30 * time.Second // in one call of the driver: Progress stays
	applyLimit = 60 * time.Second // for the answer to one Submit
	stopLimit  = 3 * time.Second  // to store what waits when the worker stops
	retryFirst = 200 * time.Millisecond
	retryLast  = time.Second // after a fault of the store nothing is confirmed before the next try
)

// Run reads the link until ctx is done. It waits for its goroutines and tries, for
// stopLimit, to store what was read. It returns nil, or how many arrivals could not
// be stored (ErrUnstored). Call it once.
func (w *Worker) Run(ctx context.Context) error {
	linkDone := make(chan struct{})
	go func() {
		defer close(linkDone)
		w.runLink(ctx)
	}()
	timer := time.NewTimer(beat.Every)
	defer timer.Stop()
	for ctx.Err() == nil {
		w.inbox.setLimit(w.readAhead())
		var ready <-chan struct{}
		if w.mayDecode() {
			ready = w.inbox.ready
		}
		timer.Reset(w.untilNext())
		select {
		case <-ctx.Done():
		case <-ready:
			w.receive()
		case s := <-w.stored:
			w.settle(s)
		case a := <-w.talk.answered:
			w.settleAsk(a)
		case d := <-w.talk.ordered:
			w.settleOrder(d)
		case e := <-w.ended():
			w.holdEnded(e)
		case done := <-w.turnsAsked:
			w.takeTurn(done)
		case <-timer.C:
			w.retryStuck()
		}
		w.due()
		w.noAnswer()
		w.settleTurns()
		w.askNext(ctx)
		w.orderNext(ctx)
		w.sayAgain()
		if w.gathering() == 0 {
			w.dispatch()
		}
		if w.mayDecode() { // else what came is not known yet
			w.weigh()
		}
		w.beat()
	}
	w.decodeOn(linkDone)
	w.endTalk()
	return w.flush()
}

// What is read and not stored is lost when the power goes, on a wire without confirm. While
// the store takes what comes, no more is read than keeps it busy: a batch in flight, aheadMost
// behind it, and one read in the inbox and one in the hands of the reader. While it is away or
// slow the line must be emptied, or the kernel drops what comes.
const (
	aheadMost = 32
	slowAfter = 500 * time.Millisecond // for one batch; less than stallLeast
)

// storeTakes reports whether the store takes what comes.
func (w *Worker) storeTakes() bool {
	return w.stuck == nil && w.retryAt.IsZero() && (w.inFlight == 0 || time.Since(w.sentAt) < slowAfter)
}

// mayWait is how many arrivals may wait for the store, those in flight among them.
func (w *Worker) mayWait() int {
	if w.storeTakes() {
		return min(w.opt.MaxWaiting, MaxBatch+aheadMost)
	}
	return w.opt.MaxWaiting
}

// readAhead is how many bytes may wait for the decoder.
func (w *Worker) readAhead() int {
	if w.storeTakes() {
		return min(w.opt.Buffer, readSize)
	}
	return w.opt.Buffer
}

// untilNext is the time until something happens by itself.
func (w *Worker) untilNext() time.Duration {
	d := beat.In(time.Now(), beat.Every) // at the latest, Progress grows
	if !w.nextDue.IsZero() {
		d = min(d, time.Until(w.nextDue))
	}
	if !w.retryAt.IsZero() && (w.inFlight == 0 || w.stuck != nil) {
		d = min(d, time.Until(w.retryAt))
	}
	if w.inFlight > 0 && w.storeTakes() {
		d = min(d, slowAfter-time.Since(w.sentAt))
	}
	if w.evidence.guesser != nil {
		d = min(d, unreadPause)
	}
	if wait := w.gathering(); wait > 0 && w.inFlight == 0 {
		d = min(d, wait)
	}
	return max(w.untilTalk(d), time.Millisecond)
}

// beat makes Progress grow, unless a call of the driver hangs.
func (w *Worker) beat() {
	if t := w.busy.Load(); t != 0 && time.Since(time.Unix(0, t)) > hung {
		return
	}
	w.progress.Add(1)
}

// Wake makes a worker whose port is absent try to open it now: a device has
// appeared. It does nothing while the port is open.
func (w *Worker) Wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// Tap takes what a link reads, for a capture. It is called by the goroutine that reads
// and may not block.
type Tap interface {
	Bytes(p []byte) // valid until it returns
	Rest()          // the frame timeout has passed without a byte, or the port was closed
}

// SetTap hands t what is read from now on, in place of the Tap before; nil: none takes it.
func (w *Worker) SetTap(t Tap) {
	if t == nil {
		w.tap.Store(nil)
		return
	}
	w.tap.Store(&t)
}

func (w *Worker) tapBytes(p []byte) {
	if t := w.tap.Load(); t != nil {
		(*t).Bytes(p)
	}
}

func (w *Worker) tapRest() {
	if t := w.tap.Load(); t != nil {
		(*t).Rest()
	}
}

// Sanitiser returns what cleans the raw bytes of this link.
func (w *Worker) Sanitiser() *sanitise.Sanitiser { return w.opt.Profile.Sanitiser() }

// Reopen makes the worker close its port and open it again.
func (w *Worker) Reopen() {
	w.reopen.Store(true)
	w.reading.wake()
	w.Wake()
}

// Health returns the state and the counters. Safe for concurrent use.
func (w *Worker) Health() LinkHealth {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.health
	switch {
	case h.State != StateOnline:
	case w.storeReason != "":
		h.State, h.Reason = StateDegraded, w.storeReason
	default:
		h.State = stateBy(h.Verdict)
	}
	w.stalls.fill(&h, time.Now())
	h.Progress = w.progress.Load()
	return h
}

// count changes the counters of Health.
func (w *Worker) count(f func(h *LinkHealth)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.health)
}

// setState changes the state of the port, and reports whether it was another. While the
// port is open, only State of f is used.
func (w *Worker) setState(f Fault) bool {
	now := w.opt.Clock().Now
	w.mu.Lock()
	h := &w.health
	changed := h.State != f.State || h.Reason != f.Reason
	if h.State != f.State {
		h.Since = now
	}
	if f.State != StateOnline {
		h.Fit = nil
	}
	h.State, h.Reason, h.Trouble, h.Holders, h.Fault, h.Untried = f.State, f.Reason, f.Verdict, f.Holders, f, false
	w.mu.Unlock()
	w.judge()
	if changed {
		w.opt.OnChange()
	}
	return changed
}

// setStore notes why nothing can be stored, "" if it can again.
func (w *Worker) setStore(reason string) {
	now := w.opt.Clock().Now
	w.mu.Lock()
	changed := (w.storeReason == "") != (reason == "")
	w.storeReason = reason
	if changed && w.health.State == StateOnline {
		w.health.Since = now
	}
	w.mu.Unlock()
	if changed {
		w.opt.OnChange()
	}
}

// livePort is the port while it is open, for writing to it.
type livePort struct {
	mu         sync.Mutex // guards both, and is held during a Write
	port       Port
	generation int // of the port: how many were lost before it
}

func (p *livePort) set(port Port, generation int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.port, p.generation = port, generation
}

// write writes to the port of that generation; false: it is gone.
func (p *livePort) write(generation int, b []byte) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.port == nil || p.generation != generation {
		return false, nil
	}
	_, err := p.port.Write(b)
	return true, err
}

// statsOf copies the scanner's counts into the health.
func statsOf(h *LinkHealth, s frame.Stats) {
	h.FramesGood, h.FramesBad, h.SkippedBytes = s.Frames, s.BadFrames, s.SkippedBytes
}
