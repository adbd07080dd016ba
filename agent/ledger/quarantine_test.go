package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Short forms of what a back office and a broker do.
func sent(t *testing.T, d *DB, entries ...int64) {
	t.Helper()
	must(t, d.Sent(context.Background(), d.Stream(), entries, start.Add(24*time.Hour)))
}

func acked(t *testing.T, d *DB, seq int64) {
	t.Helper()
	_, err := d.Acked(context.Background(), d.Stream(), seq, "")
	must(t, err)
}

func nacked(t *testing.T, d *DB, seq int64) {
	t.Helper()
	must(t, d.Nacked(context.Background(), d.Stream(), seq, "schema", "no such member"))
}

func reopened(t *testing.T, d *DB, o Options) *DB {
	t.Helper()
	must(t, d.Close())
	return openTest(t, o)
}

// waitingCases returns the sequences that wait, sent or not, and their ids.
func waitingCases(t *testing.T, d *DB) (seqs []int64, ids map[int64]string) {
	t.Helper()
	rows, err := d.OutboxList(context.Background(), 10_000)
	must(t, err)
	ids = map[int64]string{}
	done := stat(t, d).AckedSeq // may be in the store yet
	for _, r := range rows {
		if n := r.Notice; n.Class == refund.NoticeCase && n.Sequence > done && (r.State == "waiting" || r.State == "sent") {
			seqs = append(seqs, n.Sequence)
			ids[n.Sequence] = n.ID
		}
	}
	return seqs, ids
}

func TestRule06_RefusedGoesToQuarantine(t *testing.T) {
	ctx := context.Background()
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 3)
	due(t, d)
	nacked(t, d, 2)
	n := due(t, d)
	if !slices.Equal(sequences(n), []int64{1, 3, 0}) || n[2].Type != "outbox.quarantined" {
		t.Fatalf("due %v", sequences(n))
	}
	if st := stat(t, d); st.Quarantined != 1 || st.Waiting != 3 {
		t.Errorf("stat %+v", st)
	}
	if err := d.Requeue(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := d.Requeue(ctx, 2); !errors.Is(err, ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	if st := stat(t, d); st.Quarantined != 0 || st.Waiting != 4 || st.LastSeq != 4 {
		t.Errorf("stat %+v", st)
	}
}

// TestRequeue: a case that was refused and put back is a new sequence at the end, with
// its id and its bytes; no acknowledgement of anything before it covers it, whatever was
// sent and whatever was restarted in between.
func TestRequeue(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		play func(t *testing.T, d *DB, o Options) *DB
		want []int64 // what waits after it; the last is the case that was put back
	}{
		"acknowledged again": {func(t *testing.T, d *DB, _ Options) *DB {
			acked(t, d, 3)
			must(t, d.Requeue(ctx, 2))
			acked(t, d, 3)
			return d
		}, []int64{4}},
		"its first copy is lost behind the broker": {func(t *testing.T, d *DB, _ Options) *DB {
			acked(t, d, 3)
			makeCases(t, d, 10, 1)
			must(t, d.Requeue(ctx, 2))
			due(t, d)
			sent(t, d, 5)
			sent(t, d, 4)
			acked(t, d, 4)
			return d
		}, []int64{5}},
		"restarted": {func(t *testing.T, d *DB, o Options) *DB {
			acked(t, d, 3)
			must(t, d.Requeue(ctx, 2))
			d = reopened(t, d, o)
			acked(t, d, 3)
			return reopened(t, d, o)
		}, []int64{4}},
		"put back before anything is acknowledged": {func(t *testing.T, d *DB, o Options) *DB {
			must(t, d.Requeue(ctx, 2))
			due(t, d)
			acked(t, d, 3)
			return reopened(t, d, o)
		}, []int64{4}},
		"refused under the old sequence again": {func(t *testing.T, d *DB, _ Options) *DB {
			must(t, d.Requeue(ctx, 2))
			nacked(t, d, 2)
			return d
		}, []int64{1, 3, 4}},
		"refused and put back again": {func(t *testing.T, d *DB, _ Options) *DB {
			must(t, d.Requeue(ctx, 2))
			due(t, d)
			nacked(t, d, 4)
			must(t, d.Requeue(ctx, 4))
			due(t, d)
			sent(t, d, 5)
			acked(t, d, 4)
			return d
		}, []int64{5}},
		"put back by a version that kept the sequence": {func(t *testing.T, d *DB, o Options) *DB {
			acked(t, d, 3)
			must(t, d.Close())
			c, err := openConn(d.file(), sqlite.ReadWrite)
			must(t, err)
			must(t, c.Do(`INSERT INTO outbox SELECT `+rows.EntryColumns+` FROM quarantine WHERE entry = 2`))
			must(t, c.Do(`DELETE FROM quarantine WHERE entry = 2`))
			must(t, c.Close())
			d = openTest(t, o)
			acked(t, d, 3)
			return reopened(t, d, o)
		}, []int64{4}},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t.TempDir())
			d := openTest(t, o)
			makeCases(t, d, 1, 3)
			before := due(t, d)
			sent(t, d, 1, 2, 3)
			nacked(t, d, 2)
			d = tc.play(t, d, o)
			got, ids := waitingCases(t, d)
			if !slices.Equal(got, tc.want) {
				t.Fatalf("waiting %v, want %v", got, tc.want)
			}
			back := tc.want[len(tc.want)-1]
			if ids[back] != before[1].ID || stat(t, d).LastSeq < back {
				t.Errorf("sequence %d is %s, want the case %s; %+v", back, ids[back], before[1].ID, stat(t, d))
			}
			compareFigures(t, d, 0)
			list, _, err := d.Due(ctx, start.Add(48*time.Hour), 100, nil)
			must(t, err)
			i := slices.IndexFunc(list, func(n refund.Notice) bool { return n.Sequence == back })
			if i < 0 || string(list[i].Data) != string(before[1].Data) || !list[i].Time.Equal(before[1].Time) {
				t.Errorf("not sent again as it was: %+v", list)
			}
			sent(t, d, back)
			acked(t, d, back)
			if left, _ := waitingCases(t, d); len(left) != 0 {
				t.Errorf("acknowledged, but %v wait", left)
			}
		})
	}
}

// TestRequeueOfAnEvent: it keeps its entry, and finds room or an error.
func TestRequeueOfAnEvent(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.OutboxMaxCount = 4
	d := openTest(t, o)
	must(t, event(d, "link.lost"))
	entry := due(t, d)[0].Entry
	nacked(t, d, entry)
	must(t, d.Requeue(ctx, entry))
	if n := due(t, d); len(n) != 2 || n[0].Entry != entry || stat(t, d).LastSeq != 0 {
		t.Fatalf("due %+v", n)
	}
	nacked(t, d, entry)
	makeCases(t, d, 1, 5)
	if err := d.Requeue(ctx, entry); !errors.Is(err, ErrNoRoom) || stat(t, d).Quarantined != 1 {
		t.Errorf("into a full outbox: %v, %+v", err, stat(t, d))
	}
	compareFigures(t, d, 0)
}

// TestRule06_QuarantineEvictsEventsOnly: a thousand events, and no case however many.
func TestRule06_QuarantineEvictsEventsOnly(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.Synchronous = "OFF"
	d := openTest(t, o)
	makeCases(t, d, 1, 3)
	due(t, d)
	for seq := int64(1); seq <= 3; seq++ {
		nacked(t, d, seq)
	}
	must(t, d.write(ctx, func(t *tx) error {
		for i := range outbox.MostQuarantined + 5 {
			entry := rows.FirstEvent + 1_000_000 + int64(i)
			n := refund.Notice{ID: randomID(), Type: "link.lost", Subject: "link/pos", Time: start, Data: []byte(`{}`)}
			if err := t.out.Put(entry, "", &n); err != nil {
				return err
			}
			if err := t.out.Quarantine(entry, "schema", ""); err != nil {
				return err
			}
		}
		return nil
	}))
	if st := stat(t, d); st.Quarantined != outbox.MostQuarantined+3 {
		t.Errorf("%d in quarantine", st.Quarantined)
	}
	compareFigures(t, d, 0)
	first, _, err := d.w.Int(`SELECT min(entry) FROM quarantine WHERE entry >= ?1`, rows.FirstEvent)
	if err != nil || first != rows.FirstEvent+1_000_005 {
		t.Errorf("the oldest event is %d (%v)", first-rows.FirstEvent, err)
	}
	for seq := int64(1); seq <= 3; seq++ {
		if err := d.Requeue(ctx, seq); err != nil {
			t.Errorf("case %d: %v", seq, err)
		}
	}
}

// TestRule08_QuarantinedCasesCount: they are the only copy, so they fill the outbox, are
// seen in its size, and what finds no room is published once they are put back and taken.
func TestRule08_QuarantinedCasesCount(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	o.OutboxMaxCount = 4
	d := openTest(t, o)
	makeCases(t, d, 1, 4)
	due(t, d)
	full := stat(t, d).Bytes
	for seq := int64(1); seq <= 4; seq++ {
		nacked(t, d, seq)
	}
	if st := stat(t, d); st.Bytes < full || st.Quarantined != 4 {
		t.Errorf("refused cases are not counted: %+v, before %d bytes", st, full)
	}
	makeCases(t, d, 5, 2)
	if st := stat(t, d); st.Unsequenced != 2 || st.LastSeq != 4 {
		t.Errorf("room beside refused cases: %+v", st)
	}
	d = reopened(t, d, o)
	makeCases(t, d, 7, 1)
	if st := stat(t, d); st.Unsequenced != 3 || st.LastSeq != 4 {
		t.Errorf("room beside refused cases after a restart: %+v", st)
	}
	for seq := int64(1); seq <= 4; seq++ {
		must(t, d.Requeue(ctx, seq))
	}
	for range 2 {
		var entries []int64
		for _, n := range due(t, d) {
			entries = append(entries, n.Entry)
		}
		sent(t, d, entries...)
		acked(t, d, stat(t, d).LastSeq)
		must(t, d.save(ctx))
	}
	if st := stat(t, d); st.LastSeq != 11 || st.AckedSeq != 11 || st.Unsequenced != 0 || st.Quarantined != 0 {
		t.Errorf("in the end %+v", st)
	}
	compareFigures(t, d, 0)
}

// TestRule06_WhatWasNotReadIsNotRefused: a refusal of what Due has not given, of what is
// acknowledged, or of another stream changes nothing and returns why.
func TestRule06_WhatWasNotReadIsNotRefused(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	makeCases(t, d, 1, 3)
	must(t, event(d, "link.lost"))
	two, _, err := d.Due(context.Background(), start, 2, nil)
	if err != nil || len(two) != 2 {
		t.Fatal(two, err)
	}
	refuse := func(stream string, entry int64, want error) {
		t.Helper()
		err := d.Nacked(context.Background(), stream, entry, "schema", "")
		if st := stat(t, d); !errors.Is(err, want) || st.Quarantined != 0 || st.Waiting != 4 {
			t.Errorf("refused %d of %q: %v, want %v; %+v", entry, stream, err, want, st)
		}
	}
	for entry, want := range map[int64]error{0: refund.ErrAcknowledged, -1: refund.ErrAcknowledged, 3: refund.ErrUnsent, 4: refund.ErrBeyond, 1 << 39: refund.ErrBeyond,
		rows.FirstEvent + 1: refund.ErrUnsent, 1 << 53: refund.ErrBeyond} {
		refuse(d.Stream(), entry, want)
	}
	refuse("another", 1, refund.ErrOtherStream)
	if nacked(t, d, 2); stat(t, d).Quarantined != 1 {
		t.Error("what was given cannot be refused")
	}
	// Its PUBACK comes after its refusal: an acknowledgement up to it holds all the same.
	sent(t, d, 1, 2)
	if acked(t, d, 2); stat(t, d).AckedSeq != 2 {
		t.Errorf("%+v", stat(t, d))
	}
}

// TestRule08_NothingDeliveredIsCountedAsLost: in a full outbox the events that the broker
// has go before any other, an event that comes finds room beside the notice of eviction,
// and a case is never without room because of that notice.
func TestRule08_NothingDeliveredIsCountedAsLost(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		name                   string
		most, events, sent     int
		add                    string // what comes then
		dropped, untold, first int64  // first: number of the oldest event that still waits
	}{
		{"all delivered, an event comes", 5, 5, 5, "event", 0, 0, 6},
		{"one delivered, an event comes", 5, 5, 1, "event", 0, 0, 2},
		{"one delivered, a case comes", 5, 5, 1, "case", 0, 0, 2},
		{"none delivered, an event comes", 5, 5, 0, "event", 2, 0, 3},
		{"none delivered, a case comes", 5, 5, 0, "case", 2, 0, 3},
		{"room for one, none delivered, a case comes", 1, 1, 0, "case", 1, 0, 0},
		{"room for one, a case and then another", 1, 1, 0, "cases", 1, 1, 0},
		{"too old, but delivered", 5, 4, 4, "old", 0, 0, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := testOptions(t.TempDir())
			o.OutboxMaxCount = int64(tc.most)
			at := start
			o.Now = func() time.Time { return at }
			d := openTest(t, o)
			for range tc.events {
				must(t, event(d, "link.lost"))
			}
			var entries []int64
			for _, n := range due(t, d)[:tc.sent] {
				entries = append(entries, n.Entry)
			}
			d.queue.Sent(d.Stream(), entries, at) // as Sent, not saved yet
			switch tc.add {
			case "event":
				must(t, event(d, "link.restored"))
			case "case":
				makeCases(t, d, 1, 1)
			case "cases":
				makeCases(t, d, 1, 2)
			case "old":
				at = at.Add(40 * day)
				must(t, d.AddEvent(ctx, refund.Notice{Type: "link.restored", Subject: "link/pos", Time: at, Data: []byte(`{}`)}))
			}
			compareFigures(t, d, 0)
			st, notice := stat(t, d), ""
			oldest, came := int64(0), false
			for _, n := range due(t, d) {
				switch {
				case n.Type == "outbox.evicted":
					notice += string(n.Data)
				case n.Class == refund.NoticeCase || n.Type == "link.restored":
					came = true
				}
				if n.Type != "outbox.evicted" && n.Class == refund.NoticeEvent && oldest == 0 {
					oldest = n.Entry - rows.FirstEvent
				}
			}
			if st.Dropped != tc.dropped || st.Unsequenced != tc.untold || oldest != tc.first || !came {
				t.Errorf("dropped %d, without a sequence %d, oldest event %d, there is what came: %v; want %+v", st.Dropped, st.Unsequenced, oldest, came, tc)
			}
			want := ""
			if tc.dropped > 0 {
				want = fmt.Sprintf(`{"dropped":%d,"reason":"no room"}`, tc.dropped)
			}
			if notice != want || st.Waiting > int64(tc.most)+1 {
				t.Errorf("notice %s, want %s; %+v", notice, want, st)
			}
		})
	}
}

// TestRequeueCutShort: killed before or after its commit, the case is in quarantine or
// waits, never both and never neither.
func TestRequeueCutShort(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	copies := map[string]string{}
	armed := false
	o.step = func(name string) {
		if armed && copies[name] == "" && strings.HasPrefix(name, "commit") {
			copies[name] = t.TempDir()
			must(t, os.CopyFS(copies[name], os.DirFS(o.Dir)))
		}
	}
	d := openTest(t, o)
	makeCases(t, d, 1, 3)
	due(t, d)
	sent(t, d, 1, 2, 3)
	nacked(t, d, 2)
	acked(t, d, 3)
	must(t, d.save(ctx))
	armed = true
	must(t, d.Requeue(ctx, 2))
	armed = false
	for step, want := range map[string]struct{ quarantined, last int64 }{"commit": {1, 3}, "committed": {0, 4}} {
		killed := openTest(t, testOptions(copies[step]))
		seqs, _ := waitingCases(t, killed)
		if st := stat(t, killed); st.Quarantined != want.quarantined || int64(len(seqs)) != 1-want.quarantined || st.LastSeq != want.last {
			t.Errorf("%s: waiting %v, %+v", step, seqs, st)
		}
		compareFigures(t, killed, 0)
	}
}
