package ingest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// listener is a wire without confirm: each frame is a record whose kind is the frame's first
// word, or for "memory" nothing but what the wire remembers.
type listener struct{ talker }

func (w *listener) Frame(f frame.Frame, _ Clock) (Step, error) {
	kind, stan, _ := strings.Cut(string(f.Data), " ")
	if kind == "memory" {
		return Step{Memory: []refund.MemoryChange{{Key: stan, Value: []byte("seen")}}}, nil
	}
	return Step{Records: []Decoded{{Record: refund.Record{Kind: refund.Kind(kind), Stan: stan}}}}, nil
}

func startListener(t *testing.T) (*bench, *memPort) {
	t.Helper()
	b := start(t, nil)
	b.w.wire = remembering{&listener{}, b.w.memory}
	port := newMemPort()
	b.ports <- port
	b.run()
	return b, port
}

// commits are the sizes of the batches that the store got.
func (s *memStore) commits() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sizes []int
	for _, b := range s.batches {
		sizes = append(sizes, len(b))
	}
	return fmt.Sprint(sizes)
}

func TestPaymentsShareACommitAndNothingElseWaits(t *testing.T) {
	for _, c := range []struct {
		name    string
		frames  []string
		commits string // at once
		later   string // within gatherFor
	}{
		{"payments", []string{"sale 1", "completion 2", "preauth 3", "preauth_void 4", "memory 5"}, "[]", "[5]"},
		{"a refund takes what waits with it", []string{"sale 1", "sale 2", "refund 3"}, "[3]", "[3]"},
		{"a void", []string{"void 1"}, "[1]", "[1]"},
		{"a completion_void", []string{"completion_void 1"}, "[1]", "[1]"},
		{"a reversal", []string{"sale 1", "reversal 1"}, "[2]", "[2]"},
		{"a void_refund", []string{"void_refund 1"}, "[1]", "[1]"},
		{"an adjust", []string{"adjust 1"}, "[1]", "[1]"},
		{"a settlement", []string{"settlement 1"}, "[1]", "[1]"},
		{"a kind that is not known", []string{"other 1"}, "[1]", "[1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, port := startListener(t)
				pass(3 * time.Second)
				send(port, c.frames...)
				pass(gatherFor - time.Millisecond)
				want(t, "commits at once", b.store.commits(), c.commits)
				pass(time.Millisecond)
				want(t, "commits after gatherFor", b.store.commits(), c.later)
				_ = b.stop()
			})
		})
	}
}

// TestAPaymentWaitsNoLongerThanGatherFor sends payments without a pause: each wait begins with
// the first of them.
func TestAPaymentWaitsNoLongerThanGatherFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startListener(t)
		pass(3 * time.Second)
		for i := range 50 {
			send(port, fmt.Sprintf("sale %d", i))
			pass(20 * time.Millisecond)
			if i == 4 {
				want(t, "after 100 ms", b.store.commits(), "[5]")
			}
		}
		want(t, "after a second", b.store.commits(), "[5 5 5 5 5 5 5 5 5 5]")
		for i := range 70 { // more at once than share a commit
			send(port, fmt.Sprintf("sale %d", 100+i))
		}
		pass(gatherFor - time.Millisecond)
		b.store.set(func(s *memStore) {
			n := 0
			for _, batch := range s.batches {
				n += len(batch)
			}
			if n <= 50+70-gatherMost {
				t.Errorf("%d of the 70 are stored, want all but less than %d", n-50, gatherMost)
			}
		})
		_ = b.stop()
	})
}

func TestWhatIsKeptBackIsStoredWhenTheWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startListener(t)
		pass(3 * time.Second)
		send(port, "sale 1", "sale 2")
		synctest.Wait()
		want(t, "stored before", b.store.stans(), "")
		begun := time.Now()
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		want(t, "stored", b.store.stans(), "1 2")
		want(t, "took", time.Since(begun), readOnQuiet) // for the rest of a frame
	})
}

// TestATurnDoesNotWaitForPayments has a till ask while payments are kept back: all that came
// before it is durable at once.
func TestATurnDoesNotWaitForPayments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, port := startListener(t)
		pass(3 * time.Second)
		send(port, "sale 1", "sale 2")
		synctest.Wait()
		begun := time.Now()
		if err := b.w.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, "waited", time.Since(begun), 0)
		want(t, "stored", b.store.stans(), "1 2")
		_ = b.stop()
	})
}
