package agent

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/guard"
	"yuanlu/agent/guard/pins"
	"yuanlu/agent/health"
	"yuanlu/agent/refund"
)

// TestTheBackOfficeEndsAHold: of an agent whose link has a guard, a command ends the hold that
// an ask has made, a case states the level of its link, and so does the state of the link.
func TestTheBackOfficeEndsAHold(t *testing.T) {
	r := newRig(t, "", func(o *Options) {
		o.Config.Links[0].Guard, o.Links[0].Config.Guard = config.GuardHold, config.GuardHold
	})
	stop := r.run(t)
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	r.await(t, "READY=1")
	if got := levelOf(r.config, "pos"); got != ask.HoldLevel {
		t.Errorf("level of pos: %s", got)
	}
	if got := levelOf(r.config, "none"); got != ask.Off {
		t.Errorf("level of no link: %s", got)
	}
	if l := r.agent.links()[0]; l.Guard != "hold" {
		t.Errorf("the link's guard is %q", l.Guard)
	}
	var refused *control.Error
	const about = `{"merchant_id":"M","terminal_id":"T","ask":"a-1","by":"ann"}`
	if _, err := r.do(t, "hold-cancel", about, nil); !errors.As(err, &refused) || refused.Code != guard.CodeUnknown {
		t.Errorf("of no ask: %v", err)
	}
	a, err := refund.ParseAsk([]byte(`{"kind":"refund","merchant_id":"M","terminal_id":"T","amount":400,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","ask":{"id":"a-1","deadline_ms":5000}}`), refund.AskForm{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.agent.tills.guard.Load().Ask(t.Context(), guard.Request{Link: "pos", Ask: a, Received: time.Now()})
	if err != nil || got.Hold == nil || got.Hold.State != ask.Open {
		t.Fatalf("%+v %v", got, err)
	}
	var state struct{ State string }
	if _, err := r.do(t, "hold-cancel", about, &state); err != nil || state.State != "cancelled" {
		t.Errorf("%+v %v", state, err)
	}
	if _, err := r.do(t, "hold-cancel", about, nil); !errors.As(err, &refused) || refused.Code != guard.CodeEnded {
		t.Errorf("twice: %v", err)
	}
}

// TestDoctorNamesWhoCannotBeReleased: health and doctor of an agent whose link holds refunds,
// while no supervisor has a PIN, while he has one, while others may read it, and after a refund
// of his own without an ask.
func TestDoctorNamesWhoCannotBeReleased(t *testing.T) {
	r := newRig(t, "", func(o *Options) {
		o.Config.Links[0].Guard, o.Links[0].Config.Guard = config.GuardHold, config.GuardHold
		o.Config.Guard.Supervisors = []config.Supervisor{{ID: "s-1", Operators: []string{"07"}}}
	})
	stop := r.run(t)
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	r.await(t, "READY=1")
	codes := func() (found []string) {
		t.Helper()
		s := r.agent.Snapshot(t.Context())
		for _, p := range s.Problems {
			if slices.Contains([]string{"guard_no_supervisor", "guard_pins", "guard_unasked"}, p.Code) {
				found = append(found, p.Code)
			}
		}
		lines := r.agent.Examine(t.Context(), false, nil)
		for _, code := range found {
			if !slices.ContainsFunc(lines, func(l health.Checkup) bool { return l.Name == code && l.Level == health.Warning }) {
				t.Errorf("doctor has no line %s: %+v", code, lines)
			}
		}
		slices.Sort(found)
		return found
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if got := codes(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect("without a PIN", "guard_no_supervisor")
	keys := filepath.Join(r.config.Store.Dir, "keys")
	if err := pins.Set(keys, "s-1", refund.NewSecret("271828")); err != nil {
		t.Fatal(err)
	}
	expect("with a PIN")
	if err := os.Chmod(filepath.Join(keys, "pins"), 0o640); err != nil {
		t.Fatal(err)
	}
	expect("readable by a group", "guard_pins")
	db := r.agent.Store()
	own := refund.Record{Kind: refund.KindRefund, Outcome: refund.Approved, MerchantID: "M", TerminalID: "T", Operator: "7", Channel: refund.ChannelCard,
		Amount: 100, HasAmount: true, Currency: "CNY", At: r.agent.clock.Now().Format(time.RFC3339)}
	if _, err := db.Apply(t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(own, db.Keys()), Received: r.agent.clock.Now(), ClockSynced: true}}}}); err != nil {
		t.Fatal(err)
	}
	expect("after his own refund", "guard_no_supervisor", "guard_pins", "guard_unasked")
}
