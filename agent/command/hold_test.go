package command

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard"
	"yuanlu/agent/report"
)

// desk notes what the back office orders, and refuses what err holds.
type desk struct {
	did []string
	err error
}

func (d *desk) OfficeRelease(_ context.Context, k ask.Key, r guard.Release) (ask.Held, error) {
	d.did = append(d.did, fmt.Sprint("release ", k, " ", r.By, " ", r.Reason, " ", r.Text))
	return ask.Held{State: ask.Released}, d.err
}

func (d *desk) OfficeCancel(_ context.Context, k ask.Key, by string) (ask.Held, error) {
	d.did = append(d.did, fmt.Sprint("cancel ", k, " ", by))
	return ask.Held{State: ask.Cancelled}, d.err
}

// TestHoldCommands: what the back office orders reaches the guard, and a refusal its answer.
func TestHoldCommands(t *testing.T) {
	r, d := newRig(t), &desk{}
	const args = `{"merchant_id":"M","terminal_id":"T","ask":"a-1","by":"ann","reason":"consent","text":"by phone"}`
	if _, err := r.do(t, "hold-release", args, nil); !isControl(err, guard.CodeStore, "") {
		t.Errorf("without a guard: %v", err)
	}
	r.office = d
	var got struct{ State string }
	if _, err := r.do(t, "hold-release", args, &got); err != nil || got.State != "released" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := r.do(t, "hold-cancel", `{"merchant_id":"M","terminal_id":"T","ask":"a-2","by":"ann"}`, &got); err != nil || got.State != "cancelled" {
		t.Errorf("%+v %v", got, err)
	}
	if want := "[release {M T a-1} ann consent by phone cancel {M T a-2} ann]"; fmt.Sprint(d.did) != want {
		t.Errorf("got %v, want %s", d.did, want)
	}
	d.err = &guard.Refusal{Code: guard.CodeEnded, State: ask.Expired}
	_, err := r.set.Funcs().Do(t.Context(), report.Command{Name: "hold-release", Args: []byte(args)})
	var refused *report.CommandError
	if !errors.As(err, &refused) || refused.Code != guard.CodeEnded || refused.Rejected {
		t.Errorf("%+v", err)
	}
}
