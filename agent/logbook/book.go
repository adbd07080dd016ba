package logbook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options are where a Book writes. The zero value writes nothing but keeps the
// ring.
type Options struct {
	Level    slog.Level
	Stream   io.Writer // standard error; nil: none
	Journald bool      // Stream is read by journald
	JSON     bool      // lines as JSON objects, on the stream and in the file
	File     string    // path; "": none. Cases are also kept in CaseFile(File)
	MaxBytes int64     // per file; 0: 2 MiB
	Keep     int       // older files
	Ring     int       // lines remembered; 0: 500
	Zone     *time.Location
	Now      func() time.Time
}

// Book is the log. It is safe for concurrent use, and nothing about it waits.
type Book struct {
	level slog.LevelVar
	zone  *time.Location
	now   func() time.Time
	json  bool
	jd    bool

	mu      sync.Mutex  // guards all below
	usual   slog.Level  // the level without SetLevelFor
	revert  *time.Timer // nil: the level is the usual one
	turns   int         // counts changes of the level, so that an old timer changes nothing
	repeats *repeats
	rates   rates
	// passingRates bounds passing lines.
	passingRates rates
	leftOut      *time.Timer // nil: nothing was left out
	cases        []Line      // the last ones, the oldest first
	passed       []Line      // the last passing ones, the oldest first
	ring         []Line      // the oldest at next once it is full
	next         int
	cap          int
	stream       *sink // nil: none
	file         *sink // nil: none
	casing       *sink // of cases; nil: none
	subs         map[*Subscription]bool
	closed       bool

	disk, caseDisk *file // nil: none
}

// Open makes a Book and starts its ways out; Close ends them.
func Open(o Options) *Book {
	b := &Book{zone: o.Zone, now: o.Now, json: o.JSON, jd: o.Journald, repeats: newRepeats(), rates: rates{by: map[rateKey]*rate{}}, passingRates: rates{by: map[rateKey]*rate{}},
		cap: o.Ring, subs: map[*Subscription]bool{}}
	b.level.Set(o.Level)
	b.usual = o.Level
	if b.zone == nil {
		b.zone = time.Local
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.cap <= 0 {
		b.cap = 500
	}
	if o.Stream != nil {
		b.stream = startSink(o.Stream)
	}
	if o.File != "" {
		if o.MaxBytes <= 0 {
			o.MaxBytes = 2 << 20
		}
		b.disk = &file{path: o.File, max: o.MaxBytes, keep: o.Keep, now: b.now}
		b.file = startSink(b.disk)
		b.caseDisk = &file{path: CaseFile(o.File), max: o.MaxBytes, keep: o.Keep, now: b.now}
		b.casing = startSink(b.caseDisk)
	}
	return b
}

// Logger returns the logger that writes here.
func (b *Book) Logger() *slog.Logger { return slog.New(&handler{book: b}) }

// Close writes what still waits and ends the goroutines. A way out that takes
// nothing any more is given up when ctx ends, and the error names it.
func (b *Book) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	for _, l := range b.rates.rest(b.now().In(b.zone), true) {
		b.write(l)
	}
	b.closed = true
	if b.leftOut != nil {
		b.leftOut.Stop()
	}
	b.settle(b.usual)
	for s := range b.subs {
		close(s.lines)
		delete(b.subs, s)
	}
	for _, s := range []*sink{b.stream, b.file, b.casing} {
		if s != nil {
			close(s.lines)
		}
	}
	b.mu.Unlock()
	var errs []error
	for name, s := range map[string]*sink{"stream": b.stream, "file": b.file, "file of cases": b.casing} {
		if s == nil {
			continue
		}
		select {
		case <-s.done:
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("log %s takes nothing any more: %w", name, ctx.Err()))
			continue
		}
		switch s {
		case b.file:
			errs = append(errs, b.disk.Close())
		case b.casing:
			errs = append(errs, b.caseDisk.Close())
		}
	}
	return errors.Join(errs...)
}

// log hands a line to every way out.
func (b *Book) log(l Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.Time = b.now().In(b.zone)
	if b.closed || !b.repeats.due(&l) {
		return
	}
	if !b.rates.allow(&l) {
		b.awaitLeftOut()
		return
	}
	b.write(l)
}

// write is called with mu locked.
func (b *Book) write(l Line) {
	b.remember(l)
	if b.stream != nil {
		b.put(b.stream, l, b.jd)
	}
	if b.file != nil {
		b.put(b.file, l, false)
	}
	if IsCase(l) {
		b.rememberCase(l)
		if b.casing != nil {
			b.put(b.casing, l, false)
		}
	}
	for s := range b.subs {
		s.offer(l)
	}
}

// put writes a line to one way out, and before it how many it could not take.
func (b *Book) put(s *sink, l Line, journal bool) {
	if n := s.dropped.Swap(0); n > 0 {
		gap := Line{Time: l.Time, Level: slog.LevelWarn, Code: "log.dropped", Fields: "lines=" + strconv.FormatInt(n, 10)}
		before := s.dropped.Load()
		s.put([]byte(b.format(gap, journal)))
		if s.dropped.Load() > before { // the queue is still full
			s.dropped.Add(n - 1)
		}
	}
	s.put([]byte(b.format(l, journal)))
}

func (b *Book) format(l Line, journal bool) string {
	switch {
	case journal && b.json:
		// journald takes the prefix off and keeps the object.
		return l.journal()[:3] + l.jsonText() + "\n"
	case journal:
		return l.journal() + "\n"
	case b.json:
		return l.jsonText() + "\n"
	}
	return l.String() + "\n"
}

func (b *Book) remember(l Line) {
	if len(b.ring) < b.cap {
		b.ring = append(b.ring, l)
		return
	}
	b.ring[b.next] = l
	b.next = (b.next + 1) % b.cap
}

// Last returns up to n of the last lines that want accepts, oldest first. A nil
// want accepts all.
func (b *Book) Last(n int, want func(Line) bool) []Line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last(n, want)
}

func (b *Book) last(n int, want func(Line) bool) []Line {
	var out, passed []Line
	for i := len(b.ring) - 1; i >= 0 && len(out) < n; i-- {
		if l := b.ring[(b.next+i)%len(b.ring)]; want == nil || want(l) {
			out = append(out, l)
		}
	}
	slices.Reverse(out)
	for _, l := range b.passed {
		if want == nil || want(l) {
			passed = append(passed, l)
		}
	}
	if len(passed) == 0 {
		return out
	}
	out = merge(out, passed)
	return out[max(0, len(out)-max(n, 0)):]
}

// Subscription is a stream of lines as they are logged. A reader that is too slow
// misses lines; Missed returns how many.
type Subscription struct {
	book   *Book
	want   func(Line) bool
	lines  chan Line // closed by Cancel or Book.Close
	missed int64     // guarded by Book.mu
}

// Subscribe begins a stream of the lines that want accepts, after up to n of the
// last ones; no line is lost between the two. The caller must call Cancel.
func (b *Book) Subscribe(n int, want func(Line) bool) ([]Line, *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Subscription{book: b, want: want, lines: make(chan Line, 64)}
	if b.closed {
		close(s.lines)
	} else {
		b.subs[s] = true
	}
	return b.last(n, want), s
}

// Lines returns the stream; it is closed by Cancel and when the Book closes.
func (s *Subscription) Lines() <-chan Line { return s.lines }

// Missed returns how many lines the reader was too slow for.
func (s *Subscription) Missed() int64 {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	return s.missed
}

// Cancel ends the stream. It may be called more than once.
func (s *Subscription) Cancel() {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.book.subs[s] {
		delete(s.book.subs, s)
		close(s.lines)
	}
}

// offer is called with the Book's mutex locked.
func (s *Subscription) offer(l Line) {
	if s.want != nil && !s.want(l) {
		return
	}
	select {
	case s.lines <- l:
	default:
		s.missed++
	}
}
