package report_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

func TestPresenceFromStartToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f)
		pass(time.Second)
		var order []string
		for _, p := range f.Published() {
			order = append(order, p.Topic)
		}
		if len(order) < 5 || order[0] != names.State() || order[1] != names.Info() {
			t.Errorf("said %v; want the state first, then info and the rest", order)
		}
		state := g.on(names.State())[0]
		var will topics.State
		if err := json.Unmarshal(f.Conns()[0].Connect.WillPayload, &will); err != nil {
			t.Fatal(err)
		}
		if f.Conns()[0].Connect.WillTopic != names.State() || will.State != "lost" || will.Session == "" || will.Session != state["session"] {
			t.Errorf("will %+v, state %v: want lost of the same session", will, state)
		}
		if state["state"] != "online" || state["reason"] != "start" {
			t.Errorf("first state %v", state)
		}
		f.CloseAll()
		pass(5 * time.Second)
		states := g.on(names.State())
		again := states[len(states)-1]
		if len(f.Conns()) != 2 || again["reason"] != "reconnect" || again["session"] == state["session"] {
			t.Errorf("%d connections, state %v: want another session", len(f.Conns()), again)
		}
		if s := g.Status(); !s.Connected || s.Reconnects != 1 || s.LastError == "" {
			t.Errorf("status %+v", s)
		}
		g.stop()
		states = g.on(names.State())
		if last := states[len(states)-1]; last["state"] != "offline" || last["reason"] != "stop" || last["session"] != again["session"] {
			t.Errorf("last state %v, want offline", last)
		}
		all := f.Published()
		links := g.on(names.LinkState("pos"))
		if link := links[len(links)-1]; all[len(all)-1].Topic != names.LinkState("pos") || link["state"] != "offline" || link["reason"] != "stop" || link["session"] != again["session"] {
			t.Errorf("last said %s, of the link %v; want it offline", all[len(all)-1].Topic, link)
		}
	})
}

func TestStateFollowsHealthAndReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := false
		f := &brokertest.Fake{}
		g := start(t, f, func(g *rig, o *report.Options) {
			g.ready = func() bool { g.mu.Lock(); defer g.mu.Unlock(); return ready }
		})
		set := func(change func()) {
			g.mu.Lock()
			change()
			g.mu.Unlock()
			g.Wake()
			pass(5 * time.Second)
		}
		pass(time.Second)
		set(func() { ready = true })
		set(func() { g.verdict = topics.HealthFailing })
		set(func() { g.verdict = topics.HealthOK })
		var got []string
		for _, m := range g.on(names.State()) {
			got = append(got, m["state"].(string)+" "+m["reason"].(string))
		}
		want := []string{"starting start", "online start", "degraded link_absent", "online recovered"}
		if len(got) != len(want) {
			t.Fatalf("states %q, want %q", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("states %q, want %q", got, want)
			}
		}
		g.stop()
	})
}

func TestHealthEvery60sGiveOrTake10Percent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		var at []time.Time
		f.Handler = func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Topic == names.Health() {
				at = append(at, time.Now())
			}
			return false
		}
		g := start(t, f)
		pass(2 * time.Hour)
		different := map[time.Duration]bool{}
		for i := 1; i < len(at); i++ {
			gap := at[i].Sub(at[i-1])
			if gap < 54*time.Second || gap > 66*time.Second {
				t.Errorf("health after %s", gap)
			}
			different[gap] = true
		}
		if len(at) < 110 || len(different) < 50 {
			t.Errorf("%d healths, %d different gaps in two hours", len(at), len(different))
		}
		if states := g.on(names.State()); len(states) < 110 {
			t.Errorf("the state was said %d times; it is to be said at every tick", len(states))
		}
		g.stop()
	})
}

func TestLinksAreSaidWhenTheyChangeAndWhenTheyAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f)
		pass(time.Second)
		if n := len(g.on(names.LinkState("pos"))); n != 1 {
			t.Errorf("said %d times at the start", n)
		}
		for range 10 { // nothing has changed
			g.Wake()
			pass(3 * time.Second)
		}
		if n := len(g.on(names.LinkState("pos"))); n != 1 {
			t.Errorf("said %d times without a change", n)
		}
		g.mu.Lock()
		g.links = []health.Link{{LinkHealth: ingest.LinkHealth{Name: "usb", State: "absent", Reason: "no device"}}}
		g.mu.Unlock()
		g.Wake()
		pass(5 * time.Second)
		usb := g.on(names.LinkState("usb"))
		if len(usb) != 1 || usb[0]["state"] != "absent" {
			t.Errorf("the new link: %v", usb)
		}
		pos := g.on(names.LinkState("pos"))
		if last := pos[len(pos)-1]; len(pos) != 2 || last["state"] != "offline" || last["reason"] != "removed" {
			t.Errorf("of the link that is gone %d messages, the last %v", len(pos), last)
		}
		g.stop()
	})
}

func TestUnfitPresenceStaysHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f, func(g *rig, o *report.Options) {
			o.Info = topics.Info{Platform: string(make([]byte, topics.MaxMessage))}
			g.links = []health.Link{{LinkHealth: ingest.LinkHealth{Name: "pos", State: "online", Reason: strings.Repeat("x", topics.MaxMessage)}}}
		})
		pass(5 * time.Second)
		if len(g.on(names.Info())) != 0 || len(g.on(names.LinkState("pos"))) != 0 || len(g.on(names.Health())) != 1 {
			t.Error("an unfit payload left, or kept others from leaving")
		}
		g.stop()
	})
}

// A store that cannot be opened is reported all the same.
func TestBrokenOutboxKeepsPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		g := start(t, f, func(g *rig, _ *report.Options) { g.out.broken = errors.New("disk") })
		g.out.addCase()
		pass(3 * time.Minute)
		if len(g.on(names.Health())) < 3 || len(f.Conns()) != 1 {
			t.Errorf("%d healths on %d connections", len(g.on(names.Health())), len(f.Conns()))
		}
		g.out.mu.Lock()
		g.out.broken = nil
		g.out.mu.Unlock()
		pass(10 * time.Second)
		if len(g.on(names.Case())) == 0 {
			t.Error("the case does not go out although the store works again")
		}
		g.stop()
	})
}

func TestStopIsFastWhateverTheBrokerDoes(t *testing.T) {
	for name, silent := range map[string]brokertest.Kind{"silent on publish": brokertest.Publish, "silent on subscribe": brokertest.Subscribe, "silent on connect": brokertest.Connect} {
		synctest.Test(t, func(t *testing.T) {
			f := &brokertest.Fake{Handler: func(_ *brokertest.FakeConn, p *brokertest.Packet) bool { return p.Kind == silent }}
			g := start(t, f, func(g *rig, _ *report.Options) {
				for range 100 {
					g.out.addCase()
				}
			})
			pass(5 * time.Second)
			began := time.Now()
			g.stop()
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("%s: stopping took %s", name, d)
			}
		})
	}
}

func TestProgressRisesInEveryState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		var unreachable atomic.Bool
		g := start(t, f, func(_ *rig, o *report.Options) {
			dial := o.Dial
			o.Dial = func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
				if unreachable.Load() {
					return nil, errors.New("away")
				}
				return dial(ctx, topic, will)
			}
		})
		for minute := range 30 {
			before := g.Status().Progress
			pass(30 * time.Second)
			if g.Status().Progress == before {
				t.Errorf("no progress in half a minute, minute %d", minute)
			}
			if minute == 10 {
				unreachable.Store(true)
				f.CloseAll()
			}
			if minute == 20 {
				unreachable.Store(false)
			}
		}
		g.stop()
	})
}

func TestLogLinesAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, &brokertest.Fake{})
		pass(time.Second)
		for range 120 { // two minutes, ten a second
			for range 10 {
				g.SendLog(topics.LogLine{TS: topics.At(time.Now()), Level: "warn", Code: "link.noise"})
				for _, code := range []string{"mqtt.lost", "report.unfit", "outbox.sent_unsaved", "delivery.unacknowledged"} {
					g.SendLog(topics.LogLine{TS: topics.At(time.Now()), Level: "warn", Code: code})
				}
			}
			pass(time.Second)
		}
		lines := g.on(names.Log("warn"))
		if len(lines) < 30 || len(lines) > 45 {
			t.Errorf("%d lines in two minutes, want 20 at once and 10 a minute", len(lines))
		}
		for _, l := range lines {
			if l["code"] != "link.noise" {
				t.Errorf("a line about publishing was published: %v", l)
			}
		}
		if s, _ := lines[len(lines)-1]["suppressed"].(float64); s < 10 {
			t.Errorf("last line %v does not say how many were not sent", lines[len(lines)-1])
		}
		g.stop()
	})
}
