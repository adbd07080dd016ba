package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/protocol/frame"
	"yuanlu/protocol/smart"
)

// memGuard is a Guard that answers how many arrivals were stored before an ask.
type memGuard struct {
	store *memStore
	ends  chan HoldEnd

	mu      sync.Mutex // guards the rest
	slow    time.Duration
	deaf    bool // it does not end with its context either
	arrived []string
	orders  []string
	pin     string // of the last order
}

func (g *memGuard) Ask(ctx context.Context, q *Question) Saying {
	switch {
	case q.Err != nil:
		return Saying{Body: fmt.Appendf(nil, `{"ask":%q,"action":"refused"}`, q.Key.ID)}
	case q.Late:
		return Saying{Body: fmt.Appendf(nil, `{"ask":%q,"action":"confirm"}`, q.Key.ID)}
	}
	g.mu.Lock()
	slow, deaf := g.slow, g.deaf
	g.mu.Unlock()
	if deaf {
		ctx = context.Background()
	}
	select {
	case <-time.After(slow):
	case <-ctx.Done():
	}
	return Saying{fmt.Appendf(nil, `{"ask":%q,"action":"proceed","after":%d}`, q.Key.ID, len(strings.Fields(g.store.stans()))), true}
}

func (g *memGuard) Order(_ context.Context, o *Order) Saying {
	if o.Late {
		return Saying{Body: fmt.Appendf(nil, `{"ask":%q,"state":"too many"}`, o.Key.ID)}
	}
	<-time.After(100 * time.Millisecond)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orders = append(g.orders, fmt.Sprint(o.Key.ID, o.Cancel, o.By, o.Reason, o.Err != nil))
	g.pin = o.PIN.Reveal()
	return Saying{fmt.Appendf(nil, `{"ask":%q,"state":"released"}`, o.Key.ID), o.Err == nil}
}

func (g *memGuard) Arrived(k AskKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrived = append(g.arrived, k.ID)
}

func (g *memGuard) Ended() <-chan HoldEnd { return g.ends }

func (g *memGuard) seen() (arrived, orders string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.arrived, " "), strings.Join(g.orders, " ")
}

// said returns what the agent's data frames in written say, and their ids.
func said(t *testing.T, written string) (bodies []string, ids []byte) {
	t.Helper()
	s := frame.NewSmart()
	s.Push([]byte(written))
	for f, ok := s.Next(); ok; f, ok = s.Next() {
		if f.Type != frame.SmartData {
			continue
		}
		m, err := smart.Decode(f.Data)
		if err != nil || f.Ack != 0 || f.ID == 0 || m.ID == "" || m.TerminalID != "SM000001" || m.MerchantID != "M" {
			t.Errorf("frame %d: %v", f.ID, err)
		}
		bodies, ids = append(bodies, strings.TrimPrefix(m.Src, "guard.")+string(m.Body())), append(ids, f.ID)
	}
	return bodies, ids
}

func guardFrame(id byte, src, message, body string) []byte {
	return smartFrame(frame.Frame{ID: id, Data: fmt.Appendf(nil, `{"v":1,"id":%q,"src":%q,"terminal_id":"SM000001","merchant_id":"M","operator":"01","body":%s}`, message, src, body)})
}

func askFrame(id byte, ask string) []byte {
	return guardFrame(id, "guard.ask", "m-"+ask, `{"kind":"refund","amount":350,"currency":"CNY","channel":"card","party":{"scheme":"pan","id":"6200000000000005"},"ask":{"id":"`+ask+`"}}`)
}

func startGuarded(t *testing.T, change func(*bench, *memGuard)) (*bench, *memGuard, *memPort) {
	t.Helper()
	g := &memGuard{ends: make(chan HoldEnd, 4)}
	b, port := startSmart(t, func(b *bench, o *Options) {
		g.store, o.Guard = b.store, g
		if change != nil {
			change(b, g)
		}
	})
	return b, g, port
}

// TestAskIsAnsweredInItsPlace: after all that came before it is durable, before what came after it.
func TestAskIsAnsweredInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g, port := startGuarded(t, func(b *bench, _ *memGuard) { b.store.slow = 40 * time.Millisecond })
		for _, f := range [][]byte{smartSale(1, 1), smartSale(2, 2), askFrame(3, "a-1"), smartSale(4, 3), askFrame(5, "a-2")} {
			port.in <- f
		}
		pass(200 * time.Millisecond)
		bodies, ids := said(t, port.output())
		want(t, "said", strings.Join(bodies, " "), `answer{"ask":"a-1","action":"proceed","after":2} answer{"ask":"a-2","action":"proceed","after":3}`)
		want(t, "confirmed", strings.Count(port.output(), string(smartFrame(frame.Frame{Type: frame.SmartConfirm, Ack: 3}))), 1)
		port.in <- smartFrame(frame.Frame{Type: frame.SmartConfirm, Ack: ids[0]})
		port.in <- smartFrame(frame.Frame{Type: frame.SmartConfirm, Ack: ids[1]})
		port.in <- smartFrame(frame.Frame{Type: frame.SmartConfirm, Ack: ids[1]})
		pass(2 * time.Second)
		bodies, _ = said(t, port.output())
		want(t, "frames", len(bodies), 2)
		arrived, _ := g.seen()
		want(t, "arrived", arrived, "a-1 a-2")
		want(t, "asks", b.w.Health().Asks, 2)
		_ = b.stop()
		if strings.Contains(b.log.String(), "6200000000000005") {
			t.Error("a card number is in the log")
		}
	})
}

// TestUnconfirmedIsSaidAgain: after 300 ms, twice, with the same id; then no more.
func TestUnconfirmedIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g, port := startGuarded(t, nil)
		port.in <- askFrame(1, "a-1")
		for i, n := range []int{1, 2, 3, 3} {
			pass(20 * time.Millisecond)
			_, ids := said(t, port.output())
			want(t, fmt.Sprint("frames after ", i*300, " ms"), len(ids), n)
			want(t, "id", ids[len(ids)-1], 1)
			pass(280 * time.Millisecond)
		}
		port.in <- smartFrame(frame.Frame{Type: frame.SmartConfirm, Ack: 1}) // of a frame that was dropped
		pass(time.Second)
		arrived, _ := g.seen()
		want(t, "arrived", arrived, "")
		want(t, "unconfirmed", b.w.Health().Unconfirmed, 1)
		_ = b.stop()
	})
}

// TestAskWithoutAnAnswerInTime: it is answered as not judged, and records go on.
func TestAskWithoutAnAnswerInTime(t *testing.T) {
	for name, change := range map[string]func(*bench, *memGuard){
		"a guard that hangs":    func(_ *bench, g *memGuard) { g.slow, g.deaf = time.Minute, true },
		"a store that is away":  func(b *bench, _ *memGuard) { b.store.fail = errors.New("disk full") },
		"a store that is later": func(b *bench, _ *memGuard) { b.store.slow = 2 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _, port := startGuarded(t, change)
				for _, f := range [][]byte{smartSale(1, 1), askFrame(2, "a-1"), smartSale(3, 2)} {
					port.in <- f
				}
				pass(1500 * time.Millisecond)
				bodies, _ := said(t, port.output())
				want(t, "said", bodies[0], `answer{"ask":"a-1","action":"confirm"}`)
				b.store.set(func(s *memStore) { s.slow, s.fail = 0, nil })
				pass(10 * time.Second)
				want(t, "stored", b.store.stans(), "000001 000002")
				pass(time.Minute)
				if err := b.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAsksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, port := startGuarded(t, func(_ *bench, g *memGuard) { g.slow = time.Second })
		for i := range maxAsks + 2 {
			port.in <- askFrame(byte(i+1), fmt.Sprint("a-", i))
		}
		pass(time.Millisecond)
		bodies, _ := said(t, port.output())
		want(t, "answered at once", len(bodies), 2)
		want(t, "not judged", strings.Count(strings.Join(bodies, ""), "confirm"), 2)
		_ = b.stop()
	})
}

// TestOrders: releases and cancels; what the firmware repeats is done once.
func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g, port := startGuarded(t, nil)
		release := guardFrame(1, "guard.release", "m-1", `{"ask":"a-1","by":"s-1","pin":"628401","reason":2,"text":"x"}`)
		for _, f := range [][]byte{release, release, guardFrame(2, "guard.cancel", "m-2", `{"ask":"a-2"}`), guardFrame(3, "guard.release", "m-3", `{"by":"s-1"}`)} {
			port.in <- f
		}
		pass(500 * time.Millisecond)
		port.in <- release
		pass(10 * time.Millisecond)
		_, orders := g.seen()
		want(t, "orders", orders, "a-1falses-12false a-2true01false falses-1true")
		want(t, "PIN", g.pin, "")
		states := bodiesOnce(said(t, port.output()))
		want(t, "states", strings.Join(states, " "), `state{"ask":"a-1","state":"released"} state{"ask":"a-2","state":"released"} state{"ask":"","state":"released"} state{"ask":"a-1","state":"released"}`)
		_ = b.stop()
		if strings.Contains(b.log.String(), "628401") {
			t.Error("the PIN is in the log")
		}
	})
}

// bodiesOnce leaves out the repeats of frames.
func bodiesOnce(bodies []string, ids []byte) (out []string) {
	seen := map[byte]bool{}
	for i, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, bodies[i])
		}
	}
	return out
}

// TestEndsAreSaid: to a link that has asked, not to another.
func TestEndsAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g, port := startGuarded(t, nil)
		end := HoldEnd{Key: AskKey{"M", "SM000001", "a-1"}, Body: json.RawMessage(`{"ask":"a-1","state":"expired"}`)}
		g.ends <- end
		pass(time.Second)
		want(t, "said before", len(port.output()), 0)
		port.in <- askFrame(1, "a-1")
		pass(10 * time.Millisecond)
		g.ends <- end
		pass(10 * time.Millisecond)
		bodies, _ := said(t, port.output())
		want(t, "said", bodies[len(bodies)-1], `state{"ask":"a-1","state":"expired"}`)
		_ = b.stop()
	})
}

// TestAskNotToItsForm: it is refused at once, with its id if there is one, confirmed, and counted.
func TestAskNotToItsForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, port := startGuarded(t, nil)
		port.in <- guardFrame(7, "guard.ask", "m-1", `{"kind":"sale","party":{"scheme":"pan","id":"6200000000000005"},"ask":{"id":"a-9"}}`)
		pass(time.Millisecond)
		bodies, _ := said(t, port.output())
		want(t, "said", strings.Join(bodies, ""), `answer{"ask":"a-9","action":"refused"}`)
		want(t, "confirmed", strings.Contains(port.output(), string(smartFrame(frame.Frame{Type: frame.SmartConfirm, Ack: 7}))), true)
		want(t, "refused", b.w.Health().AsksRefused, 1)
		want(t, "log", strings.Contains(b.log.String(), "ask.refused") && strings.Contains(b.log.String(), "kind") && !strings.Contains(b.log.String(), "6200000000000005"), true)
		_ = b.stop()
	})
}

// TestWhatTells: of an ask that was refused, or not judged, nothing is known by who has that
// answer; of a hold he knows by any state that he has.
func TestWhatTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g, port := startGuarded(t, func(_ *bench, g *memGuard) { g.slow, g.deaf = time.Minute, true })
		port.in <- guardFrame(1, "guard.ask", "m-1", `{"kind":"sale","ask":{"id":"refused"}}`)
		port.in <- askFrame(2, "late")
		pass(1500 * time.Millisecond)
		port.in <- guardFrame(3, "guard.cancel", "m-3", `{"ask":"cancelled"}`)
		pass(200 * time.Millisecond)
		g.ends <- HoldEnd{Key: AskKey{"M", "SM000001", "ended"}, Body: json.RawMessage(`{"ask":"ended","state":"expired"}`)}
		pass(10 * time.Millisecond)
		bodies, ids := said(t, port.output())
		for _, id := range ids {
			port.in <- smartFrame(frame.Frame{Type: frame.SmartConfirm, Ack: id})
		}
		pass(10 * time.Millisecond)
		arrived, _ := g.seen()
		want(t, "said", len(bodies) >= 4, true)
		want(t, "arrived", arrived, "cancelled ended")
		pass(time.Minute)
		_ = b.stop()
	})
}

// TestOrdersAreBounded: one too many is answered, and the firmware may send it again.
func TestOrdersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, port := startGuarded(t, nil)
		for i := range maxOrders + 1 {
			port.in <- guardFrame(byte(i+1), "guard.cancel", fmt.Sprint("m-", i), fmt.Sprintf(`{"ask":"a-%d"}`, i))
		}
		pass(time.Millisecond)
		bodies, _ := said(t, port.output())
		want(t, "said", strings.Join(bodies, ""), fmt.Sprintf(`state{"ask":"a-%d","state":"too many"}`, maxOrders))
		pass(3 * time.Second)
		port.in <- guardFrame(maxOrders+1, "guard.cancel", fmt.Sprint("m-", maxOrders), fmt.Sprintf(`{"ask":"a-%d"}`, maxOrders))
		pass(200 * time.Millisecond)
		bodies, _ = said(t, port.output())
		want(t, "done at last", bodies[len(bodies)-1], fmt.Sprintf(`state{"ask":"a-%d","state":"released"}`, maxOrders))
		_ = b.stop()
	})
}

// TestOutgoingIDs: an id that waits for its confirm is not used again.
func TestOutgoingIDs(t *testing.T) {
	o := outgoing{waiting: []unconfirmed{{id: 1}, {id: 2}}, id: 254}
	for _, n := range []byte{255, 3, 4} {
		want(t, "id", o.next(), n)
	}
	if _, ok := o.confirmed(2, 1); ok {
		t.Error("a confirm from another port")
	}
	if _, ok := o.confirmed(2, 0); !ok || len(o.waiting) != 1 {
		t.Error("not confirmed")
	}
}

var _ Guard = (*memGuard)(nil)

// TestQuestionIsInClearOnlyForTheGuard: what a Question prints holds no identifier.
func TestQuestionIsInClearOnlyForTheGuard(t *testing.T) {
	w := newSmart(nil, scratch{})
	f := frame.NewSmart()
	f.Push(append(askFrame(1, "a"), guardFrame(2, "guard.release", "m", `{"ask":"a","pin":"628401"}`)...))
	for got, ok := f.Next(); ok; got, ok = f.Next() {
		s, err := w.Frame(got, Clock{})
		if err != nil || s.Question == nil && s.Order == nil {
			t.Fatal(err)
		}
		if text := fmt.Sprintf("%+v %+v", s.Question, s.Order); strings.Contains(text, "6200000000000005") || strings.Contains(text, "628401") {
			t.Error("printed in clear")
		}
	}
}

// TestTurn: a till waits until all that its link has brought is durable, or its own time is over.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, port := startGuarded(t, func(b *bench, _ *memGuard) { b.store.slow = 2 * time.Second })
		if err := b.w.Turn(t.Context()); err != nil {
			t.Errorf("nothing came: %v", err)
		}
		port.in <- smartSale(1, 1)
		pass(time.Millisecond)
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := b.w.Turn(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before it is durable: %v", err)
		}
		if err := b.w.Turn(t.Context()); err != nil || b.store.stans() != "000001" {
			t.Errorf("%v, stored %s", err, b.store.stans())
		}
		_ = b.stop()
	})
}
