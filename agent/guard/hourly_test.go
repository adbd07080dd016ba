package guard

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ask"
)

// TestTooManyInAnHour: of one terminal 60 holds, one after the other, are opened in an hour of running time; the next
// expires at once, which is reported once, without an event of its own; when the hour is over, holds open again.
func TestTooManyInAnHour(t *testing.T) {
	var flooded []string
	r := newRig(t, func(o *Options) {
		o.Event = func(name, subject string, attrs ...slog.Attr) {
			flooded = append(flooded, fmt.Sprint(name, " ", subject, " ", attrs))
		}
	})
	one := func(id string) ask.State {
		t.Helper()
		got, err := r.ask("pos", asked(id, 2, ""))
		if err != nil || got.Answer.Action != ask.Hold || got.Hold == nil {
			t.Fatalf("%+v %v", got, err)
		}
		if got.Hold.State == ask.Open {
			if _, err := r.Cancel(t.Context(), got.Hold.Key, "01"); err != nil {
				t.Fatal(err)
			}
		}
		return got.Hold.State
	}
	for i := range mostHourly {
		if s := one(fmt.Sprint("a-", i)); s != ask.Open {
			t.Fatalf("hold %d: %s", i+1, s)
		}
	}
	before := reported(t, r)
	for i := range 3 {
		if s := one(fmt.Sprint("b-", i)); s != ask.Expired {
			t.Errorf("hold %d: %s", mostHourly+1+i, s)
		}
	}
	if after := reported(t, r); after != before {
		t.Errorf("%d events of holds that were too many", after-before)
	}
	want := []string{"guard.flood terminal/" + pos + " [merchant_id=" + merchant + " terminal_id=" + pos + " open=0 last_hour=60]"}
	if diff := cmp.Diff(want, flooded); diff != "" {
		t.Error(diff)
	}
	r.mu.Lock()
	for _, h := range r.hourly { // an hour passes
		for i := range h.opened {
			h.opened[i] = h.opened[i].Add(-hour)
		}
		h.flooded = h.flooded.Add(-hour)
	}
	r.mu.Unlock()
	if s := one("c-0"); s != ask.Open || len(flooded) != 1 {
		t.Errorf("an hour later: %s, %q", s, flooded)
	}
}

// reported returns how many events have been queued.
func reported(t *testing.T, r *rig) int64 {
	t.Helper()
	s, err := r.db.OutboxStat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.LastSeq
}
