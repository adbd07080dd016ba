package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/ledger/outbox"
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

func TestRule01_CaseIsQueuedWithItsVerdict(t *testing.T) {
	o := testOptions(t.TempDir())
	seen := 0
	var d *DB
	o.step = func(name string) {
		if name != "commit" || d == nil {
			return
		}
		verdicts, _, _ := d.w.Int(`SELECT count(*) FROM verdict WHERE rev > 0`)
		cases, _, _ := d.w.Int(`SELECT count(*) FROM outbox`)
		if verdicts > 0 && verdicts != cases {
			t.Errorf("before the commit: %d verdicts, %d case events", verdicts, cases)
		}
		seen++
	}
	d = openTest(t, o)
	makeCases(t, d, 1, 3)
	apply(t, d, refundOf(999, 1000, card(1), start)) // waits
	if _, _, err := d.ReleaseDue(context.Background(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if n := due(t, d); len(n) != 4 || seen < 5 {
		t.Errorf("%d due after %d commits", len(n), seen)
	}
}

func TestRule02_CasesInOrderBeforeEvents(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	if err := event(d, "link.lost"); err != nil {
		t.Fatal(err)
	}
	makeCases(t, d, 1, 3)
	n := due(t, d)
	if !slices.Equal(sequences(n), []int64{1, 2, 3, 0}) || n[3].Class != refund.NoticeEvent || n[3].ID == "" {
		t.Fatalf("due %v", sequences(n))
	}
	two, next, err := d.Due(context.Background(), start, 2, nil)
	if err != nil || len(two) != 2 || next.After(start) {
		t.Errorf("limit: %d, next %v, %v", len(two), next, err)
	}
}

func TestRule04_05_SentIsNotDelivered(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	makeCases(t, d, 1, 3)
	retry := start.Add(30 * time.Second)
	if err := d.Sent(ctx, d.Stream(), []int64{1, 2}, retry); err != nil {
		t.Fatal(err)
	}
	n, _, err := d.Due(ctx, start, 10, nil)
	if err != nil || !slices.Equal(sequences(n), []int64{3}) {
		t.Fatalf("due %v %v", sequences(n), err)
	}
	if err := d.Sent(ctx, d.Stream(), []int64{3}, retry); err != nil {
		t.Fatal(err)
	}
	if _, next, _ := d.Due(ctx, start, 10, nil); !next.Equal(retry) {
		t.Errorf("next due %v, want %v", next, retry)
	}
	n, _, _ = d.Due(ctx, retry, 10, nil)
	if !slices.Equal(sequences(n), []int64{1, 2, 3}) || n[0].Taken != 1 {
		t.Fatalf("again %v, taken %d times", sequences(n), n[0].Taken)
	}
	if acked, err := d.Acked(ctx, "another", 3, ""); acked != 0 || !errors.Is(err, refund.ErrOtherStream) {
		t.Errorf("another stream moved it to %d (%v)", acked, err)
	}
	if acked, err := d.Acked(ctx, d.Stream(), 2, ""); acked != 2 || err != nil {
		t.Fatalf("acked %d %v", acked, err)
	}
	if acked, err := d.Acked(ctx, d.Stream(), 1, ""); acked != 2 || err != nil {
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

func TestRule04_AckNeverPassesWhatWasSent(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 3)
	if acked, err := d.Acked(ctx, d.Stream(), 1<<50, ""); acked != 0 || !errors.Is(err, refund.ErrBeyond) {
		t.Fatalf("nothing was sent, acked %d (%v)", acked, err)
	}
	if n, _, err := d.Due(ctx, start, 2, nil); len(n) != 2 || err != nil {
		t.Fatal(n, err)
	}
	// The desk is faster than our PUBACK: what was handed out counts once it is sent.
	if acked, err := d.Acked(ctx, d.Stream(), 2, ""); acked != 0 || err != nil {
		t.Fatalf("acked %d (%v)", acked, err)
	}
	if err := d.Sent(ctx, d.Stream(), []int64{1, 2}, start.Add(time.Minute)); err != nil {
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
	if err := d.Sent(ctx, d.Stream(), entries, start); err != nil {
		t.Fatal(err)
	}
	if n := due(t, d); len(n) != 0 || stat(t, d).Waiting != 0 {
		t.Errorf("%d due, %+v", len(n), stat(t, d))
	}
}

func TestRule08_EventsMakeRoomAndCasesWaitForIt(t *testing.T) {
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
		if err := d.Sent(ctx, d.Stream(), entries, start.Add(outbox.MostWait)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Acked(ctx, d.Stream(), last, ""); err != nil {
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

// TestAcknowledgementsAreSavedTogether: they hold at once, are saved by number or time
// in steps, and a store that is not closed has what was saved.
func TestAcknowledgementsAreSavedTogether(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	at := start
	o.Now = func() time.Time { return at }
	commits, begun := 0, false
	o.step = func(name string) {
		if begun && name == "commit" {
			commits++
		}
	}
	d := openTest(t, o)
	const n = 1500
	makeCases(t, d, 1, 3)
	fill := arrivalOf(d)
	for i := 3; i < n; i++ {
		fill = append(fill, arrivalOf(d, refundOf(90_000+i, 50_000+i, card(i), start))...)
	}
	if _, err := d.Apply(ctx, fill); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.ReleaseDue(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	var entries []int64
	for {
		list, _, err := d.Due(ctx, at, 64, nil)
		must(t, err)
		if len(list) == 0 {
			break
		}
		entries = entries[:0]
		for _, x := range list {
			entries = append(entries, x.Entry)
		}
		must(t, d.Sent(ctx, d.Stream(), entries, at.Add(time.Minute)))
	}
	ack := func(seq int64) {
		t.Helper()
		acked, err := d.Acked(ctx, d.Stream(), seq, "")
		if err != nil || acked != seq {
			t.Fatalf("acked %d, %v; want %d", acked, err, seq)
		}
	}
	stored := func() int64 {
		n, _, err := d.w.Int(`SELECT count(*) FROM outbox`)
		must(t, err)
		return n
	}
	ack(1)
	commits, begun = 0, true
	for seq := int64(2); seq <= 200; seq++ {
		ack(seq)
	}
	if st := stat(t, d); commits != 0 || st.Waiting != n-200 || st.AckedSeq != 200 || st.StoredAcked != 1 || stored() != n-1 {
		t.Errorf("%d commits for 199 acknowledgements within a second, %d stored, %+v", commits, stored(), st)
	}
	// What a power cut would leave now: all but the first come again, as they were.
	crashed, err := OpenReadOnly(ctx, d.dir)
	must(t, err)
	if st := stat(t, crashed); st.AckedSeq != 1 || st.StoredAcked != 1 || st.Waiting != n-1 {
		t.Errorf("in the store %+v", st)
	}
	must(t, crashed.Close())
	_, next, err := d.Due(ctx, at, 10, nil)
	if err != nil || next.Sub(at) != time.Second {
		t.Errorf("saved in %s (%v), want %s", next.Sub(at), err, time.Second)
	}
	at = at.Add(time.Second)
	if _, _, err := d.Due(ctx, at, 10, nil); err != nil || commits != 1 || stored() != n-200 {
		t.Errorf("after a second without a word %d commits, %d stored (%v)", commits, stored(), err)
	}
	commits = 0
	ack(n)
	if commits != 3 || stored() != 0 {
		t.Errorf("%d commits for an acknowledgement of %d, %d stored", commits, n-200, stored())
	}
}

// TestAClockSetBackStrandsNothing: what was to be sent again in a minute by a clock
// that ran hours ahead is due once the clock is right, and so is everything that an
// earlier time was noted for.
func TestAClockSetBackStrandsNothing(t *testing.T) {
	ctx := context.Background()
	for _, back := range []time.Duration{16 * time.Minute, 5 * time.Hour, 400 * day, 3000 * day} {
		o := testOptions(t.TempDir())
		at := start.Add(back) // ahead
		o.Now = func() time.Time { return at }
		d := openTest(t, o)
		makeCases(t, d, 1, 3)
		must(t, event(d, "link.lost"))
		send := func(want ...int64) {
			t.Helper()
			list, _, err := d.Due(ctx, at, 10, nil)
			must(t, err)
			var entries []int64
			for _, x := range list {
				entries = append(entries, x.Entry)
			}
			if got := sequences(list); !slices.Equal(got, want) {
				t.Fatalf("%s: due %v, want %v", back, got, want)
			}
			must(t, d.Sent(ctx, d.Stream(), entries, at.Add(time.Minute)))
		}
		send(1, 2, 3, 0)
		send()
		at = start // set right
		send(1, 2, 3)
		send()
		_, next, err := d.Due(ctx, at, 10, nil)
		if err != nil || next.Sub(at) > outbox.MostWait {
			t.Errorf("%s: next due in %s (%v)", back, next.Sub(at), err)
		}
		if _, err := d.Acked(ctx, d.Stream(), 3, ""); err != nil || stat(t, d).Waiting != 0 {
			t.Errorf("%s: acknowledged, waiting %+v (%v)", back, stat(t, d), err)
		}
		at = at.Add(time.Second)
		_, _, err = d.Due(ctx, at, 10, nil)
		must(t, err)
		if n, _, err := d.w.Int(`SELECT count(*) FROM outbox`); err != nil || n != 0 {
			t.Errorf("%s: %d in the store (%v)", back, n, err)
		}
		must(t, d.Close())
	}
}

// TestOutboxFiguresAgree plays seeded turns and compares what is counted as it goes
// with the tables, and what OutboxStat says with a recount of them.
func TestOutboxFiguresAgree(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.OutboxMaxCount = 12
	at := start
	o.Now = func() time.Time { return at }
	d := openTest(t, o)
	for i := range 240 {
		at = at.Add(time.Duration(i%4) * 200 * time.Millisecond)
		switch i * 7919 % 7 {
		case 0:
			must(t, event(d, fmt.Sprintf("link.%d", i)))
		case 1, 2:
			makeCases(t, d, i+1, 1)
		case 3, 5:
			n, _, err := d.Due(ctx, at, 4, nil)
			must(t, err)
			var entries []int64
			for _, x := range n {
				entries = append(entries, x.Entry)
			}
			must(t, d.Sent(ctx, d.Stream(), entries, at.Add(time.Minute)))
		case 4:
			_, err := d.Acked(ctx, d.Stream(), d.queue.SentSeq()-1, "")
			must(t, err)
		case 6:
			if err := d.Requeue(ctx, d.queue.SentSeq()-2); err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
			if err := d.Nacked(ctx, d.Stream(), d.queue.SentSeq(), "schema", ""); !errors.Is(err, refund.ErrAcknowledged) {
				must(t, err)
			}
		}
		compareFigures(t, d, i)
	}
	makeCases(t, d, 1000, 5)
	must(t, d.Close())
	d = openTest(t, o)
	compareFigures(t, d, -1)
	if st := stat(t, d); st.Quarantined == 0 || st.Open[refund.Critical] < 50 {
		t.Errorf("too little was played: %+v", st)
	}
}

func compareFigures(t *testing.T, d *DB, turn int) {
	t.Helper()
	var o outbox.Figures
	want, err := loadQueueFigures(d.w, &o)
	must(t, err)
	if have := d.now.outbox; have.Waiting != want.Waiting || have.Bytes != want.Bytes || have.Untold != o.Untold || have.Last != o.Last || have.Acked != o.Acked {
		t.Fatalf("turn %d: figures %+v, tables %+v %+v", turn, have, want, o)
	}
	tallies, err := loadTallies(d.w)
	must(t, err)
	if tallies != d.now.tallies {
		t.Fatalf("turn %d: tallies %+v, tables %+v", turn, d.now.tallies, tallies)
	}
	acked, gone := d.queue.Acknowledged()
	done := int64(len(d.queue.Done(0)))
	if inMemory := d.queue.Len() + done + gone; inMemory != want.Waiting {
		t.Fatalf("turn %d: %d in memory, %d in the table", turn, inMemory, want.Waiting)
	}
	var st refund.OutboxStat
	must(t, countOutbox(d.w, &st))
	have := stat(t, d)
	if have.Waiting != st.Waiting-gone-done || have.Bytes != st.Bytes || have.LastSeq != st.LastSeq || have.AckedSeq != acked ||
		have.Quarantined != st.Quarantined || have.Unsequenced != st.Unsequenced || have.Dropped != st.Dropped || !maps.Equal(have.Open, st.Open) {
		t.Fatalf("turn %d: told %+v, counted %+v (%d cases and %d events only in memory)", turn, have, st, gone, done)
	}
}
