package ledger

import (
	"slices"
	"time"

	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Which records are of a date is found by runs: records come in the order of their dates but for
// those that come late, so one row says from which record on they are of which day, and there
// is about one a day. Days of which a record is new or has changed are due until their tallies
// are made.

// dated reports whether a record takes part in what is said of its day, and returns that.
func dated(r *refund.Record) (day string, ok bool) {
	if !r.Kind.IsSale() && !r.Kind.Judged() || r.Training {
		return "", false
	}
	day = follow.DateOf(r)
	return day, day != ""
}

// byDay reports whether the store has runs: not that of a dry run.
func (t *tx) byDay() (bool, error) {
	if t.d.temporary {
		return false, nil
	}
	version, err := t.c.version()
	return version >= datesVersion, err
}

// noteDates notes the days of the events that a record has made or changed.
func (t *tx) noteDates(ch *refund.Changes) error {
	if ok, err := t.byDay(); !ok {
		return err
	}
	for i := range ch.Events {
		e := ch.Events[i].Event
		if e.Record.Kind == refund.KindAdjust {
			if err := t.adjustChanged(e); err != nil {
				return err
			}
		}
		day, ok := dated(&e.Record)
		if !ok {
			continue
		}
		if ch.Events[i].New && day != t.n.runDay {
			if err := t.c.Do(`INSERT OR REPLACE INTO day_run(first, day) VALUES(?1, ?2)`, e.Seq, day); err != nil {
				return err
			}
			t.n.runDay = day
		}
		if err := t.dayChanged(day); err != nil {
			return err
		}
	}
	return nil
}

// dayChanged notes that a day is due.
func (t *tx) dayChanged(day string) error {
	if err := t.digestChanged(day); err != nil {
		return err
	}
	if t.d.dueDays[day] || slices.Contains(t.dueDays, day) {
		return nil
	}
	if err := t.c.Do(`INSERT OR IGNORE INTO day_due(day) VALUES(?1)`, day); err != nil {
		return err
	}
	t.dueDays = append(t.dueDays, day)
	t.after(func() { t.d.dueDays[day] = true })
	return nil
}

// dayDone notes that a day is not due any more.
func (t *tx) dayDone(day string) error {
	t.after(func() { delete(t.d.dueDays, day) })
	return t.c.Do(`DELETE FROM day_due WHERE day = ?1`, day)
}

// moveDate notes that a record has got another date. Records are moved in their order, so a run
// grows by one record at a time.
func (t *tx) moveDate(seq int64, old, now *refund.Record) error {
	from, was := dated(old)
	to, is := dated(now)
	if ok, err := t.byDay(); !ok || !was || !is || from == to {
		return err
	}
	runs, err := t.runs(`first <= ?1 ORDER BY first DESC LIMIT 2`, seq)
	if err != nil {
		return err
	}
	if len(runs) > 0 && runs[0].day == from {
		if _, next, err := t.c.Int(`SELECT first FROM day_run WHERE first = ?1`, seq+1); err != nil {
			return err
		} else if !next {
			if err := t.c.Do(`INSERT INTO day_run(first, day) VALUES(?1, ?2)`, seq+1, from); err != nil {
				return err
			}
		}
		before := runs[0]
		if before.first == seq && len(runs) > 1 {
			before = runs[1]
		}
		sql := `INSERT OR REPLACE INTO day_run(first, day) VALUES(?1, ?2)`
		if before.first < seq && before.day == to {
			sql = `DELETE FROM day_run WHERE first = ?1 AND day <> ?2`
		}
		if err := t.c.Do(sql, seq, to); err != nil {
			return err
		}
		if t.n.runDay, err = newestRun(t.c); err != nil {
			return err
		}
	}
	if err := t.dayChanged(from); err != nil {
		return err
	}
	return t.dayChanged(to)
}

// dayRun is one row of day_run.
type dayRun struct {
	first int64
	day   string
}

func (t *tx) runs(where string, args ...any) (list []dayRun, err error) {
	err = t.c.Each(`SELECT first, day FROM day_run WHERE `+where, func(r *sqlite.Row) error {
		list = append(list, dayRun{r.Int(0), r.Text(1)})
		return nil
	}, args...)
	return list, err
}

func newestRun(c *conn) (string, error) {
	return c.Text(`SELECT day FROM day_run ORDER BY first DESC LIMIT 1`)
}

// eventsOf calls do for the events that state this date, in order.
func (t *tx) eventsOf(day string, do func(*refund.Event)) error {
	return t.rowsOf(day, func(row *rows.Record, r *refund.Record) {
		do(&refund.Event{Seq: row.Seq, Record: *r, UndoneBy: row.UndoneBy})
	})
}

// rowsOf calls do for the rows of the events that state this date, in order.
func (t *tx) rowsOf(day string, do func(*rows.Record, *refund.Record)) error {
	type stretch struct{ from, to int64 }
	var all []stretch
	err := t.c.Each(`SELECT first, coalesce((SELECT min(first) FROM day_run n WHERE n.first > d.first) - 1, ?2) FROM day_run d WHERE day = ?1 ORDER BY first`, func(r *sqlite.Row) error {
		all = append(all, stretch{r.Int(0), r.Int(1)})
		return nil
	}, day, t.n.seq)
	if err != nil {
		return err
	}
	for _, s := range all {
		err := t.c.Each(`SELECT `+rows.RecordColumns+` FROM record WHERE seq BETWEEN ?1 AND ?2 AND copy_of IS NULL ORDER BY seq`, func(r *sqlite.Row) error {
			row, err := rows.ScanRecord(r)
			if err != nil {
				return err
			}
			rec, err := row.Decode()
			if err != nil {
				return err
			}
			if is, ok := dated(&rec); ok && is == day {
				do(&row, &rec)
			}
			return nil
		}, s.from, s.to)
		if err != nil {
			return err
		}
	}
	return nil
}

// daysBack is how many days are found in a store of before there were runs.
const daysBack = 42

// loadDates reads which days are due, and the newest run; of a store of before there were
// runs it makes those of the newest days first.
func (d *DB) loadDates(c *conn, n *figures) error {
	d.dueDays, d.notBefore = map[string]bool{}, map[string]time.Time{}
	if version, err := c.version(); err != nil || version < datesVersion {
		return err
	}
	if err := d.makeRuns(c); err != nil {
		return err
	}
	err := c.Each(`SELECT day FROM day_due`, func(r *sqlite.Row) error { d.dueDays[r.Text(0)] = true; return nil })
	if err == nil {
		n.runDay, err = newestRun(c)
	}
	return err
}

// makeRuns makes the runs of a store of before there were any. The oldest day that it finds may
// have begun before: it is not due.
func (d *DB) makeRuns(c *conn) error {
	from, err := metaInt(c, "days.from")
	if err != nil || from == 0 {
		return err
	}
	list, err := newestRuns(c, from-1, rows.Millis(d.o.Now().Add(-daysBack*day)))
	if err != nil {
		return err
	}
	if err := c.Begin(); err != nil {
		return err
	}
	for i := range list {
		run := &list[i]
		err := c.Do(`INSERT OR IGNORE INTO day_run(first, day) VALUES(?1, ?2)`, run.first, run.day)
		if err == nil && run.day > list[len(list)-1].day {
			err = c.Do(`INSERT OR IGNORE INTO day_due(day) VALUES(?1)`, run.day)
		}
		if err != nil {
			return err
		}
	}
	if err := c.Do(`DELETE FROM meta WHERE name = 'days.from'`); err != nil {
		return err
	}
	return c.Commit()
}

// newestRuns returns the runs of the records up to this seq that were received since then (ms),
// the newest first.
func newestRuns(c *conn, at, since int64) (list []dayRun, err error) {
	for {
		batch, err := rows.Records(c.Conn, `SELECT `+rows.RecordColumns+` FROM record WHERE seq <= ?1 ORDER BY seq DESC LIMIT 500`, at)
		if err != nil {
			return nil, err
		}
		for i := range batch {
			row := &batch[i]
			if at = row.Seq - 1; row.Received < since {
				return list, nil
			}
			r, err := row.Decode()
			if err != nil {
				return nil, err
			}
			on, ok := dated(&r)
			switch {
			case !ok || row.CopyOf != 0:
			case len(list) > 0 && list[len(list)-1].day == on:
				list[len(list)-1].first = row.Seq
			default:
				list = append(list, dayRun{row.Seq, on})
			}
		}
		if len(batch) == 0 {
			return list, nil
		}
	}
}

// forgetDates removes what is known of days of which retention has removed the records.
func (t *tx) forgetDates(first int64) error {
	if ok, err := t.byDay(); !ok {
		return err
	}
	if err := t.c.Do(`DELETE FROM day_run WHERE first < (SELECT max(first) FROM day_run WHERE first <= ?1)`, first); err != nil {
		return err
	}
	if err := t.forgetDigests(); err != nil {
		return err
	}
	return t.c.Do(`DELETE FROM tally WHERE substr(subject, -10) <= ?1`, t.n.bounds.RemovedDay)
}

// closedAt is when the tallies of a day are made: at 02:00 of the next one.
func closedAt(day string, zone *time.Location) (time.Time, bool) {
	at, err := time.ParseInLocation(time.DateOnly, day, zone)
	return time.Date(at.Year(), at.Month(), at.Day()+1, 2, 0, 0, 0, zone), err == nil
}
