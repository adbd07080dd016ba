package report_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i+1)
	}
	return list
}

func TestRule02_InOrderAtMost16InFlightCasesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Publish { // a slow broker: acknowledges a second later
				time.AfterFunc(time.Second, func() { c.Puback(p.ID) })
				return true
			}
			return false
		}
		g := start(t, f, func(g *rig, o *report.Options) {
			for i := range 100 {
				g.out.addEvent("link.lost", "link/pos", nil)
				if i < 50 {
					g.out.addCase()
				}
			}
		})
		pass(20 * time.Second)
		if got := g.sequences(); !slices.Equal(got, upTo(50)) {
			t.Errorf("sequences %v", got)
		}
		most, events := 0, 0
		for _, p := range f.Published() {
			most = max(most, p.InFlight)
			if p.Topic == names.Event() {
				events++
			} else if p.Topic == names.Case() && events > 0 {
				t.Error("a case after an event")
			}
		}
		if most > 16 || most < 14 || events != 100 {
			t.Errorf("%d in flight at most, %d events", most, events)
		}
		g.stop()
	})
}

// A case that appears while events are being sent does not wait for all of them.
func TestRule02_NewCaseOvertakesEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Publish {
				time.AfterFunc(time.Second, func() { c.Puback(p.ID) })
				return true
			}
			return false
		}
		g := start(t, f, func(g *rig, o *report.Options) {
			for range 1000 {
				g.out.addEvent("link.lost", "link/pos", nil)
			}
		})
		pass(10 * time.Second)
		g.out.addCase()
		g.Wake()
		pass(10 * time.Second)
		if len(g.on(names.Case())) != 1 || len(g.on(names.Event())) > 400 {
			t.Errorf("%d cases after %d events", len(g.on(names.Case())), len(g.on(names.Event())))
		}
		g.stop()
	})
}

func TestRule03_NothingIsSentWithoutPuback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Publish && p.Topic == names.Case() {
				c.Close()
				return true
			}
			return false
		}
		g := start(t, f)
		for range 3 {
			g.out.addCase()
		}
		g.Wake()
		pass(time.Hour)
		if cases, sent := g.out.waiting(); cases != 3 || sent != 0 {
			t.Errorf("%d cases wait, %d of them count as sent; none was acknowledged by the broker", cases, sent)
		}
		if n := len(f.Conns()); n < 60 || n > 400 {
			t.Errorf("%d connections in an hour", n)
		}
		g.stop()
	})
}

func TestRule03_RefusedSubscriptionIsAnEventNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Subscribe {
				c.Raw([]byte{0x90, 3, byte(p.ID >> 8), byte(p.ID), 0x80})
				return true
			}
			return false
		}
		g := start(t, f)
		g.out.addCase()
		pass(10 * time.Second)
		states := g.on(names.State())
		if len(states) == 0 || states[0]["state"] != "degraded" || states[0]["reason"] != "subscription_refused" {
			t.Errorf("states %v", states)
		}
		if !g.sawEvent("subscription.refused") || len(f.Conns()) != 1 || len(g.on(names.Case())) != 1 {
			t.Errorf("event %v, %d connections, %d cases", g.sawEvent("subscription.refused"), len(f.Conns()), len(g.on(names.Case())))
		}
		g.stop()
	})
}

func TestRule04_PubackIsSentAckIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f)
		for range 5 {
			g.out.addCase()
		}
		g.Wake()
		pass(time.Second)
		if cases, sent := g.out.waiting(); cases != 5 || sent != 5 {
			t.Errorf("after PUBACK: %d wait, %d sent; want 5, 5", cases, sent)
		}
		f.Push(names.Ack(), []byte(`{"stream":"another","acked_seq":5}`), false)
		f.Push(names.Ack(), ack(3), false)
		f.Push(names.Ack(), ack(1), false) // never backwards
		pass(time.Second)
		if cases, _ := g.out.waiting(); cases != 2 {
			t.Errorf("after ack of 3: %d wait, want 2", cases)
		}
		f.Push(names.Ack(), ack(99), false) // of what there is not: it does nothing
		f.Push(names.Ack(), ack(5), false)
		pass(5 * time.Second)
		sums := g.on(names.CaseSummary())
		if last := sums[len(sums)-1]; last["acked_seq"] != 5.0 || last["last_seq"] != 5.0 {
			t.Errorf("summary %v", last)
		}
		g.stop()
	})
}

// TestRule04_TheSummaryTellsWhatIsStored: an acknowledgement that a power cut could take
// back is not said yet; once the store has it, it is said by itself.
func TestRule04_TheSummaryTellsWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f)
		for range 5 {
			g.out.addCase()
		}
		g.out.store(2) // of what is acknowledged, so much is not in the store yet
		g.Wake()
		pass(time.Second)
		f.Push(names.Ack(), ack(5), false)
		for _, want := range []float64{3, 5} {
			pass(5 * time.Second)
			sums := g.on(names.CaseSummary())
			if last := sums[len(sums)-1]; last["acked_seq"] != want {
				t.Errorf("summary %v, want acked_seq %v", last, want)
			}
			g.out.store(0)
		}
		g.stop()
	})
}

func TestRule04_BrokerModeNeedsNoAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(_ *rig, o *report.Options) { o.AckMode = report.AckBroker })
		for range 100 {
			g.out.addCase()
		}
		g.Wake()
		pass(time.Second)
		if cases, _ := g.out.waiting(); cases != 0 {
			t.Errorf("%d cases wait", cases)
		}
		g.stop()
	})
}

func TestRule05_SentAgainAfter30sDoublingTo15min(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		var began time.Time
		var at []time.Duration
		f.Handler = func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Publish && p.Topic == names.Case() {
				at = append(at, time.Since(began).Round(time.Second))
			}
			return false
		}
		g := start(t, f)
		pass(time.Second)
		began = time.Now()
		g.out.addCase()
		g.Wake()
		pass(time.Hour)
		want := []time.Duration{0, 30, 90, 210, 450, 930, 1830, 2730}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(at, want) {
			t.Errorf("sent at %v, want %v", at, want)
		}
		for i, m := range g.on(names.Case()) {
			if m["id"] != "id-1" || m["attempt"] != float64(i+1) || m["sequence"] != "00000000000000000001" {
				t.Errorf("attempt %d: id %v attempt %v sequence %v", i+1, m["id"], m["attempt"], m["sequence"])
			}
		}
		if !g.sawEvent("delivery.unacknowledged") {
			t.Error("nobody acknowledges, and nobody says so")
		}
		f.Push(names.Ack(), ack(1), false)
		pass(time.Minute)
		if len(g.Status().Problems) != 0 {
			t.Errorf("problems %v", g.Status().Problems)
		}
		g.stop()
	})
}

func TestRule06_QuarantineAndTheQueueGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f, func(g *rig, _ *report.Options) {
			for range 5 {
				g.out.addCase()
			}
			g.out.change(2, func(n *refund.Notice) {
				n.Data = fmt.Appendf(nil, `{"explain":%q,%s`, strings.Repeat("x", topics.MaxMessage), n.Data[1:])
			})
			g.out.change(3, func(n *refund.Notice) { n.Data = []byte(`{"case_id":"x"}`) })
			g.out.addEvent("Not An Event Type", "x", nil)
		})
		pass(time.Second)
		f.Push(names.Ack(), fmt.Appendf(nil, `{"stream":%q,"nack":[{"seq":4,"code":"schema","message":"no"},{"seq":77,"code":"x"}]}`, stream), false)
		pass(5 * time.Second)
		if got := g.sequences(); !slices.Equal(got, []int{1, 4, 5}) {
			t.Errorf("sent %v", got)
		}
		want := []string{"2 too_large", "3 schema", fmt.Sprintf("%d schema", 1<<40+1), "4 schema"}
		if !slices.Equal(g.out.quarantined, want) {
			t.Errorf("quarantined %q, want %q", g.out.quarantined, want)
		}
		if n := len(g.on(names.Event())); n != 5 {
			t.Errorf("%d events, want one per quarantined entry and one about a refusal of what there is not", n)
		}
		g.stop()
	})
}

func TestRule07_CasesWaitForTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Subscribe && p.Filters[0] == names.HostState("desk") {
				c.Default(p)
				f.Push(names.HostState("desk"), []byte(`{"online":false,"timestamp":1000}`), true)
				return true
			}
			return false
		}
		g := start(t, f, func(g *rig, o *report.Options) { o.HostID = "desk"; g.out.addCase() })
		pass(5 * time.Minute)
		if n, h := len(g.on(names.Case())), len(g.on(names.Health())); n != 0 || h < 4 {
			t.Errorf("%d cases and %d healths while the host is offline", n, h)
		}
		f.Push(names.HostState("desk"), []byte(`{"online":true,"timestamp":999}`), false) // older: ignored
		f.Push(names.HostState("desk"), []byte(`{"online":1}`), false)
		f.Push(names.HostState("other"), []byte(`{"online":true,"timestamp":2000}`), false)
		pass(time.Minute)
		if n := len(g.on(names.Case())); n != 0 {
			t.Errorf("%d cases after an older presence", n)
		}
		f.Push(names.HostState("desk"), []byte(`{"online":true,"timestamp":1001}`), false)
		pass(time.Second)
		if n := len(g.on(names.Case())); n != 1 {
			t.Errorf("%d cases although the host is back", n)
		}
		g.stop()
	})
}

func TestRule07_UnknownHostHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) { o.HostID = "desk"; g.out.addCase() })
		pass(5 * time.Second)
		if n := len(g.on(names.Case())); n != 1 {
			t.Errorf("%d cases, although no host has ever said anything", n)
		}
		g.stop()
	})
}

// TestRule07_AHostThatComesBackGetsAllAtOnce: everything unacknowledged is due at once,
// not when its time of topics.md rule 5 has come, but at most every 30 s, however often the host
// comes and goes, and the last time it comes is not forgotten.
func TestRule07_AHostThatComesBackGetsAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		rounds := 0
		g := start(t, f, func(g *rig, o *report.Options) {
			o.HostID = "desk"
			g.out.onResend = func(_ context.Context, from int64) (int, error) { rounds++; return g.out.resend(from), nil }
			for range 3 {
				g.out.addCase()
			}
		})
		say := func(online bool) {
			f.Push(names.HostState("desk"), fmt.Appendf(nil, `{"online":%v,"timestamp":%d}`, online, time.Now().UnixMilli()), false)
			pass(100 * time.Millisecond)
		}
		pass(time.Hour) // the next attempt would come in some 15 min
		sent := len(g.sequences())
		say(false)
		pass(time.Minute)
		say(true)
		if got := g.sequences()[sent:]; !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("sent %v when the host came back, want all", got)
		}
		pass(5 * time.Second)
		sent, rounds = len(g.sequences()), 0
		for range 100 { // in 20 s
			say(false)
			say(true)
		}
		if got := g.sequences()[sent:]; len(got) != 0 {
			t.Errorf("a host that comes and goes got %v within 30 s", got)
		}
		pass(5 * time.Second)
		if got := g.sequences()[sent:]; !slices.Equal(got, []int{1, 2, 3}) || rounds != 1 {
			t.Errorf("sent %v in %d rounds after 30 s, want all once", got, rounds)
		}
		say(true) // what is said again is no return
		pass(10 * time.Second)
		if rounds != 1 {
			t.Errorf("%d rounds, although the host has not been away", rounds)
		}
		f.Push(names.Ack(), ack(3), false)
		say(false)
		pass(time.Minute)
		say(true)
		if got := g.sequences()[sent+3:]; len(got) != 0 {
			t.Errorf("sent %v, which is acknowledged", got)
		}
		g.stop()
	})
}

// TestRule07_AStoreThatFailsIsAskedAgain: what could not be made due is made so later.
func TestRule07_AStoreThatFailsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		var asked atomic.Int64
		g := start(t, f, func(g *rig, o *report.Options) {
			o.HostID = "desk"
			g.out.onResend = func(_ context.Context, from int64) (int, error) {
				if asked.Add(1) < 3 {
					return 0, errors.New("no store")
				}
				return g.out.resend(from), nil
			}
			g.out.addCase()
		})
		pass(time.Hour)
		sent := len(g.sequences())
		f.Push(names.HostState("desk"), fmt.Appendf(nil, `{"online":true,"timestamp":%d}`, time.Now().UnixMilli()), false)
		pass(20 * time.Second)
		if n := len(g.sequences()) - sent; n != 1 || asked.Load() != 3 {
			t.Errorf("sent %d times, store asked %d times; want 1, 3", n, asked.Load())
		}
		g.stop()
	})
}

// dialer lets a test decide about every connection.
type dialer func(n int) (report.Broker, error)

func (d dialer) dial() func(context.Context, string, []byte) (report.Broker, error) {
	n := 0
	return func(context.Context, string, []byte) (report.Broker, error) { n++; return d(n) }
}

func TestRule10_FullJitterFrom1sTo60s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		d := dialer(func(int) (report.Broker, error) { at = append(at, time.Now()); return nil, errors.New("no broker") })
		g := startWith(t, nil, d.dial(), func(_ *rig, o *report.Options) { o.Rand = func() float64 { return 0.5 } })
		pass(10 * time.Minute)
		g.stop()
		var gaps []time.Duration
		for i := 1; i < len(at); i++ {
			gaps = append(gaps, at[i].Sub(at[i-1]))
		}
		want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
		if len(gaps) < len(want) || !slices.Equal(gaps[:len(want)], want) {
			t.Errorf("waited %v, want half of 1 s, 2 s, 4 s … 60 s", gaps)
		}
		if s := g.Status(); s.Connected || s.LastError != "no broker" || s.Progress == 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestRule10_OnlyAGoodConnectionResets(t *testing.T) {
	for _, tc := range []struct {
		lasts time.Duration
		reset bool
	}{{59 * time.Second, false}, {61 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			f := &brokertest.Fake{}
			f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
				if p.Kind == brokertest.Connect {
					time.AfterFunc(tc.lasts, func() { c.Close() })
				}
				return false
			}
			g := start(t, f, func(_ *rig, o *report.Options) { o.Rand = func() float64 { return 1 } })
			pass(20 * time.Minute)
			// In 1200 s: 59 s each and 1, 2, 4 … 60 s between them, or 61 s and always 1 s.
			n := len(f.Conns())
			if tc.reset && n != 20 || !tc.reset && n != 13 {
				t.Errorf("%d connections of %s in 20 minutes", n, tc.lasts)
			}
			g.stop()
		})
	}
}

func TestRule11_KickedTwiceWithinTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f)
		kick := func() { f.CloseAll(); pass(5 * time.Second) }
		pass(5 * time.Minute)
		kick()
		pass(5 * time.Minute)
		if kick(); g.sawEvent("duplicate_client_id") {
			t.Error("two kicks five minutes apart count")
		}
		if kick(); !g.sawEvent("duplicate_client_id") {
			t.Error("two kicks within two minutes do not count")
		}
		pass(time.Second)
		states := g.on(names.State())
		if last := states[len(states)-1]; last["state"] != "degraded" || last["reason"] != "duplicate_client_id" {
			t.Errorf("state %v", last)
		}
		pass(15 * time.Minute)
		if len(g.Status().Problems) != 0 {
			t.Errorf("problems a quarter of an hour later: %v", g.Status().Problems)
		}
		g.stop()
	})
}

// A broker that is restarted refuses connections for a while: that is no kick.
func TestRule11_RestartedBrokerIsNoKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		var away atomic.Bool
		g := start(t, f, func(_ *rig, o *report.Options) {
			dial := o.Dial
			o.Dial = func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
				if away.CompareAndSwap(true, false) {
					return nil, io.ErrClosedPipe
				}
				return dial(ctx, topic, will)
			}
		})
		for range 5 {
			pass(20 * time.Second)
			away.Store(true)
			f.CloseAll()
		}
		pass(20 * time.Second)
		if g.sawEvent("duplicate_client_id") {
			t.Error("restarts taken for a second client")
		}
		g.stop()
	})
}
