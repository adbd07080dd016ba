package agent

import (
	"errors"
	"testing"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/guard"
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
