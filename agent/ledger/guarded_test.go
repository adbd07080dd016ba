package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/ask"
	"yuanlu/agent/refund"
)

// guardedNow is what Guarded returns in a test.
func guardedNow(t *testing.T, d *DB, now time.Time) []Guarded {
	t.Helper()
	got, whole, err := d.Guarded(t.Context(), now)
	if err != nil || !whole {
		t.Fatal(whole, err)
	}
	return got
}

// TestGuarded: refunds on links with a guard count once, each with whether it was asked about;
// what is declined, a copy, training, or on a link without a guard does not. What comes later
// is added; after 30 days nothing is left.
func TestGuarded(t *testing.T) {
	o := testOptions(t.TempDir())
	level := ask.Off
	o.Level = func(string) ask.Level { return level }
	d := openTest(t, o)
	apply(t, d, saleOf(1, start))
	operator := func(r refund.Record, number string) refund.Record { r.Operator = number; return r }
	apply(t, d, operator(refundOf(1, 40, card(1), start.Add(time.Minute)), "99"))
	if got := guardedNow(t, d, start); len(got) != 0 {
		t.Errorf("without a guard: %+v", got)
	}
	level = ask.HoldLevel
	got, err := d.Ask(t.Context(), askTo(d, "a-1", 1, card(1)), holdLevel())
	must(t, err)
	asked := refundOf(1, 50, card(1), start.Add(time.Minute))
	asked.Ask = "a-1"
	declined := operator(refundOf(1, 51, card(1), start.Add(2*time.Minute)), "88")
	declined.Outcome, declined.ResponseCode = refund.Declined, "51"
	training := operator(refundOf(1, 52, card(1), start.Add(3*time.Minute)), "77")
	training.Training = true
	unasked := operator(refundOf(1, 53, card(1), start.Add(4*time.Minute)), "07")
	apply(t, d, asked, declined, training, unasked)
	apply(t, d, unasked) // a copy
	if diff := cmp.Diff([]Guarded{{"pos", 2, 1, []string{"01", "07"}}}, guardedNow(t, d, start)); diff != "" {
		t.Errorf("%s, the ask: %+v", diff, got.Entry.Answer)
	}
	apply(t, d, operator(refundOf(1, 54, card(1), start.Add(5*time.Minute)), ""))
	held, err := d.Ask(t.Context(), askTo(d, "a-2", 1, card(9)), AskHow{Link: "till", Level: ask.Office, HoldFor: time.Hour})
	must(t, err)
	if held.Entry.Held == nil {
		t.Fatalf("%+v", held.Entry.Answer)
	}
	want := []Guarded{{"pos", 3, 2, []string{"", "01", "07"}}, {"till", 0, 0, []string{"01"}}}
	if diff := cmp.Diff(want, guardedNow(t, d, start)); diff != "" {
		t.Error(diff)
	}
	must(t, d.Close())
	d = openTest(t, o) // counted again from the store
	if diff := cmp.Diff(want, guardedNow(t, d, start)); diff != "" {
		t.Error(diff)
	}
	if got := guardedNow(t, d, start.Add(GuardedFor+2*day)); len(got) != 0 {
		t.Errorf("after 30 days: %+v", got)
	}
}

// TestGuardedReadsInParts: no call reads more than its part, and all calls together count each
// refund once.
func TestGuardedReadsInParts(t *testing.T) {
	o := testOptions(t.TempDir())
	o.Level = func(string) ask.Level { return ask.Advise }
	d := openTest(t, o)
	const n = mostGuardedRead + 10
	var list []refund.Record
	for i := range n {
		r := refundOf(i, i, card(1), start.Add(time.Duration(i)*time.Second))
		r.RRN, r.Stan = fmt.Sprintf("%012d", 270000000000+i), fmt.Sprintf("%06d", i)
		if list = append(list, r); len(list) == 1000 || i == n-1 {
			apply(t, d, list...)
			list = nil
		}
	}
	got, whole, err := d.Guarded(t.Context(), start)
	must(t, err)
	if whole || got[0].Refunds != mostGuardedRead {
		t.Errorf("first: %v %+v", whole, got)
	}
	if got := guardedNow(t, d, start); got[0].Refunds != n || got[0].Unasked != n {
		t.Errorf("then: %+v", got)
	}
}
