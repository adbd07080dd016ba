package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

// makeCases makes n cases, one batch each.
func makeCases(t testing.TB, d *DB, first, n int) {
	t.Helper()
	for i := range n {
		wrongRefund(t, d, (first+i)*10)
	}
}

func sequences(list []refund.Notice) (seqs []int64) {
	for _, n := range list {
		seqs = append(seqs, n.Sequence)
	}
	return seqs
}

func event(d *DB, name string) error {
	return d.AddEvent(context.Background(), refund.Notice{Type: name, Subject: "link/pos", Time: start, Data: []byte(`{"a":1}`)})
}

func stat(t testing.TB, d *DB) refund.OutboxStat {
	t.Helper()
	st, err := d.OutboxStat(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestRule1CaseIsQueuedWithItsVerdict(t *testing.T) {
	o := testOptions(t.TempDir())
	seen := 0
	var d *DB
	o.step = func(name string) {
		if name != "commit" || d == nil {
			return
		}
		verdicts, _, _ := d.w.queryInt(`SELECT count(*) FROM verdict WHERE rev > 0`)
		cases, _, _ := d.w.queryInt(`SELECT count(*) FROM outbox`)
		if verdicts > 0 && verdicts != cases {
			t.Errorf("before the commit: %d verdicts, %d case events", verdicts, cases)
		}
		seen++
	}
	d = openTest(t, o)
	makeCases(t, d, 1, 3)
	apply(t, d, refundOf(999, 1000, card(1), start)) // waits
	if _, _, err := d.ReleaseHeld(context.Background(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if n := due(t, d); len(n) != 4 || seen < 5 {
		t.Errorf("%d due after %d commits", len(n), seen)
	}
}

func TestRule2CasesInOrderBeforeEvents(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	if err := event(d, "link.lost"); err != nil {
		t.Fatal(err)
	}
	makeCases(t, d, 1, 3)
	n := due(t, d)
	if !slices.Equal(sequences(n), []int64{1, 2, 3, 0}) || n[3].Class != refund.NoticeEvent || n[3].ID == "" {
		t.Fatalf("due %v", sequences(n))
	}
	two, next, err := d.Due(context.Background(), start, 2)
	if err != nil || len(two) != 2 || next.After(start) {
		t.Errorf("limit: %d, next %v, %v", len(two), next, err)
	}
}

func TestRule4And5SentIsNotDelivered(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	makeCases(t, d, 1, 3)
	retry := start.Add(30 * time.Second)
	if err := d.Sent(ctx, []int64{1, 2}, retry); err != nil {
		t.Fatal(err)
	}
	n, next, err := d.Due(ctx, start, 10)
	if err != nil || !slices.Equal(sequences(n), []int64{3}) {
		t.Fatalf("due %v %v", sequences(n), err)
	}
	if err := d.Sent(ctx, []int64{3}, retry); err != nil {
		t.Fatal(err)
	}
	if _, next, _ = d.Due(ctx, start, 10); !next.Equal(retry) {
		t.Errorf("next due %v, want %v", next, retry)
	}
	n, _, _ = d.Due(ctx, retry, 10)
	if !slices.Equal(sequences(n), []int64{1, 2, 3}) || n[0].Attempt != 2 {
		t.Fatalf("again %v, attempt %d", sequences(n), n[0].Attempt)
	}
	if acked, err := d.Acked(ctx, "another", 3); acked != 0 || err != nil {
		t.Errorf("another stream moved it to %d (%v)", acked, err)
	}
	if acked, err := d.Acked(ctx, d.Stream(), 2); acked != 2 || err != nil {
		t.Fatalf("acked %d %v", acked, err)
	}
	if acked, err := d.Acked(ctx, d.Stream(), 1); acked != 2 || err != nil {
		t.Errorf("moved back to %d (%v)", acked, err)
	}
	st := stat(t, d)
	if st.AckedSeq != 2 || st.SentSeq != 3 || st.LastSeq != 3 || st.Waiting != 1 || st.OldestUnacked.IsZero() {
		t.Errorf("stat %+v", st)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openTest(t, testOptions(dir))
	if st := stat(t, d); st.SentSeq != 3 || st.AckedSeq != 2 || st.Waiting != 1 {
		t.Errorf("after reopening %+v", st)
	}
}

func TestRule4AckNeverPassesWhatWasSent(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 3)
	if acked, err := d.Acked(ctx, d.Stream(), 1<<50); acked != 0 || err != nil {
		t.Fatalf("nothing was sent, acked %d (%v)", acked, err)
	}
	if n, _, err := d.Due(ctx, start, 2); len(n) != 2 || err != nil {
		t.Fatal(n, err)
	}
	// The desk is faster than our PUBACK: what was handed out counts once it is sent.
	if acked, err := d.Acked(ctx, d.Stream(), 2); acked != 0 || err != nil {
		t.Fatalf("acked %d (%v)", acked, err)
	}
	if err := d.Sent(ctx, []int64{1, 2}, start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if st := stat(t, d); st.AckedSeq != 2 || st.Waiting != 1 {
		t.Errorf("stat %+v", st)
	}
}

func TestAnEventIsDoneWithItsPuback(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	for range 70 {
		if err := event(d, "link.lost"); err != nil {
			t.Fatal(err)
		}
	}
	var entries []int64
	for _, n := range due(t, d) {
		entries = append(entries, n.Entry)
	}
	if err := d.Sent(ctx, entries, start); err != nil {
		t.Fatal(err)
	}
	if n := due(t, d); len(n) != 0 || stat(t, d).Waiting != 0 {
		t.Errorf("%d due, %+v", len(n), stat(t, d))
	}
}

func TestRule6RefusedGoesToQuarantine(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 3)
	if err := d.Nacked(ctx, d.Stream(), 2, "schema", "no such member"); err != nil {
		t.Fatal(err)
	}
	n := due(t, d)
	if !slices.Equal(sequences(n), []int64{1, 3, 0}) || n[2].Type != "outbox.quarantined" {
		t.Fatalf("due %v", sequences(n))
	}
	if st := stat(t, d); st.Quarantined != 1 || st.Waiting != 3 {
		t.Errorf("stat %+v", st)
	}
	if err := d.Sent(ctx, []int64{1, 3}, start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if acked, err := d.Acked(ctx, d.Stream(), 3); acked != 3 || err != nil {
		t.Fatal(acked, err)
	}
	if err := d.Requeue(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := d.Requeue(ctx, 2); !errors.Is(err, ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	// An old acknowledgement does not cover what was put back after it.
	if _, err := d.Acked(ctx, d.Stream(), 3); err != nil {
		t.Fatal(err)
	}
	if n := due(t, d); !slices.Equal(sequences(n), []int64{2, 0}) {
		t.Fatalf("requeued: %v", sequences(n))
	}
	if err := d.Sent(ctx, []int64{2}, start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Acked(ctx, d.Stream(), 3); err != nil {
		t.Fatal(err)
	}
	if st := stat(t, d); st.Waiting != 1 || st.Quarantined != 0 {
		t.Errorf("stat %+v", st)
	}
}

func TestRule8EventsMakeRoomAndCasesWaitForIt(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	o := testOptions(dir)
	o.OutboxMaxCount = 5
	d := openTest(t, o)
	for range 6 {
		if err := event(d, "link.lost"); err != nil {
			t.Fatal(err)
		}
	}
	makeCases(t, d, 1, 8)
	st := stat(t, d)
	if st.Dropped != 6 || st.LastSeq+st.Unsequenced != 8 || st.Unsequenced == 0 || st.Open[refund.Critical] != 8 {
		t.Fatalf("stat %+v", st)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openTest(t, o)
	got := map[int64]string{}
	for range 10 {
		n := due(t, d)
		var entries []int64
		last := int64(0)
		for _, x := range n {
			entries = append(entries, x.Entry)
			if last = max(last, x.Sequence); x.Sequence > 0 {
				got[x.Sequence] = x.Subject
			}
		}
		if err := d.Sent(ctx, entries, start.Add(time.Hour*48)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Acked(ctx, d.Stream(), last); err != nil {
			t.Fatal(err)
		}
	}
	subjects := map[string]bool{}
	for i := int64(1); i <= 8; i++ {
		subjects[got[i]] = true
	}
	if len(got) != 8 || len(subjects) != 8 || subjects[""] {
		t.Errorf("told %v", got)
	}
	if st := stat(t, d); st.Unsequenced != 0 || st.Waiting > 1 || st.Bytes < 0 {
		t.Errorf("stat %+v", st)
	}
}

// TestOutboxFiguresAgree plays seeded turns and compares the figures with the tables.
func TestOutboxFiguresAgree(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.OutboxMaxCount = 12
	d := openTest(t, o)
	for i := range 120 {
		switch i * 7919 % 5 {
		case 0:
			must(t, event(d, fmt.Sprintf("link.%d", i)))
		case 1, 2:
			makeCases(t, d, i+1, 1)
		case 3:
			n, _, err := d.Due(ctx, start, 4)
			must(t, err)
			var entries []int64
			for _, x := range n {
				entries = append(entries, x.Entry)
			}
			must(t, d.Sent(ctx, entries, start.Add(time.Minute)))
		case 4:
			q := &d.queue
			q.mu.Lock()
			sent := q.sent
			q.mu.Unlock()
			_, err := d.Acked(ctx, d.Stream(), sent-1)
			must(t, err)
		}
		var o outboxFigures
		want, err := loadQueueFigures(d.w, &o)
		must(t, err)
		if have := d.now.outbox; have.waiting != want.waiting || have.bytes != want.bytes || have.untold != o.untold || have.last != o.last {
			t.Fatalf("turn %d: figures %+v, tables %+v %+v", i, have, want, o)
		}
		d.queue.mu.Lock()
		inMemory := int64(len(d.queue.cases) + len(d.queue.events) + len(d.queue.done))
		d.queue.mu.Unlock()
		if inMemory != want.waiting {
			t.Fatalf("turn %d: %d in memory, %d in the table", i, inMemory, want.waiting)
		}
	}
}
