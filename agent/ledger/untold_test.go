package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/refund"
)

// deliverAll has the back office take everything and returns the cases in the order they came.
func deliverAll(t *testing.T, d *DB) (all []refund.Notice) {
	t.Helper()
	ctx := context.Background()
	for range 1000 {
		list := due(t, d)
		if len(list) == 0 {
			return all
		}
		var entries []int64
		last := int64(0)
		for _, n := range list {
			entries = append(entries, n.Entry)
			if n.Class == refund.NoticeCase {
				all, last = append(all, n), n.Sequence
			}
		}
		must(t, d.Sent(ctx, d.Stream(), entries, start.Add(outbox.MostWait)))
		_, err := d.Acked(ctx, d.Stream(), last, "")
		must(t, err)
		must(t, d.save(ctx))
	}
	t.Fatal("the outbox does not become empty")
	return nil
}

// lifeOfCases returns records of which most become cases: wrong refunds; every third is
// revised and every sixth cleared by what comes later.
func lifeOfCases(n int) (all []refund.Record) {
	for i := range n {
		sale, wrong := saleOf(i*10, start.Add(-time.Hour)), refundOf(i*10, i*10+1, card(i+500_000), start)
		wrong.RefundNo, wrong.Outcome = fmt.Sprintf("R%d", i), refund.Unknown
		all = append(all, sale, wrong)
		if i%3 == 0 {
			wrong.Outcome, wrong.Copy = refund.Approved, refund.CopyUpload
			all = append(all, wrong)
		}
		if i%6 == 0 {
			wrong.Outcome = refund.Closed
			all = append(all, wrong)
		}
	}
	return all
}

// TestRule08_WhatFoundNoRoomIsMadeAgain: a store with a small outbox tells the same as
// one that has room for everything, with the same ids, times and data, each once and in
// order, also over new openings; but of a case whose steps all found no room, only the
// opening and the newest step.
func TestRule08_WhatFoundNoRoomIsMadeAgain(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	first := openTest(t, testOptions(filepath.Join(root, "roomy")))
	must(t, first.Close()) // the same keys and the same stream, so the same ids
	must(t, os.CopyFS(filepath.Join(root, "small"), os.DirFS(filepath.Join(root, "roomy"))))
	small := testOptions(filepath.Join(root, "small"))
	small.OutboxMaxCount = 7
	a, b := openTest(t, testOptions(filepath.Join(root, "roomy"))), openTest(t, small)
	for i, r := range lifeOfCases(60) {
		apply(t, a, r)
		apply(t, b, r)
		if i%50 == 49 {
			must(t, b.Close())
			b = openTest(t, small)
		}
	}
	if st := stat(t, b); st.Unsequenced < 50 {
		t.Fatalf("stat %+v: the test shows too little", st)
	}
	if n, _, err := b.w.Int(`SELECT count(*) FROM untold WHERE data <> '' AND type <> ?1`); err != nil || n != 0 {
		t.Errorf("%d newest steps have their data already (%v)", n, err)
	}
	want := map[string][]refund.Notice{}
	for _, n := range deliverAll(t, a) {
		list := want[n.Subject]
		if len(list) > 1 {
			list = list[:1] // what lies between tells nothing more
		}
		want[n.Subject] = append(list, n)
	}
	got := map[string][]refund.Notice{}
	for i, n := range deliverAll(t, b) {
		if n.Sequence != int64(i+1) {
			t.Errorf("sequence %d comes as the %d.", n.Sequence, i+1)
		}
		got[n.Subject] = append(got[n.Subject], n)
	}
	if len(got) != len(want) {
		t.Errorf("%d cases, want %d", len(got), len(want))
	}
	for subject, list := range want {
		have := got[subject]
		if len(have) > len(list) { // of the first cases every step found room
			have = append(have[:1:1], have[len(have)-1])
		}
		if len(have) != len(list) {
			t.Errorf("%s: told %v, want %v", subject, types(have), types(list))
			continue
		}
		for i := range list {
			w, h := list[i], have[i]
			if h.ID != w.ID || h.Type != w.Type || !h.Time.Equal(w.Time) || h.Historical != w.Historical || string(h.Data) != string(w.Data) {
				t.Errorf("%s, step %d:\n%s\nwant\n%s", subject, i, h.Data, w.Data)
			}
		}
	}
	if st := stat(t, b); st.Unsequenced != 0 || st.Waiting != 0 {
		t.Errorf("stat %+v", st)
	}
	must(t, b.save(ctx))
}

// TestRule08_NoRoomCostsLittle: what a wrong refund takes beside a full outbox is its
// records and its verdict, not an event that cannot be published.
func TestRule08_NoRoomCostsLittle(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "s"))
	o.OutboxMaxCount = 20
	d := openTest(t, o)
	size := func() int64 {
		if _, _, err := d.w.Int("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		return fileSize(filepath.Join(o.Dir, storeFile))
	}
	makeCases(t, d, 1, 100)
	const n = 500
	before := size()
	makeCases(t, d, 1000, n)
	each := (size() - before) / n
	t.Logf("%d bytes per wrong refund and its sale, beside a full outbox", each)
	if st := stat(t, d); st.Unsequenced < n {
		t.Fatalf("stat %+v", st)
	}
	longest, _, err := d.w.Int(`SELECT max(length(data)) FROM untold`)
	must(t, err)
	if longest != 0 {
		t.Errorf("an event that found no room has %d bytes of data", longest)
	}
	if each > 4096 {
		t.Errorf("%d bytes", each)
	}
}

// TestARecordStaysUntilItsCaseIsTold: retention keeps what an event is still to be made
// of, and nothing of it once the event is published.
func TestARecordStaysUntilItsCaseIsTold(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.OutboxMaxCount = 1
	d := openTest(t, o)
	for _, r := range lifeOfCases(7) { // the last one is cleared
		apply(t, d, r)
	}
	late := start.Add(600 * day)
	apply(t, d, saleOf(900_000, start))
	d.now.newest = late
	for range 10 {
		_, err := d.Retain(ctx, late, 100)
		must(t, err)
	}
	told := deliverAll(t, d)
	var last refund.Notice
	for _, n := range told {
		if strings.Contains(string(n.Data), `"R6"`) {
			last = n
		}
	}
	if last.Type != refund.CaseCleared {
		t.Errorf("the cleared case ends with %q of %d events", last.Type, len(told))
	}
	d.now.newest = late
	n := 0
	for range 10 {
		gone, err := d.Retain(ctx, late, 100)
		must(t, err)
		n += gone
	}
	if n == 0 {
		t.Error("the records of a cleared and told case stay for ever")
	}
}
