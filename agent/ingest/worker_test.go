package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/wiretest"
)

// memPort is a Port in memory. Everything in it can be used inside a synctest bubble.
type memPort struct {
	in     chan []byte
	gone   chan error // one error ends it
	closed bool
	hang   bool
	missed bool // the next Read reports its deadline though bytes are there

	mu       sync.Mutex    // guards the rest
	moved    chan struct{} // closed when another deadline is set
	rest     []byte
	deadline time.Time
	written  []byte
	writeErr error
}

func newMemPort() *memPort { return &memPort{in: make(chan []byte, 4096), gone: make(chan error, 1)} }

func (p *memPort) Read(b []byte) (int, error) {
	p.mu.Lock()
	rest, deadline, hang, missed, moved := p.rest, p.deadline, p.hang, p.missed, p.moved
	p.missed = false
	p.mu.Unlock()
	if missed {
		<-time.After(time.Until(deadline) + time.Second)
		return 0, os.ErrDeadlineExceeded
	}
	if hang {
		<-time.After(time.Hour)
	}
	if len(rest) == 0 {
		// What has arrived comes before the deadline, as in a kernel.
		select {
		case rest = <-p.in:
		default:
			t := time.NewTimer(time.Until(deadline))
			defer t.Stop()
			select {
			case rest = <-p.in:
			case err := <-p.gone:
				return 0, err
			case <-moved:
				return 0, os.ErrDeadlineExceeded
			case <-t.C:
				return 0, fmt.Errorf("read: %w", os.ErrDeadlineExceeded)
			}
		}
	}
	n := copy(b, rest)
	p.mu.Lock()
	p.rest = rest[n:]
	p.mu.Unlock()
	return n, nil
}

func (p *memPort) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, errors.New("write after close")
	}
	p.written = append(p.written, b...)
	return len(b), p.writeErr
}

func (p *memPort) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	if p.moved != nil {
		close(p.moved)
	}
	p.moved = make(chan struct{})
	return nil
}

func (p *memPort) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

func (p *memPort) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.written)
}

// memStore is an Applier and a Recaller in memory.
type memStore struct {
	mu      sync.Mutex
	batches [][]refund.Arrival
	fail    error         // of Submit
	forget  error         // of Memory
	slow    time.Duration // of one Submit
	memory  map[string][]byte
}

func (s *memStore) Submit(a []refund.Arrival, done func([]refund.Applied, error)) {
	go func() { done(s.apply(a)) }()
}

func (s *memStore) apply(a []refund.Arrival) ([]refund.Applied, error) {
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	<-time.After(slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	s.batches = append(s.batches, a)
	for _, x := range a {
		for _, c := range x.Memory {
			if s.memory == nil {
				s.memory = map[string][]byte{}
			}
			if s.memory[c.Key] = c.Value; c.Value == nil {
				delete(s.memory, c.Key)
			}
		}
	}
	return make([]refund.Applied, len(a)), nil
}

func (s *memStore) Memory(_ context.Context, link, key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if link != "pos" {
		return nil, false, fmt.Errorf("link %q", link)
	}
	v, ok := s.memory[key]
	return v, ok, s.forget
}

func (s *memStore) set(f func(*memStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *memStore) stans() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, b := range s.batches {
		for _, a := range b {
			for _, x := range a.Sightings {
				out = append(out, x.Record.Stan)
			}
		}
	}
	return strings.Join(out, " ")
}

type keyless struct{}

func (keyless) Tokens(label, clear string) []string {
	return []string{fmt.Sprintf("k1:%d-%d", len(label), len(clear))}
}

// bench is a worker under test with everything around it.
type bench struct {
	t      *testing.T
	w      *Worker
	store  *memStore
	ports  chan *memPort // what Open returns, in order
	opens  []time.Time
	events []string
	log    bytes.Buffer
	denied error // of Open, while there is no port
	cancel context.CancelFunc
	done   chan error
}

// start runs a worker in the bubble. change may replace options.
func start(t *testing.T, change func(*bench, *Options)) *bench {
	t.Helper()
	b := &bench{t: t, store: &memStore{}, ports: make(chan *memPort, 10), denied: errors.New("no such device"), done: make(chan error, 1)}
	p, err := DefaultProfile("mispos")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Link: "pos", Wire: "mispos", Profile: p, Applier: b.store, Recaller: b.store, Tokenizer: keyless{},
		MAC:   func(raw []byte) string { return fmt.Sprintf("k1:%d", len(raw)) },
		Clock: func() Clock { return Clock{Now: time.Now(), Synced: true, HasNow: true} },
		Open: func(context.Context) (Port, string, error) {
			b.opens = append(b.opens, time.Now())
			select {
			case p := <-b.ports:
				return p, "/dev/ttyTEST", nil
			default:
				return nil, "", b.denied
			}
		},
		OnEvent: func(event string, _ ...slog.Attr) { b.events = append(b.events, event) },
		Log:     slog.New(slog.NewTextHandler(&b.log, nil)),
		Jitter:  func() float64 { return 0.5 },
	}
	if change != nil {
		change(b, &o)
	}
	if b.w, err = NewWorker(o); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(b.t.Context())
	b.cancel = cancel
	go func() { b.done <- b.w.Run(ctx) }()
}

func (b *bench) stop() error {
	b.cancel()
	return <-b.done
}

// pass lets time go by in the bubble, and everything that happens in it happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// sale frames one sale with a STAN.
func sale(stan int) []byte {
	var d []byte
	add := func(tag string, value string) {
		d = append(d, tag...)
		d = append(d, 0, byte(len(value)))
		d = append(d, value...)
	}
	add("\x9f\x01", "\x02")
	add("\x9f\x02", "000000001000")
	add("\x9f\x05", "10000001")
	add("\x9f\x0b", "6200000000000005")
	add("\x9f\x0e", fmt.Sprintf("%06d", stan))
	add("\x9f\x11", "20260822")
	add("\x9f\x12", "101530")
	add("\x9f\x14", "00")
	f, err := wiretest.AppendSTX(nil, d)
	if err != nil {
		return nil
	}
	return f
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestWorkerStoresWhatItReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		port := newMemPort()
		b.ports <- port
		b.run()
		f := sale(1)
		port.in <- f[:10]
		pass(100 * time.Millisecond)
		port.in <- append(append([]byte("noise"), f[:7]...), f...) // the frame begun is damaged
		port.in <- append(sale(2), sale(3)...)
		pass(time.Second)
		want(t, "stored", b.store.stans(), "000001 000002 000003")
		got := b.store.batches[0][0]
		want(t, "link", got.Link, "pos")
		s := got.Sightings[0]
		want(t, "MAC", s.FrameMAC, fmt.Sprintf("k1:%d", len(f)))
		want(t, "synced", s.ClockSynced, true)
		want(t, "at", s.Record.At, "2026-08-22T10:15:30+08:00")
		want(t, "shown", s.Record.Party.Shown, "620000******0005")
		if !s.Record.Party.ID.Empty() || len(s.Record.Party.Tokens) != 1 {
			t.Error("the record is not sealed")
		}
		h := b.w.Health()
		want(t, "state", h.State, StateOnline)
		want(t, "port", h.Port, "/dev/ttyTEST")
		want(t, "good", h.FramesGood, 3)
		want(t, "records", h.Records, 3)
		want(t, "skipped", h.SkippedBytes, 10+5+7)
		want(t, "waiting", h.Waiting, 0)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		want(t, "port closed", port.closed, true)
		if strings.Contains(b.log.String(), "6200000000000005") {
			t.Error("a card number is in the log")
		}
	})
}

func TestWorkerWaitsForAPortWithBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(b *bench, o *Options) {
			o.Classify = func(err error) Fault {
				return Fault{State: StateDenied, Verdict: VerdictNoPermission, Reason: "not in group dialout"}
			}
		})
		b.run()
		pass(10 * time.Minute)
		h := b.w.Health()
		want(t, "state", h.State, StateDenied)
		want(t, "reason", h.Reason, "not in group dialout")
		var gaps []string
		for i := 1; i < len(b.opens); i++ {
			gaps = append(gaps, b.opens[i].Sub(b.opens[i-1]).String())
		}
		// Jitter is 0.5: three quarters of 1 s, 2 s, 4 s … 30 s.
		if got := strings.Join(gaps[:8], " "); got != "750ms 1.5s 3s 6s 12s 22.5s 22.5s 22.5s" {
			t.Errorf("tried after %s", got)
		}
		want(t, "times said", strings.Count(b.log.String(), "link.denied"), 1)
		b.ports <- newMemPort()
		b.w.Wake()
		pass(time.Millisecond)
		want(t, "state", b.w.Health().State, StateOnline)
		if len(b.events) > 0 {
			t.Errorf("events %v of a port that was never lost", b.events)
		}
		_ = b.stop()
	})
}

func TestWorkerScansAnewAfterTheLinkWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		one, two := newMemPort(), newMemPort()
		b.ports <- one
		b.ports <- two
		b.run()
		f := sale(1)
		one.in <- append(bytes.Clone(f), f[:50]...)
		pass(100 * time.Millisecond)
		one.gone <- io.EOF
		pass(100 * time.Millisecond)
		h := b.w.Health()
		want(t, "state", h.State, StateAbsent)
		want(t, "reason", h.Reason, "EOF")
		two.in <- append(bytes.Clone(f[50:]), sale(2)...)
		pass(2 * time.Second)
		want(t, "stored", b.store.stans(), "000001 000002")
		h = b.w.Health()
		want(t, "state", h.State, StateOnline)
		want(t, "reopens", h.Reopens, 1)
		want(t, "skipped", int(h.SkippedBytes), len(f))
		want(t, "events", strings.Join(b.events, " "), "link.lost link.restored")
		want(t, "closed", one.closed, true)
		_ = b.stop()
	})
}

func TestWorkerGivesUpAfterSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		port := newMemPort()
		b.ports <- port
		b.run()
		pass(3 * time.Second)
		port.in <- append([]byte("\x02\x90\x00"), sale(1)...) // a false start swallows the frame
		pass(450 * time.Millisecond)
		want(t, "stored before the silence", b.store.stans(), "")
		pass(60*time.Millisecond + gatherFor)
		want(t, "stored after it", b.store.stans(), "000001")

		f := sale(2)
		for _, c := range f { // slow, but never silent for long enough
			port.in <- []byte{c}
			pass(400 * time.Millisecond)
		}
		want(t, "stored from a slow line", b.store.stans(), "000001 000002")

		port.in <- f[:20]
		pass(600 * time.Millisecond)
		port.in <- f[20:]
		pass(600 * time.Millisecond)
		want(t, "stored across a silence", b.store.stans(), "000001 000002")
		_ = b.stop()
	})
}

// A process that is stopped in mid-frame, so that its deadline passes although the
// bytes are there, returns nothing up.
func TestWorkerStoppedForAWhileLosesNoFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		port := newMemPort()
		f := sale(1)
		port.rest = f[:20]
		b.ports <- port
		b.run()
		pass(600 * time.Millisecond) // reading begins with what is there
		want(t, "skipped by a true silence", b.w.Health().SkippedBytes, 20)
		port.in <- f[:20]
		pass(time.Millisecond)
		port.mu.Lock()
		port.missed = true
		port.mu.Unlock()
		port.in <- f[20:40] // the Read under way takes it; the next one is stopped
		pass(time.Millisecond)
		port.in <- f[40:]
		pass(3 * time.Second)
		want(t, "stored", b.store.stans(), "000001")
		want(t, "skipped", b.w.Health().SkippedBytes, 20)
		_ = b.stop()
	})
}

func TestWorkerReopensWhenTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.ports <- newMemPort()
		b.ports <- newMemPort()
		b.run()
		pass(time.Second)
		b.w.Reopen()
		pass(time.Second)
		want(t, "reopens", b.w.Health().Reopens, 1)
		want(t, "state", b.w.Health().State, StateOnline)
		_ = b.stop()
	})
}

func TestWorkerShowsProgressUnlessTheDriverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		port := newMemPort()
		b.ports <- port
		b.run()
		before := b.w.Health().Progress
		pass(time.Minute)
		if got := b.w.Health().Progress - before; got < 14 {
			t.Errorf("an idle link progressed %d times in a minute, want one each beat", got)
		}
		port.mu.Lock()
		port.hang = true
		port.mu.Unlock()
		pass(time.Minute)
		before = b.w.Health().Progress
		pass(time.Minute)
		want(t, "progress while a Read hangs", b.w.Health().Progress, before)
		b.cancel()
		pass(2 * time.Hour)
		<-b.done
	})
}

func TestNewWorkerNeedsItsOptions(t *testing.T) {
	if _, err := NewWorker(Options{Link: "pos"}); !errors.Is(err, ErrOptions) {
		t.Errorf("got %v", err)
	}
	ok := Options{
		Link: "pos", Wire: "morse", Open: func(context.Context) (Port, string, error) { return nil, "", io.EOF },
		Applier: &memStore{}, Tokenizer: keyless{}, Clock: func() Clock { return Clock{} },
	}
	if _, err := NewWorker(ok); !errors.Is(err, ErrWire) {
		t.Errorf("got %v", err)
	}
	ok.Wire = "mispos"
	if _, err := NewWorker(ok); !errors.Is(err, ErrProfile) {
		t.Errorf("got %v", err)
	}
}

// endless is a Port that returns the same sales over and over, as fast as it is read.
type endless struct {
	b  []byte
	at int
	n  int // frames left, in bytes
}

func (p *endless) Read(b []byte) (int, error) {
	if p.n == 0 {
		<-time.After(10 * time.Millisecond)
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, p.b[p.at:])
	n = min(n, p.n)
	p.n -= n
	p.at = (p.at + n) % len(p.b)
	return n, nil
}

func (p *endless) Write(b []byte) (int, error)     { return len(b), nil }
func (p *endless) SetReadDeadline(time.Time) error { return nil }
func (p *endless) Close() error                    { return nil }

// counter is an Applier that counts.
type counter struct {
	left int
	done chan struct{}
}

func (c *counter) Submit(a []refund.Arrival, done func([]refund.Applied, error)) {
	if c.left -= len(a); c.left <= 0 {
		close(c.done)
	}
	done(nil, nil)
}

// BenchmarkWorker is the whole way of a record but for the port, the store and the
// keys.
func BenchmarkWorker(b *testing.B) {
	p, err := DefaultProfile("mispos")
	if err != nil {
		b.Fatal(err)
	}
	store := &counter{left: b.N, done: make(chan struct{})}
	port := &endless{b: sale(1)}
	port.n = b.N * len(port.b)
	w, err := NewWorker(Options{
		Link: "pos", Wire: "mispos", Profile: p, Applier: store, Tokenizer: keyless{},
		Clock: func() Clock { return Clock{Now: time.Now(), HasNow: true} },
		Open:  func(context.Context) (Port, string, error) { return port, "", nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	<-store.done
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
