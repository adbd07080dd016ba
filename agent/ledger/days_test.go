package ledger

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
)

// TestDaysAreCountedTheSame: whether the table daily is written with every commit, now and
// then or never, at once and after an opening, and where another process reads the store.
func TestDaysAreCountedTheSame(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(3) {
		var want Counts
		for _, flush := range []int{1, 40, 1 << 20} {
			o := testOptions(t.TempDir())
			o.flushKeys, o.MinSeverity = flush, refund.Low
			d, err := Open(ctx, o)
			must(t, err)
			for i, part := range slices.Collect(slices.Chunk(randomjournal.Records(seed+900, 150), 3)) {
				a := arrivalOf(d, part...)
				for j := range a {
					a[j].Sightings[0].Received = start.Add(time.Duration(i-25) * time.Hour)
				}
				_, err := d.Apply(ctx, a)
				must(t, err)
				if i%20 == 19 { // a case is also opened without a record
					_, _, err := d.ReleaseDue(ctx, time.Duration(i)*time.Hour)
					must(t, err)
				}
			}
			had, err := d.Counts(ctx, start)
			must(t, err)
			if want.Refunds == 0 {
				if want = had; had.Refunds <= had.RefundsToday || had.RefundsToday == 0 || had.Cases == 0 {
					t.Fatalf("seed %d: %+v", seed, had)
				}
			}
			other, err := OpenReadOnly(ctx, o.Dir)
			must(t, err)
			read, err := other.Counts(ctx, start)
			must(t, err)
			must(t, other.Close())
			d.breakOff(errors.New("injected"))
			broken, err := d.Counts(ctx, start)
			must(t, err)
			must(t, d.Close())
			d = openTest(t, o)
			again, err := d.Counts(ctx, start)
			must(t, err)
			if had != want || read != want || broken != want || again != want {
				t.Errorf("seed %d, %d keys at once:\n%+v, want\n%+v; read by another process\n%+v; broken off\n%+v; opened again\n%+v", seed, flush, had, want, read, broken, again)
			}
		}
	}
}

// TestSequencesGoOnFromTheirRows: a case's commit does not write the outbox's figures; its
// row proves its sequence, and where that is removed the figures are written with it.
func TestSequencesGoOnFromTheirRows(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	d, err := Open(ctx, o)
	must(t, err)
	for n := range 3 {
		wrongRefund(t, d, 10*n)
	}
	if text, err := metaText(d.w, "outbox.last"); text != "" || err != nil {
		t.Errorf("outbox.last is written: %q (%v)", text, err)
	}
	must(t, d.Close())
	d, err = Open(ctx, o)
	must(t, err)
	must(t, d.Sent(ctx, d.Stream(), []int64{1, 2, 3}, start.Add(time.Hour)))
	_, err = d.Acked(ctx, d.Stream(), 3, "")
	must(t, err)
	must(t, d.save(ctx))
	if left, _, err := d.w.Int(`SELECT count(*) FROM outbox`); left != 0 || err != nil {
		t.Fatalf("%d entries are left (%v)", left, err)
	}
	must(t, d.w.Script(`DELETE FROM meta WHERE name IN ('outbox.sent', 'outbox.acked')`)) // only last proves it
	must(t, d.Close())
	d = openTest(t, o)
	if got := wrongRefund(t, d, 50); got[1].Cases[0].Sequence != 4 {
		t.Errorf("sequence %d, want 4", got[1].Cases[0].Sequence)
	}
}
