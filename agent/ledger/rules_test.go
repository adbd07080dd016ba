package ledger

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

// topics.md rules 1, 8 and 9 of topics.md are the store's. What is here beside
// outbox_test.go and damage_test.go: the sentences of a rule that those do not show.

// A verdict that only the end of its grace releases brings its case event in the same
// transaction, and before it is published.
func TestRule01_TheEndOfTheGraceQueuesInTheSameTransaction(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	apply(t, d, refundOf(999, 1000, card(1), start)) // its sale never came
	if st := stat(t, d); st.LastSeq != 0 {
		t.Fatalf("queued before its grace is over: %+v", st)
	}
	released, _, err := d.ReleaseDue(context.Background(), time.Hour)
	if err != nil || len(released) != 1 || len(released[0].Cases) != 1 {
		t.Fatalf("released %+v, %v", released, err)
	}
	n := due(t, d)
	if len(n) != 1 || n[0].Sequence != released[0].Cases[0].Sequence || n[0].Type != refund.CaseOpened {
		t.Errorf("queued %+v; released %+v", n, released[0].Cases)
	}
}

// A full outbox is reported, keeps storing verdicts, and events and never cases go. The
// one event about it counts them.
func TestRule08_AFullOutboxSaysSoAndStoresOn(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.OutboxMaxBytes = 64 << 10
	d := openTest(t, o)
	for i := range 40 {
		if err := d.AddEvent(ctx, refund.Notice{Type: "link.lost", Subject: "link/pos", Time: start, Data: fmt.Appendf(nil, `{"n":%d,"x":%q}`, i, strings.Repeat("x", 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	makeCases(t, d, 1, 40)
	st := stat(t, d)
	if st.Dropped == 0 || st.Unsequenced == 0 || st.Bytes > o.OutboxMaxBytes+4<<10 {
		t.Fatalf("not full: %+v", st)
	}
	counts, err := d.Counts(ctx, start)
	if err != nil || counts.Cases != 40 || counts.Refunds < 40 {
		t.Errorf("a full outbox kept cases from the store: %+v, %v", counts, err)
	}
	evicted := 0
	for _, n := range due(t, d) {
		if n.Type == "outbox.evicted" {
			if evicted++; !strings.Contains(string(n.Data), fmt.Sprint(st.Dropped)) {
				t.Errorf("outbox.evicted holds %s, dropped %d", n.Data, st.Dropped)
			}
		}
		if n.Type == "link.lost" && st.Unsequenced > 0 {
			t.Error("an event stayed although cases wait for room")
		}
	}
	if evicted != 1 {
		t.Errorf("%d events outbox.evicted, want one", evicted)
	}
}

// An event that is older than the outbox keeps them goes with the next one; a case
// never does, however old.
func TestRule08_AgeTakesEventsAndNoCases(t *testing.T) {
	o := testOptions(t.TempDir())
	at := start
	o.Now = func() time.Time { return at }
	o.OutboxMaxAge = 24 * time.Hour
	d := openTest(t, o)
	makeCases(t, d, 1, 1)
	if err := event(d, "link.lost"); err != nil {
		t.Fatal(err)
	}
	at = start.Add(40 * 24 * time.Hour)
	if err := d.AddEvent(context.Background(), refund.Notice{Type: "link.restored", Subject: "link/pos", Time: at, Data: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	var types []string
	list, _, err := d.Due(context.Background(), at, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		types = append(types, n.Type)
	}
	if got := strings.Join(types, " "); !strings.HasPrefix(got, refund.CaseOpened) || strings.Contains(got, "link.lost") || !strings.Contains(got, "link.restored") {
		t.Errorf("after forty days: %s", got)
	}
}
