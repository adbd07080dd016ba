package agent

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/protocol/wiretest"
)

// misposSale is a sale as a terminal of the field says it, dated at.
func misposSale(t *testing.T, trace string, at time.Time) []byte {
	t.Helper()
	at = at.In(time.FixedZone("", 8*3600))
	data := []byte{0x9F, 0x01, 0, 1, 2}
	for _, part := range [][2]string{{"9F14", "00"}, {"9F04", "898000000000001"}, {"9F05", "10000001"}, {"9F02", "000000000350"},
		{"9F0D", "000001"}, {"9F0E", trace}, {"9F10", "261103" + trace}, {"9F11", at.Format("20060102")}, {"9F12", at.Format("150405")}} {
		tag, err := hex.DecodeString(part[0])
		if err != nil {
			t.Fatal(err)
		}
		data = append(append(append(data, tag...), 0, byte(len(part[1]))), part[1]...)
	}
	raw, err := wiretest.AppendSTX(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// say sends one sale and waits until it is durable.
func (r *rig) say(t *testing.T, trace string, at time.Time) {
	t.Helper()
	r.tell(t, misposSale(t, trace, at))
}

// problemOf returns the problem with this code, nil if there is none.
func problemOf(s *health.Snapshot, code string) *health.Problem {
	for i := range s.Problems {
		if s.Problems[i].Code == code {
			return &s.Problems[i]
		}
	}
	return nil
}

// near reports whether a time is that of the system's clock.
func near(at time.Time) bool { return time.Since(at).Abs() < time.Minute }

// TestRecordsInFuture: a sale that its terminal dates half a day ahead. With a trusted
// clock it moves nothing: before, commands were expired, and health and cases stamped
// ahead, after a restart too. It is a problem that names the terminal, until that dates
// its records right.
func TestRecordsInFuture(t *testing.T) {
	r := newRig(t, "", nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	r.say(t, "000001", time.Now())
	if s := r.agent.Snapshot(t.Context()); problemOf(&s, "records_in_future") != nil {
		t.Error("a sale dated now is in the future")
	}
	r.say(t, "000002", time.Now().Add(12*time.Hour))
	if l := r.line(t, "records.in_future"); l.Field("terminal") != "10000001" || l.Field("merchant") != "898000000000001" || l.Field("link") != "pos" {
		t.Errorf("line %s", l)
	}
	r.agent.Event("probe", "test")
	for deadline := time.Now().Add(20 * time.Second); ; {
		if n, ok := waitingEvents(t, r.agent)["probe"]; ok {
			if !near(n.Time) || !n.ClockSynced {
				t.Errorf("an event is stamped %s, synced %v", n.Time, n.ClockSynced)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no event")
		}
		<-time.After(5 * time.Millisecond)
	}
	check := func(s health.Snapshot) {
		t.Helper()
		if !near(s.At) || !near(r.agent.Clock().Now()) || !near(r.agent.Clock().CertTime()) || !s.Clock.Synced {
			t.Errorf("the clock is moved: %s", s.At)
		}
		p := problemOf(&s, "records_in_future")
		if p == nil || p.About != "10000001" || !strings.Contains(p.Text.EN, "898000000000001") || !strings.Contains(p.Text.ZH, "10000001") || p.Remedy.ZH == "" || p.Level != health.Degraded {
			t.Errorf("problem %+v", p)
		}
	}
	check(r.agent.Snapshot(t.Context()))
	found := false
	for _, line := range r.agent.Examine(t.Context(), false, nil) {
		found = found || strings.Contains(line.Text, "10000001") && line.Level == health.Warning
	}
	if !found {
		t.Error("doctor does not say it")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	again := newRig(t, "", func(o *Options) { o.Config.Store = r.config.Store })
	stop = again.run(t)
	again.await(t, "READY=1")
	r = again
	check(again.agent.Snapshot(t.Context()))
	again.say(t, "000003", time.Now())
	if s := again.agent.Snapshot(t.Context()); problemOf(&s, "records_in_future") != nil {
		t.Error("it stays a problem though the terminal is right again")
	}
	again.line(t, "records.in_time")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestStoreWithMovedClockHeals: a store whose receptions were stamped by a clock that
// its records had moved ahead, as agents up to now did it.
func TestStoreWithMovedClockHeals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	moved := time.Now().Add(30 * time.Hour)
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Terminal: "t-1", Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()),
		Now: func() time.Time { return moved }})
	if err != nil {
		t.Fatal(err)
	}
	sale := refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, Amount: 350, Currency: "CNY", MerchantID: "898000000000001", TerminalID: "10000001",
		Channel: "card", RRN: "261103000001", At: moved.Add(time.Hour).Format(time.RFC3339)}
	if _, err := db.Apply(t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Record: sale, Received: moved, ClockSynced: true}}}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, "", func(o *Options) { o.Config.Store.Dir = dir })
	stop := r.run(t)
	r.await(t, "READY=1")
	s := r.agent.Snapshot(t.Context())
	if !near(s.At) {
		t.Errorf("the clock says %s", s.At)
	}
	if p := problemOf(&s, "records_in_future"); p == nil || p.About != "10000001" {
		t.Errorf("problems %+v", s.Problems)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

// TestUnsyncedClockIsAnEvent: an agent that starts with such a clock says it, too.
func TestUnsyncedClockIsAnEvent(t *testing.T) {
	r := newRig(t, "", func(o *Options) {
		o.Clock = NewClock(time.Now, time.Time{}, func() (bool, time.Duration) { return false, 0 })
	})
	stop := r.run(t)
	r.await(t, "READY=1")
	for deadline := time.Now().Add(20 * time.Second); ; {
		if n, ok := waitingEvents(t, r.agent)["clock.unsynced"]; ok {
			if n.ClockSynced {
				t.Error("the event has clocksynced true")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no event")
		}
		<-time.After(5 * time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
