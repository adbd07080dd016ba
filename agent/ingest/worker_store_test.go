package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/wiretest"
)

// talker is a wire with everything a wire can do: one record per frame, a confirm when
// it is durable, one at once, and a memory by which a repeat makes no record again.
type talker struct {
	memory Memory
	wait   time.Time // Due then makes a record
}

func (w *talker) Scanner() *frame.Scanner { return frame.NewSTX() }

func (w *talker) Frame(f frame.Frame, now Clock) (Step, error) {
	text := string(f.Data)
	switch {
	case text == "hello":
		return Step{Immediate: []byte("[hi]")}, nil
	case text == "bad":
		return Step{Reply: []byte("[bad]")}, errors.New("field 1, offset 0: got nothing, want something")
	case text == "wait":
		w.wait = now.Now.Add(time.Minute)
		return Step{}, nil
	}
	if _, seen := w.memory.Get(text); seen {
		return Step{Reply: []byte("[" + text + "]")}, nil
	}
	return Step{
		Records: []Decoded{{Record: refund.Record{Kind: refund.KindSale, Stan: text}}},
		Memory:  []refund.MemoryChange{{Key: text, Value: []byte("seen")}},
		Reply:   []byte("[" + text + "]"),
	}, nil
}

func (w *talker) Due(now Clock) (Step, time.Time) {
	if w.wait.IsZero() || now.Now.Before(w.wait) {
		return Step{}, w.wait
	}
	w.wait = time.Time{}
	return Step{Records: []Decoded{{Record: refund.Record{Kind: refund.KindSale, Stan: "late"}}}}, w.wait
}

func (w *talker) End(Clock) Step { return Step{} }

func startTalker(t *testing.T, change func(*bench, *Options)) (*bench, *memPort) {
	t.Helper()
	b := start(t, change)
	b.w.wire = remembering{&talker{memory: b.w.memory}, b.w.memory}
	port := newMemPort()
	b.ports <- port
	b.run()
	return b, port
}

func send(p *memPort, texts ...string) {
	for _, text := range texts {
		f, err := wiretest.AppendSTX(nil, []byte(text))
		if err == nil {
			p.in <- f
		}
	}
}

func TestConfirmOnlyAfterTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) { b.store.slow = 300 * time.Millisecond })
		send(port, "a", "hello", "a") // the repeat comes while the first is on its way
		pass(200 * time.Millisecond)
		want(t, "written before the commit", port.output(), "[hi]")
		pass(200 * time.Millisecond)
		want(t, "written after it", port.output(), "[hi][a]")
		want(t, "stored", b.store.stans(), "a")
		send(port, "a", "bad")
		pass(time.Second)
		want(t, "a repeat, and a bad one", port.output(), "[hi][a][a][bad]")
		want(t, "stored", b.store.stans(), "a")
		want(t, "refused", b.w.Health().Refused, 1)
		_ = b.stop()
	})
}

func TestRecordsThatComeMeanwhileShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) { b.store.slow = 300 * time.Millisecond })
		for i := range 151 {
			send(port, fmt.Sprint(i))
			if i == 0 {
				pass(time.Millisecond)
			}
		}
		pass(250 * time.Millisecond)
		want(t, "left in the port", len(port.in), 0) // read, though nothing is stored yet
		want(t, "stored", b.store.stans(), "")
		pass(10 * time.Second)
		sizes, sum := []int{}, 0
		for _, batch := range b.store.batches {
			sizes, sum = append(sizes, len(batch)), sum+len(batch)
		}
		// While a batch is in flight no more than aheadMost and one read wait behind it.
		if sum != 151 || len(sizes) > 5 || slices.Max(sizes) != MaxBatch {
			t.Errorf("batches of %v, want 151 in at most 5", sizes)
		}
		want(t, "confirms", strings.Count(port.output(), "["), 151)
		_ = b.stop()
	})
}

func TestNothingIsLostWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) {
			b.store.fail = errors.New("disk full")
			o.MaxWaiting, o.Buffer = 4, 16
		})
		for i := range 40 {
			send(port, fmt.Sprintf("%02d", i))
		}
		pass(5 * time.Minute)
		h := b.w.Health()
		want(t, "state", h.State, StateDegraded)
		want(t, "reason", h.Reason, "the store does not take records: disk full")
		want(t, "written", port.output(), "")
		if h.Waiting > 8 || h.Stalls == 0 || len(port.in) < 20 {
			t.Errorf("%d arrivals wait, %d stalls, %d frames are left in the port", h.Waiting, h.Stalls, len(port.in))
		}
		b.store.set(func(s *memStore) { s.fail = nil })
		pass(30 * time.Second)
		var all, written string
		for i := range 40 {
			all += fmt.Sprintf("%02d ", i)
			written += fmt.Sprintf("[%02d]", i)
		}
		want(t, "stored", b.store.stans()+" ", all)
		want(t, "written", port.output(), written)
		want(t, "state", b.w.Health().State, StateOnline)
		_ = b.stop()
	})
}

func TestConfirmsGoOnlyToThePortThatAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) { b.store.slow = 5 * time.Second })
		other := newMemPort()
		b.ports <- other
		send(port, "a")
		pass(time.Second)
		port.gone <- io.EOF
		pass(2 * time.Second)
		send(other, "a")
		pass(time.Second)
		want(t, "written before the commit", port.output()+other.output(), "")
		pass(5 * time.Second)
		want(t, "written to the first", port.output(), "")
		want(t, "written to the second, which asked too", other.output(), "[a]")
		want(t, "stored", b.store.stans(), "a")
		_ = b.stop()
	})
}

func TestFrameWaitsForTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) {
			b.store.memory = map[string][]byte{"a": []byte("seen")}
			b.store.forget = errors.New("database is locked")
		})
		other := newMemPort()
		b.ports <- other
		send(port, "a")
		f, _ := wiretest.AppendSTX(nil, []byte("b"))
		port.in <- append(f, f[:4]...)
		pass(2 * time.Second)
		want(t, "stored", b.store.stans(), "")
		want(t, "written", port.output(), "")
		want(t, "state", b.w.Health().State, StateDegraded)
		b.store.set(func(s *memStore) { s.forget = nil })
		pass(20 * time.Second)
		want(t, "stored: a was seen in an earlier run", b.store.stans(), "b")
		want(t, "written", port.output(), "[a][b]")
		want(t, "state", b.w.Health().State, StateOnline)
		want(t, "good", b.w.Health().FramesGood, 2)
		want(t, "skipped", b.w.Health().SkippedBytes, 4)
		_ = b.stop()
	})
}

func TestDueMakesRecordsAsTimePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, nil)
		send(port, "wait")
		pass(59 * time.Second)
		want(t, "stored", b.store.stans(), "")
		pass(2 * time.Second)
		want(t, "stored", b.store.stans(), "late")
		_ = b.stop()
	})
}

func TestStopStoresWhatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) { b.store.slow = 200 * time.Millisecond })
		for i := range 100 {
			send(port, fmt.Sprint(i))
		}
		pass(10 * time.Millisecond)
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		want(t, "stored", len(strings.Fields(b.store.stans())), 100)

		b, port = startTalker(t, func(b *bench, o *Options) { b.store.fail = errors.New("disk full") })
		send(port, "a", "b")
		pass(10 * time.Second)
		b.cancel()
		pass(time.Second)
		b.store.set(func(s *memStore) { s.fail = nil })
		if err := <-b.done; err != nil {
			t.Errorf("the store came back in time: %v", err)
		}
		want(t, "stored", b.store.stans(), "a b")

		b, port = startTalker(t, func(b *bench, o *Options) { b.store.slow = time.Hour })
		send(port, "a", "b")
		pass(10 * time.Millisecond)
		from := time.Now()
		if err := b.stop(); !errors.Is(err, ErrUnstored) || !strings.Contains(err.Error(), "2 of link pos") {
			t.Errorf("got %v", err)
		}
		if d := time.Since(from); d > 5*time.Second {
			t.Errorf("stopping took %v", d)
		}
		pass(time.Hour) // an answer that comes after the end is dropped
	})
}

// A store that answers neither yes nor no is reported, is not asked a second time meanwhile,
// and its late answer counts.
func TestAStoreThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startTalker(t, func(b *bench, o *Options) { b.store.slow = 3 * time.Minute })
		send(port, "a")
		pass(59 * time.Second)
		want(t, "state", b.w.Health().State, StateOnline)
		pass(4 * time.Second)
		h := b.w.Health()
		want(t, "state", h.State, StateDegraded)
		want(t, "reason", h.Reason, "the store does not take records: no answer for 1m0s")
		b.store.set(func(s *memStore) { s.slow = 0 })
		send(port, "b")
		pass(2 * time.Minute)
		want(t, "written", port.output(), "[a][b]")
		want(t, "stored", b.store.stans(), "a b")
		want(t, "state", b.w.Health().State, StateOnline)
		_ = b.stop()
	})
}

func TestOverlay(t *testing.T) {
	store := &memStore{memory: map[string][]byte{"old": []byte("1")}}
	o := newOverlay(store, "pos")
	get := func(key string) string { v, ok := o.Get(key); return fmt.Sprintf("%s %t", v, ok) }
	want(t, "stored", get("old"), "1 true")
	want(t, "nowhere", get("new"), " false")
	first := []refund.MemoryChange{{Key: "new", Value: []byte("2")}, {Key: "old"}}
	second := []refund.MemoryChange{{Key: "new", Value: []byte("3")}}
	o.Remember(first)
	o.Remember(second)
	want(t, "changed twice", get("new"), "3 true")
	want(t, "deleted", get("old"), " false")
	store.memory = map[string][]byte{"new": []byte("2")} // first is stored
	o.stored(first)
	want(t, "half stored", get("new"), "3 true")
	want(t, "deleted and stored", get("old"), " false")
	o.stored(second)
	want(t, "what the store says", get("new"), "2 true")
	want(t, "kept here", len(o.changed), 0)
	store.forget = errors.New("away")
	if _, ok := o.Get("old"); ok || o.err == nil {
		t.Error("an error of the store is not kept")
	}
	o.Remember(first)
	want(t, "remembered with holes", len(o.changed), 0)
}

func TestInboxKeepsOrder(t *testing.T) {
	b := newInbox(8)
	var got bytes.Buffer
	take := func() {
		buf := make([]byte, 3)
		for {
			n, m, more := b.take(buf)
			got.Write(buf[:n])
			if m != markNone {
				fmt.Fprintf(&got, "<%d>", m)
			}
			if !more {
				return
			}
		}
	}
	b.mark(markLost)
	b.put(t.Context(), []byte("abcd"), time.Second, nil)
	b.mark(markSilence)
	b.mark(markLost)
	b.put(t.Context(), []byte("ef"), time.Second, nil)
	take()
	b.put(t.Context(), []byte("0123456789"), time.Second, nil) // larger than the limit, alone
	take()
	want(t, "taken", got.String(), "<2>abcd<1><2>ef0123456789")
	want(t, "room again", b.tryPut([]byte("01234567")), true)
	want(t, "full", b.tryPut([]byte("8")), false)
}
