package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
)

// sendTallies queues what is due until there is no more.
func sendTallies(t *testing.T, d *DB, now time.Time) (n int) {
	t.Helper()
	for more := true; more; {
		var queued int
		var err error
		queued, more, err = d.SendTallies(context.Background(), now)
		must(t, err)
		n += queued
	}
	return n
}

// tallies returns the newest tally of each subject, and how many there are.
func tallies(t *testing.T, d *DB) (newest map[string]string, n int) {
	t.Helper()
	newest = map[string]string{}
	must(t, d.w.Each(`SELECT `+rows.EntryColumns+` FROM outbox WHERE type = ?1 AND entry < ?2 ORDER BY entry`, func(r *sqlite.Row) error {
		e, err := rows.ScanEntry(r, "")
		if err != nil {
			return err
		}
		var data tallyData
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return err
		}
		if want := "tally/" + data.MerchantID + "/" + data.TerminalID + "/" + data.Date; e.Subject != want {
			t.Errorf("subject %s, want %s", e.Subject, want)
		}
		n++
		newest[e.Subject] = fmt.Sprint(data.Operators)
		return nil
	}, typeTally, rows.FirstEvent))
	return newest, n
}

// counted counts the records of a store by the date that they state, as casework.md § 12 has it.
func counted(t *testing.T, d *DB) map[string]string {
	t.Helper()
	p, err := pictureOf(d)
	must(t, err)
	type key struct{ subject, operator string }
	sales, refunds, all, with := map[key]int{}, map[key]int{}, map[string]map[string]bool{}, map[string]bool{}
	for i := range p.events {
		r := &p.events[i].Record
		if r.Outcome != "approved" || r.Training || p.events[i].Note != "" || p.events[i].UndoneBy != 0 || len(r.At) < 10 {
			continue
		}
		k := key{"tally/" + r.MerchantID + "/" + r.TerminalID + "/" + r.At[:10], r.Operator}
		switch r.Kind {
		case "sale", "completion":
			sales[k]++
		case "refund", "void", "completion_void":
			refunds[k]++
			with[k.subject] = true
		default:
			continue
		}
		if all[k.subject] == nil {
			all[k.subject] = map[string]bool{}
		}
		all[k.subject][k.operator] = true
	}
	want := map[string]string{}
	for subject := range with {
		text := ""
		for _, o := range slices.Sorted(maps.Keys(all[subject])) {
			text += fmt.Sprintf(" {%s %d %d}", o, sales[key{subject, o}], refunds[key{subject, o}])
		}
		want[subject] = "[" + text[1:] + "]"
	}
	return want
}

// TestTalliesOfRandomJournals: each day with a refund has a tally of all that the store holds of
// it, through restarts and crashes, and nothing else has one.
func TestTalliesOfRandomJournals(t *testing.T) {
	for seed := range uint64(6) {
		s, err := newStream(t.TempDir(), seed)
		must(t, err)
		journal := randomjournal.Records(seed+40_000, 60)
		for i := range journal {
			journal[i].Operator = fmt.Sprintf("%02d", i%3)
		}
		for part := range slices.Chunk(journal, 10) {
			must(t, s.play(part))
			sendTallies(t, s.d, start.AddDate(1, 0, 0))
			s.d.notBefore = map[string]time.Time{}
			must(t, s.d.write(context.Background(), func(tx *tx) error { return tx.c.Do(`UPDATE tally SET sent = 0`) })) // as if hours had passed
		}
		sendTallies(t, s.d, start.AddDate(1, 0, 0))
		got, _ := tallies(t, s.d)
		want := counted(t, s.d)
		for subject, text := range got {
			if want[subject] == "" && text != "[]" {
				continue // its refund was undone since: the sales are left
			}
			if want[subject] != "" && want[subject] != text {
				t.Errorf("journal %d: %s is %s, want %s", seed, subject, text, want[subject])
			}
		}
		for subject, text := range want {
			if got[subject] != text {
				t.Errorf("journal %d: %s is %q, want %s", seed, subject, got[subject], text)
			}
		}
		must(t, s.d.Close())
	}
}

// TestATallyIsSentAfterTwoAndAtMostOnceAnHour: not before 02:00 of the next day; a late record
// changes it an hour later at the earliest, and only if it changes anything; also after a restart.
func TestATallyIsSentAfterTwoAndAtMostOnceAnHour(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	apply(t, d, saleOf(1, start), refundOf(1, 2, card(1), start), saleOf(3, start.AddDate(0, 0, -1)))
	at := func(hour, minute int) time.Time { return time.Date(2026, 8, 24, hour, minute, 0, 0, start.Location()) }
	send := func(now time.Time, want int) {
		t.Helper()
		if n := sendTallies(t, d, now); n != want {
			t.Fatalf("%d tallies at %s, want %d", n, now.Format("15:04"), want)
		}
	}
	send(at(1, 59), 0)
	send(at(2, 0), 1)
	send(at(2, 1), 0)
	apply(t, d, saleOf(4, start)) // late
	send(at(2, 59), 0)
	must(t, d.Close())
	d = openTest(t, o)
	send(at(2, 59), 0)
	apply(t, d, refundOf(1, 5, card(1), start))
	send(at(3, 0), 1)
	undo := refundOf(1, 5, card(1), start)
	undo.Kind, undo.Party, undo.Original = refund.KindReversal, nil, refund.Original{}
	apply(t, d, undo)
	declined := saleOf(6, start)
	declined.Outcome = refund.Declined
	apply(t, d, declined)
	send(at(4, 0), 1)
	send(at(23, 0), 0)
	got, n := tallies(t, d)
	if want := "[{01 2 1}]"; n != 3 || len(got) != 1 || got["tally/898000000000001/10000001/2026-08-23"] != want {
		t.Errorf("%d tallies %v, want %s", n, got, want)
	}
}

// TestDaysOfAnEarlierVersion: a store of before there were runs of days gets those of its newest
// days, but for the oldest, which may have begun before.
func TestDaysOfAnEarlierVersion(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	for n := range 4 {
		at := start.AddDate(0, 0, n-3)
		apply(t, d, saleOf(10*n, at), refundOf(10*n, 10*n+1, card(10*n), at))
	}
	want := counted(t, d)
	must(t, d.write(context.Background(), func(tx *tx) error {
		return errors.Join(tx.c.Do(`DELETE FROM day_run`), tx.c.Do(`DELETE FROM day_due`), setMetaInt(tx.c, "days.from", tx.n.seq+1))
	}))
	must(t, d.Close())
	d = openTest(t, o)
	apply(t, d, saleOf(90, start))
	sendTallies(t, d, start.AddDate(0, 0, 2))
	delete(want, "tally/898000000000001/10000001/2026-08-20")
	want["tally/898000000000001/10000001/2026-08-23"] = "[{01 2 1}]"
	if got, _ := tallies(t, d); !maps.Equal(got, want) {
		t.Errorf("tallies %v, want %v", got, want)
	}
}
