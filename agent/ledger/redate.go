package ledger

import (
	"context"
	"encoding/json"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// While the clock is not trusted, an `at` that is made from it is as wrong as the clock
// is, and so may be the year of one that stands on the wire without. Once it is trusted,
// such records get their date again (wires.md, Common).
//
// What is needed for it is when the system was started, by the clock of then and by the
// clock of now: the time since that start is never set, so the difference between the two
// is by how much the clock was wrong. Of then it is kept in spans, in meta under
// undatedName: the clock is wrong by the same until it is set, so that there are
// few of them however many records there are. It is known for as long as the system
// runs, through restarts of the agent. After a new start of the system, and after a
// salvage or on another terminal, it is not: those records keep their `at`, and their
// flags hold what it is worth.
//
// It is done in two rounds of small transactions. The first dates the records, the second
// judges again what depends on them; none is judged while another is still to be dated,
// so no verdict compares a right date with a wrong one. How far it is stands in the same
// transaction, and each row that is dated is flagged: after a kill it goes on.

const (
	undatedName = "undated"
	// spanSlack is how much two readings of the clock and of the time since the start may
	// differ because one is taken after the other.
	spanSlack = 50 * time.Millisecond
	// mostSpans bounds the spans: a clock that is set all the time loses its oldest.
	mostSpans = 1000
	// redateStep and rejudgeStep are how many records one transaction dates, and judges again.
	redateStep, rejudgeStep = 256, 64
)

// undated is what is known about records whose `at` was made from a clock that was not
// trusted. The zero value: there are none. It is copied with figures: Spans are never
// changed in place.
type undated struct {
	Spans []span `json:"spans,omitempty"` // by From
	Next  int64  `json:"next,omitempty"`  // the first record that the first round has not looked at
	// From and To are the first and the last record that the second round has to look at;
	// To 0: none.
	From int64 `json:"from,omitempty"`
	To   int64 `json:"to,omitempty"`
	// Count, Unknown and Step are for the log: records dated, records whose start is not
	// known, and in ms how far the newest of them was set.
	Count   int64 `json:"count,omitempty"`
	Unknown int64 `json:"unknown,omitempty"`
	Step    int64 `json:"step,omitempty"`
}

// span is the start of the system for the records from From on, up to the next span.
type span struct {
	From int64  `json:"from"`
	Boot string `json:"boot"`
	// ms since 1970, by the clocks of then: what dates were made from, and the system's.
	At     int64 `json:"at"`
	System int64 `json:"system"`
}

// like reports whether the clocks of another span are wrong by the same.
func (s *span) like(o *span) bool {
	same := func(a, b int64) bool { return (time.Duration(a-b) * time.Millisecond).Abs() <= spanSlack }
	return s.Boot == o.Boot && same(s.At, o.At) && same(s.System, o.System)
}

func loadUndated(c *conn) (undated, error) {
	var u undated
	text, err := metaText(c, undatedName)
	if err != nil || text == "" {
		return u, err
	}
	if json.Unmarshal([]byte(text), &u) != nil {
		return u, rows.Damaged("meta", 0, undatedName+" is not readable")
	}
	return u, nil
}

func (t *tx) saveUndated() error {
	text, err := json.Marshal(&t.n.undated)
	if err != nil {
		return err
	}
	return setMeta(t.c, undatedName, string(text))
}

// noteUndated begins a span where a record was dated by a clock that is not trusted, and
// that clock is not wrong by the same as before.
func (t *tx) noteUndated(seq int64, s *refund.Sighting) error {
	if !s.AtFromClock && !s.YearFromClock || s.ClockSynced || s.Redated || t.d.temporary {
		return nil
	}
	spans := t.n.undated.Spans
	now := span{seq, s.Boot.ID, rows.Millis(s.Boot.At), rows.Millis(s.Boot.System)}
	switch n := len(spans); {
	case n == 0 && s.Boot.ID == "":
		return nil
	case n > 0 && spans[n-1].like(&now):
		return nil
	case n >= mostSpans:
		spans = spans[1:]
	}
	t.n.undated.Spans = append(spans[:len(spans):len(spans)], now)
	return t.saveUndated()
}

// of returns the span that the record is of; ok is false where its start is not the one
// called boot.
func (u *undated) of(seq int64, boot string) (s span, ok bool) {
	for _, one := range u.Spans {
		if one.From > seq {
			break
		}
		s = one
	}
	return s, s.Boot != "" && s.Boot == boot
}

// Redated is what one call of Redate has done.
type Redated struct {
	Applied []refund.Applied // what is released because of it, by refund
	More    bool             // there is more to do
	// Of all calls together, once there is no more: how many records have got their date,
	// how far the newest of them was set, and how many keep theirs because the system was
	// started again since.
	Count, Unknown int64
	Step           time.Duration
}

// Redate corrects `at` of some of the records that a clock which was not trusted has
// dated, or judges some of them again, in one transaction. boot is the start of the
// system by the clock that is trusted now. It is to be called until there is no more;
// without such records it costs nothing. Errors as of Apply.
func (d *DB) Redate(ctx context.Context, boot refund.Boot) (Redated, error) {
	var done Redated
	if d.readOnly {
		return done, ErrReadOnly
	}
	err := d.withWriter(ctx, func(*conn) error {
		if u := &d.now.undated; len(u.Spans) == 0 && u.To == 0 {
			return nil
		}
		return d.transact(func(t *tx) (err error) { done, err = t.redateStep(boot); return err })
	})
	if err != nil {
		return Redated{}, err
	}
	return done, nil
}

// redateStep is one call of Redate.
func (t *tx) redateStep(boot refund.Boot) (done Redated, err error) {
	t.n.synced = true
	u := &t.n.undated
	if len(u.Spans) > 0 {
		err = t.redate(boot)
	} else {
		done.Applied, err = t.judgeRedated()
	}
	if err != nil {
		return done, err
	}
	if done.More = len(u.Spans) > 0 || u.To > 0; !done.More {
		done.Count, done.Unknown, done.Step = u.Count, u.Unknown, time.Duration(u.Step)*time.Millisecond
		*u = undated{}
	}
	return done, t.saveUndated()
}

// redate is a step of the first round.
func (t *tx) redate(boot refund.Boot) error {
	u := &t.n.undated
	list, err := t.rowsFrom(max(u.Next, u.Spans[0].From), redateStep)
	if err != nil {
		return err
	}
	for i := range list {
		row := &list[i]
		u.Next = row.Seq + 1
		if !row.Undated() {
			continue
		}
		s, ok := u.of(row.Seq, boot.ID)
		if !ok {
			u.Unknown++
			continue
		}
		changed, err := t.redateRow(row, &s, boot.At)
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		u.Count++
		u.Step = rows.Millis(boot.At) - s.At
		if u.To == 0 {
			u.From = row.Seq
		}
		u.From, u.To = min(u.From, row.Seq), max(u.To, row.Seq)
	}
	if len(list) < redateStep {
		u.Spans, u.Next = nil, 0
	}
	return nil
}

// rowsFrom returns the next rows from this seq on.
func (t *tx) rowsFrom(seq, limit int64) ([]rows.Record, error) {
	return rows.Records(t.c.Conn, `SELECT `+rows.RecordColumns+` FROM record WHERE seq >= ?1 ORDER BY seq LIMIT ?2`, seq, limit)
}

// redateRow sets the `at` of one row; changed is false where that was right. What was
// noted about its case without data gets its data first: with the date as it was.
func (t *tx) redateRow(row *rows.Record, s *span, boot time.Time) (changed bool, err error) {
	r, err := row.Decode()
	if err != nil {
		return false, err
	}
	at, ok := r.Time()
	if !ok {
		return false, rows.Damaged("record", row.Seq, "its time, made from the clock, is not a time")
	}
	zone := t.d.o.Now().Location()
	if row.Flags&rows.AtClock != 0 {
		at = at.Add(boot.Sub(time.UnixMilli(s.At))).In(zone)
	} else {
		at = inYear(at, time.UnixMilli(row.Received).Add(boot.Sub(time.UnixMilli(s.System))).In(zone))
	}
	text := at.Format(time.RFC3339Nano)
	if text == r.At {
		return false, nil
	}
	before := r
	r.At = text
	if err := t.moveDate(row.Seq, &before, &r); err != nil {
		return false, err
	}
	if row.CaseID != "" && t.out.Figures.Untold > 0 {
		if err := t.freezeCase(row.Seq); err != nil {
			return false, err
		}
	}
	if err := t.updateRedated(row, &r); err != nil {
		return false, err
	}
	t.n.newest = newerAt(t.n.newest, &r, false, false, time.Time{})
	if row.Seq != t.n.bounds.FirstSeq {
		return true, nil
	}
	t.n.bounds.FirstAt = r.At
	return true, saveBounds(t.c, &t.n.bounds)
}

// inYear returns the same day and time of day in the year that a date without one means
// where it is received then.
func inYear(at, received time.Time) time.Time {
	year, ok := refund.YearOf(int(at.Month()), at.Day(), received)
	if !ok {
		return at
	}
	return time.Date(year, at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), received.Location())
}

func (t *tx) updateRedated(row *rows.Record, r *refund.Record) error {
	t.d.recent.forget(row.Seq)
	if err := t.keepLeaf(row.Seq); err != nil {
		return err
	}
	body := refund.EncodeStored(t.h.body[:0], r)
	t.h.body = body
	stored, err := t.c.stored(body)
	if err != nil {
		return err
	}
	return t.c.Do(`UPDATE record SET flags = ?2, crc = ?3, body = ?4 WHERE seq = ?1`, row.Seq, row.Flags|rows.Redated, rows.Sum(row.Seq, stored), sqlite.JSON(stored))
}

// judgeRedated is a step of the second round.
func (t *tx) judgeRedated() ([]refund.Applied, error) {
	u := &t.n.undated
	seqs, err := t.redatedSeqs(u.From, u.To)
	if err != nil {
		return nil, err
	}
	if len(seqs) < rejudgeStep {
		u.From, u.To = 0, 0
	} else {
		u.From = seqs[len(seqs)-1] + 1
	}
	ch, err := t.d.judge.Redated(t.h, seqs)
	if err != nil {
		return nil, err
	}
	if err := t.freeze(ch.Verdicts); err != nil {
		return nil, err
	}
	if err := t.updateEvents(&ch); err != nil {
		return nil, err
	}
	var applied []refund.Applied
	for _, j := range ch.Verdicts {
		a, err := t.released(j.Verdict.Seq, &refund.Changes{Verdicts: []refund.Judged{j}})
		if err != nil {
			return nil, err
		}
		if len(a.Verdicts) > 0 {
			applied = append(applied, a)
		}
	}
	if err := t.noteDates(&ch); err != nil { // who is undone may have changed
		return nil, err
	}
	return t.followRedated(applied, &ch)
}

// redatedSeqs returns the numbers of the next records between two that were dated again.
func (t *tx) redatedSeqs(from, to int64) ([]int64, error) {
	return t.c.Ints(`SELECT seq FROM record WHERE seq BETWEEN ?1 AND ?2 AND flags & ?3 <> 0 ORDER BY seq LIMIT ?4`, from, to, rows.Redated, rejudgeStep)
}
