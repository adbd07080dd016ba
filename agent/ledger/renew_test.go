package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
)

// putBackOld makes a store whose first two of five cases are acknowledged, lets it go on
// after a copy was taken, and returns the copy, opened, as it was: three cases, two
// acknowledged. lost is what the copy knows nothing of: the trace of the store's end.
func putBackOld(t *testing.T, o Options, refuse bool) (d *DB, lost refund.Trace) {
	t.Helper()
	d = openTest(t, o)
	makeCases(t, d, 1, 3)
	due(t, d)
	sent(t, d, 1, 2, 3)
	acked(t, d, 1)
	if refuse {
		nacked(t, d, 2)
	}
	must(t, d.Close())
	old := filepath.Join(t.TempDir(), "old")
	must(t, os.CopyFS(old, os.DirFS(o.Dir)))
	d = openTest(t, o)
	makeCases(t, d, 4, 5)
	due(t, d)
	sent(t, d, 4, 5, 6, 7, 8)
	acked(t, d, 8)
	st := stat(t, d)
	must(t, d.Close())
	must(t, os.RemoveAll(o.Dir))
	must(t, os.CopyFS(o.Dir, os.DirFS(old)))
	return openTest(t, o), refund.Trace{By: "case-summary", Stream: st.Stream, LastSeq: st.LastSeq, AckedSeq: st.AckedSeq}
}

// TestAStorePutBackBeginsANewStream: the store of the time of case 3 is put back after
// eight were acknowledged. Two new cases are given sequences that others had; whatever
// shows it, they are sent in a new stream, and an acknowledgement of the old one does
// not reach them.
func TestAStorePutBackBeginsANewStream(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		trace  func(lost refund.Trace) refund.Trace
		more   int // cases that come before the trace is met
		refuse bool
		want   []int64 // sequences of what is sent, in the new stream
		none   bool    // it proves nothing
	}{
		"its last_seq":                         {trace: func(l refund.Trace) refund.Trace { return l }, more: 2, want: []int64{1, 2, 3, 4}},
		"its acked_seq, the store has gone on": {trace: func(l refund.Trace) refund.Trace { return l }, more: 9, want: []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		"an acknowledgement":                   {trace: func(l refund.Trace) refund.Trace { return refund.Trace{By: "ack", Stream: l.Stream, LastSeq: 8} }, more: 2, want: []int64{1, 2, 3, 4}},
		"a later stream's": {trace: func(l refund.Trace) refund.Trace {
			return refund.Trace{By: "case-summary", Stream: "LATER", LastSeq: 2, Before: []string{"X", l.Stream}}
		}, more: 2, want: []int64{1, 2, 3, 4}},
		"with one that was refused":         {trace: func(l refund.Trace) refund.Trace { return l }, more: 2, refuse: true, want: []int64{1, 2, 3, 4}},
		"an acknowledgement of what it has": {trace: func(l refund.Trace) refund.Trace { return refund.Trace{By: "ack", Stream: l.Stream, LastSeq: 5} }, more: 2, none: true},
		"an earlier stream's": {trace: func(l refund.Trace) refund.Trace {
			return refund.Trace{By: "case-summary", Stream: "EARLIER", LastSeq: 99, AckedSeq: 99}
		}, more: 2, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t.TempDir())
			d, lost := putBackOld(t, o, tc.refuse)
			makeCases(t, d, 20, tc.more)
			before, _ := waitingCases(t, d)
			renewed, err := d.RolledBack(ctx, tc.trace(lost))
			must(t, err)
			done := d.Renewed()
			if tc.none {
				if after, _ := waitingCases(t, d); renewed || done != nil || d.Stream() != lost.Stream || !slices.Equal(after, before) {
					t.Fatalf("%+v, stream %s, %v waits", done, d.Stream(), after)
				}
				return
			}
			if !renewed || done.From != lost.Stream || done.To != d.Stream() || d.Stream() == lost.Stream || done.Resent != int64(len(tc.want)) {
				t.Fatalf("%+v, stream %s", done, d.Stream())
			}
			if _, err := d.Acked(ctx, lost.Stream, 8, ""); !errors.Is(err, refund.ErrOtherStream) {
				t.Errorf("an acknowledgement of the old stream: %v", err)
			}
			checkRenewed(t, d, lost.Stream, tc.want)
			d = reopened(t, d, o)
			checkRenewed(t, d, lost.Stream, tc.want)
			compareFigures(t, d, 0)
		})
	}
}

// checkRenewed holds what waits in a new stream against what it should be.
func checkRenewed(t *testing.T, d *DB, old string, want []int64) {
	t.Helper()
	n := due(t, d)
	if got := sequences(n); !slices.Equal(got, append(slices.Clone(want), make([]int64, len(n)-len(want))...)) {
		t.Fatalf("due %v, want %v and events", got, want)
	}
	ids, told := map[string]bool{}, 0
	for _, x := range n {
		ids[x.ID] = true
		if x.Stream != d.Stream() {
			t.Errorf("%d is of stream %s", x.Entry, x.Stream)
		}
		if x.Type == "store.rolled_back" {
			told++
			if !strings.Contains(string(x.Data), `"before":"`+old+`"`) || !strings.Contains(string(x.Data), `"seen_seq":`) {
				t.Errorf("store.rolled_back says %s", x.Data)
			}
		}
		if x.Class == refund.NoticeCase && x.ID != eventID(d.keys.caseKey, strings.TrimPrefix(x.Subject, "case/"), d.Stream(), 1) {
			t.Errorf("%d has not the id that its stream makes", x.Sequence)
		}
	}
	st := stat(t, d)
	if len(ids) != len(n) || told != 1 || st.LastSeq != int64(len(want)) || st.AckedSeq != 0 || st.Quarantined != 0 || !slices.Equal(st.Before, []string{old}) {
		t.Errorf("%d ids of %d, told %d times, %+v", len(ids), len(n), told, st)
	}
}

// TestAForgedTraceCostsFewStreams: who can forge what shows that a store was put back
// gets one new stream out of it, not one for each message.
func TestAForgedTraceCostsFewStreams(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	at := start
	o.Now = func() time.Time { return at }
	forge := func(d *DB) bool {
		t.Helper()
		renewed, err := d.RolledBack(ctx, refund.Trace{By: "ack", Stream: d.Stream(), LastSeq: 1 << 40})
		must(t, err)
		return renewed
	}
	d := openTest(t, o)
	makeCases(t, d, 1, 3)
	if forge(d) {
		t.Error("a stream that this process has begun itself was given up")
	}
	d = reopened(t, d, o)
	if !forge(d) || forge(d) {
		t.Error("want one new stream in the first life")
	}
	for i, tc := range []struct {
		after time.Duration
		want  bool
	}{{time.Minute, false}, {8 * time.Minute, false}, {2 * time.Minute, true}, {-5 * time.Minute, false}, {-48 * time.Hour, true}} {
		at = at.Add(tc.after)
		d = reopened(t, d, o)
		if forge(d) != tc.want {
			t.Errorf("step %d, after %s: want a new stream: %v", i, tc.after, tc.want)
		}
	}
	if n := due(t, d); len(n) < 3 || !slices.Equal(sequences(n)[:3], []int64{1, 2, 3}) {
		t.Errorf("due %v", sequences(n))
	}
}

// TestRule05_AttemptCountsEachTime: each time that an entry is put on a connection, also
// where no PUBACK comes; another stream's entry of the same number is not counted.
func TestRule05_AttemptCountsEachTime(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 2)
	must(t, event(d, "link.lost"))
	for want := 1; want <= 3; want++ {
		for _, entry := range []int64{1, rows.FirstEvent + 1} {
			if got := d.Attempt(d.Stream(), entry); got != want {
				t.Errorf("entry %d: attempt %d, want %d", entry, got, want)
			}
		}
	}
	d.Attempt("another", 2)
	if got := d.Attempt(d.Stream(), 2); got != 1 {
		t.Errorf("attempt %d, want 1", got)
	}
	for range 1 << 16 {
		d.Attempt(d.Stream(), 1)
	}
	if got := d.Attempt(d.Stream(), 1); got != 1<<16-1 {
		t.Errorf("attempt %d after very many", got)
	}
	sent(t, d, 1)
	for _, n := range due(t, d)[:2] {
		if n.Entry == 1 && n.Taken != 1 || n.Entry == 2 && (n.Taken != 0 || n.Attempt != 1) {
			t.Errorf("%d: taken %d times, attempt %d", n.Entry, n.Taken, n.Attempt)
		}
	}
}
