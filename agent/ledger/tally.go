package ledger

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// typeTally is the type of the events that count refunds by operator (casework.md § 12).
const typeTally = "yuanlu.case.tally.v1"

// tallyPause is the shortest time between two tallies of the same day and terminal.
const tallyPause = time.Hour

// daysAtOnce bounds the days of one transaction: records must not wait for a month.
const daysAtOnce = 4

// tallyData is the `data` of such an event.
type tallyData struct {
	Date       string            `json:"date"`
	MerchantID string            `json:"merchant_id"`
	TerminalID string            `json:"terminal_id"`
	Operators  []follow.Operator `json:"operators"`
}

// SendTallies queues the tallies of days that are over and have changed since theirs were queued,
// some days in one transaction. now is of a clock that is trusted. It returns how many it has
// queued, and whether there are more days; without any it costs nothing.
func (d *DB) SendTallies(ctx context.Context, now time.Time) (queued int, more bool, err error) {
	if d.readOnly || d.temporary {
		return 0, false, nil
	}
	err = d.withWriter(ctx, func(*conn) error {
		days := d.daysOver(now)
		if len(days) == 0 {
			return nil
		}
		more = len(days) > daysAtOnce
		return d.transact(func(t *tx) error {
			t.n.synced = true
			for _, on := range days[:min(len(days), daysAtOnce)] {
				n, err := t.tallyDay(on, now)
				if err != nil {
					return err
				}
				queued += n
			}
			return nil
		})
	})
	if err != nil {
		return 0, false, err
	}
	return queued, more, nil
}

// daysOver returns the days that are due and over, the oldest first. One whose tallies were just
// queued waits.
func (d *DB) daysOver(now time.Time) (days []string) {
	zone := d.o.Now().Location()
	for _, on := range slices.Sorted(maps.Keys(d.dueDays)) {
		at, ok := closedAt(on, zone)
		if ok && (now.Before(at) || now.Before(d.notBefore[on])) {
			continue
		}
		days = append(days, on)
	}
	return days
}

// tallyDay queues the tallies of a day that have changed, and returns how many.
func (t *tx) tallyDay(on string, now time.Time) (queued int, err error) {
	if on <= t.n.bounds.RemovedDay {
		return 0, t.dayDone(on)
	}
	var counts follow.Tallies
	if err := t.eventsOf(on, counts.Add); err != nil {
		return 0, err
	}
	var wait time.Time
	for _, one := range counts.Days() {
		sent, next, err := t.tally(&counts, one, now)
		if err != nil {
			return 0, err
		}
		if sent {
			queued++
		}
		if next.After(wait) {
			wait = next
		}
	}
	if !wait.IsZero() { // it changes more often than it may be published
		t.after(func() { t.d.notBefore[on] = wait })
		return queued, nil
	}
	t.after(func() { delete(t.d.notBefore, on) })
	return queued, t.dayDone(on)
}

// tally queues one tally if it has changed; next is when it may be, if that is not yet.
func (t *tx) tally(counts *follow.Tallies, of follow.Day, now time.Time) (sent bool, next time.Time, err error) {
	operators, refunds := counts.Of(of)
	subject := "tally/" + of.Merchant + "/" + of.Terminal + "/" + of.Date
	var n, last int64
	var published string
	known, err := t.c.First(`SELECT n, sent, told FROM tally WHERE subject = ?1`, func(r *sqlite.Row) error {
		n, last, published = r.Int(0), r.Int(1), r.Text(2)
		return nil
	}, subject)
	if err != nil || !known && refunds == 0 {
		return false, next, err
	}
	text, err := json.Marshal(operators)
	if err != nil || known && published == string(text) {
		return false, next, err
	}
	if since := now.Sub(rows.Time(last)); known && since >= 0 && since < tallyPause {
		return false, rows.Time(last).Add(tallyPause), nil
	}
	n++
	if err := t.c.Do(`INSERT OR REPLACE INTO tally(subject, n, sent, told) VALUES(?1, ?2, ?3, ?4)`, subject, n, rows.Millis(now), string(text)); err != nil {
		return false, next, err
	}
	data, err := outbox.Marshal(&tallyData{of.Date, of.Merchant, of.Terminal, operators})
	if err != nil {
		return false, next, err
	}
	return true, next, t.putWhole("", &refund.Notice{ID: tallyID(t.d.keys.caseKey, subject, t.d.Stream(), n), Type: typeTally, Subject: subject,
		Time: now, ClockSynced: true, Data: data})
}

// tallyID names a tally; n counts those of a subject in the stream, from 1.
func tallyID(key []byte, subject, stream string, n int64) string {
	return keyedID(key, []string{"tally", subject, stream, strconv.FormatInt(n, 10)})
}
