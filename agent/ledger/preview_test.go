package ledger

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
)

// TestPreviewIsWhatApplyStores: of random journals, what is asked before each record is what
// is then stored of it, and asking stores nothing.
func TestPreviewIsWhatApplyStores(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(12) {
		o := testOptions(t.TempDir())
		o.Synchronous = "OFF"
		d := openTest(t, o)
		judged := 0
		for i, r := range randomjournal.Records(seed, 60) {
			a := arrivalOf(d, r)
			before, _, _ := d.w.Int(`SELECT total_changes()`)
			figures := d.now
			asked, err := d.Preview(ctx, a[0].Sightings[0].Record)
			must(t, err)
			if after, _, _ := d.w.Int(`SELECT total_changes()`); after != before || d.now.seq != figures.seq || d.w.InTransaction() {
				t.Fatalf("seed %d, record %d: asking changed the store", seed, i)
			}
			got, err := d.Apply(ctx, a)
			must(t, err)
			if asked.Seq != got[0].Seq || asked.CopyOf != got[0].CopyOf || asked.Note != got[0].Note || !cmp.Equal(asked.Integrity, got[0].Integrity) {
				t.Fatalf("seed %d, record %d: asked %d copy of %d, %q; stored %d copy of %d, %q", seed, i,
					asked.Seq, asked.CopyOf, asked.Note, got[0].Seq, got[0].CopyOf, got[0].Note)
			}
			for _, want := range asked.Verdicts {
				judged++
				stored, found, err := loadVerdict(d.w, want.Verdict.Seq)
				must(t, err)
				if diff := cmp.Diff(string(want.Verdict.AppendJSON(nil)), string(stored.Verdict.AppendJSON(nil))); !found || want.Unreleased != stored.Unreleased || diff != "" {
					t.Fatalf("seed %d, record %d: held %t and %t, %s", seed, i, want.Unreleased, stored.Unreleased, diff)
				}
			}
		}
		if judged < 10 {
			t.Errorf("seed %d: %d verdicts are few", seed, judged)
		}
	}
}

func TestPreviewWaitsForACommitUntilItsDeadline(t *testing.T) {
	withSlow(t, func(t *testing.T, s *slowStore) {
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := s.d.Apply(t.Context(), s.from("pos", 1)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		r := s.from("pos", 2)[1].Sightings[0].Record
		for wait, ok := range map[time.Duration]bool{100 * time.Millisecond: false, 5 * time.Second: true} {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				defer cancel()
				ch, err := s.d.Preview(ctx, r)
				if ok != (err == nil) || !ok && !errors.Is(err, context.DeadlineExceeded) || ok && ch.Seq != 2 {
					t.Errorf("within %s: record %d, %v", wait, ch.Seq, err)
				}
			})
		}
		all.Wait()
	})
}

// slowJudge reads the history for as long as it is given any.
type slowJudge struct{ judge }

func (j slowJudge) Apply(h refund.History, _ int64, _ refund.Record) (refund.Changes, error) {
	for {
		for _, err := range h.Range(1, 1) {
			if err != nil {
				return refund.Changes{}, err
			}
		}
	}
}

func TestPreviewEndsAJudgeThatIsLate(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	apply(t, d, saleOf(1, start))
	quick := d.judge
	d.judge = slowJudge{quick}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r := arrivalOf(d, refundOf(1, 2, card(1), start))[0].Sightings[0].Record
	if _, err := d.Preview(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	d.judge = quick
	if ch, err := d.Preview(t.Context(), r); err != nil || len(ch.Verdicts) != 1 || ch.Verdicts[0].Verdict.Recipient != refund.Same {
		t.Errorf("after it: %+v, %v", ch.Verdicts, err)
	}
}

func TestPreviewOfAStoreThatIsNotOpen(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	<-d.writer
	d.breakOff(errors.New("disk"))
	d.release()
	if _, err := d.Preview(t.Context(), refund.Record{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("away: %v", err)
	}
	must(t, d.Close())
	if _, err := d.Preview(t.Context(), refund.Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
