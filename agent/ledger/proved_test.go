package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

// TestCountersAreNotLessThanTheRows: whatever the small figures are, numbers that
// rows have are not given out a second time.
func TestCountersAreNotLessThanTheRows(t *testing.T) {
	for name, sql := range map[string]string{
		"outbox.last":       `UPDATE meta SET value = '0' WHERE name = 'outbox.last'`,
		"all of the outbox": `DELETE FROM meta WHERE name LIKE 'outbox.%'`,
		"outbox.sent":       `UPDATE meta SET value = '0' WHERE name IN ('outbox.sent', 'outbox.last')`,
		"outbox.events":     `UPDATE meta SET value = '0' WHERE name = 'outbox.events'`,
		"seq_floor":         `UPDATE meta SET value = '0' WHERE name = 'seq_floor'`,
		"the newest record": `DELETE FROM record WHERE seq = (SELECT max(seq) FROM record)`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			o := testOptions(t.TempDir())
			d := openTest(t, o)
			makeCases(t, d, 1, 5)
			for range 3 {
				must(t, event(d, "link.lost"))
			}
			sent(t, d, 1, 2, 3)
			acked(t, d, 2)
			due(t, d)
			nacked(t, d, 5) // the newest sequence is in quarantine
			newest := d.now.seq
			must(t, d.w.Script(sql))
			d = reopened(t, d, o)
			got := wrongRefund(t, d, 500)
			must(t, event(d, "link.restored"))
			if len(d.Damage()) > 0 {
				t.Errorf("damage %+v", d.Damage())
			}
			if got[0].Seq != newest+1 {
				t.Errorf("record %d, want %d", got[0].Seq, newest+1)
			}
			if n := got[1].Cases[0].Sequence; n != 6 {
				t.Errorf("sequence %d, want 6", n)
			}
			if text, err := d.w.Text("PRAGMA integrity_check"); text != "ok" || err != nil {
				t.Errorf("%s %v", text, err)
			}
			_, err := d.OutboxStat(ctx)
			must(t, err)
		})
	}
}

// TestARowInTheWayIsDamage: an insert of ours that meets a row of ours ends in a salvage
// in the same process, and the record behind it is stored; so is what came before.
func TestARowInTheWayIsDamage(t *testing.T) {
	for name, sql := range map[string]string{
		"outbox": `INSERT INTO outbox SELECT (SELECT max(entry) + 1 FROM outbox WHERE entry < 1099511627776), case_id, id, type, subject, time, flags, size, crc, data FROM outbox LIMIT 1`,
		"record": `INSERT INTO record SELECT (SELECT max(seq) + 1 FROM record), copy_of, undone_by, link, received, flags, frame_mac, case_id, keys, note, observed, crc, body, NULL FROM record LIMIT 1`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			o := testOptions(t.TempDir())
			now := start
			o.Now = func() time.Time { now = now.Add(time.Second); return now }
			d := openTest(t, o)
			makeCases(t, d, 1, 5)
			must(t, d.w.Script(sql))
			batch := arrivalOf(d, saleOf(500, start), refundOf(500, 501, card(9), start))
			if _, err := d.Apply(ctx, batch); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			got, err := d.Apply(ctx, batch)
			must(t, err)
			if len(got) != 2 || len(got[1].Cases) != 1 {
				t.Fatalf("applied %+v", got)
			}
			if notes := d.Damage(); len(notes) != 1 || notes[0].Kept != 10 || !strings.Contains(notes[0].Why, "constraint") {
				t.Errorf("damage %+v", notes)
			}
			cases, events := 0, 0
			for _, n := range due(t, d) {
				if n.Class == refund.NoticeCase {
					cases++
				} else if n.Type == "store.damaged" {
					events++
				}
			}
			if cases != 6 || events != 1 {
				t.Errorf("%d cases and %d events of damage wait, want 6 and 1", cases, events)
			}
			if name != "outbox" {
				return // the reopening finds that the row is not one of ours
			}
			// Once more at once: another copy of the store would help nothing.
			must(t, d.w.Script(strings.Replace(sql, "LIMIT 1", "ORDER BY 1 LIMIT 1", 1)))
			batch = arrivalOf(d, saleOf(600, start), refundOf(600, 601, card(9), start))
			if _, err := d.Apply(ctx, batch); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			_, _ = d.Apply(ctx, batch)
			if notes := d.Damage(); len(notes) != 1 {
				t.Errorf("%d salvages within a minute", len(notes))
			}
			now = now.Add(contradictedAgain)
			_, _ = d.Apply(ctx, batch)
			if _, err := d.Apply(ctx, batch); err != nil {
				t.Errorf("an hour later: %v", err)
			}
		})
	}
}

// TestTheJournalBeginsWhereItsRecordSays: a beginning that its record contradicts is not
// taken.
func TestTheJournalBeginsWhereItsRecordSays(t *testing.T) {
	o := testOptions(t.TempDir())
	d := openTest(t, o)
	apply(t, d, saleOf(1, start))
	want := d.now.bounds
	must(t, d.w.Script(`UPDATE meta SET value = replace(value, '"FirstAt":"2026', '"FirstAt":"2024') WHERE name = 'bounds'`))
	d = reopened(t, d, o)
	if d.now.bounds.FirstAt != want.FirstAt || want.FirstAt == "" {
		t.Errorf("bounds %+v, want %+v", d.now.bounds, want)
	}
}
