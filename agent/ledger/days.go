package ledger

import (
	"slices"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
)

// The table daily is written together with the keys: it counts the refunds among the records
// up to keys.upto, and the cases that were opened until then. What it lacks is kept in memory
// and counted again from the records behind it when the store is opened.

// dayCount is what the table daily lacks of one local day.
type dayCount struct {
	day            string
	refunds, cases int64
}

// lacking is what the table daily lacks while the keys are written up to a record.
type lacking struct {
	upTo int64
	days []dayCount
}

// with returns the counts with some more, as another slice: a transaction may be rolled back.
func with(days []dayCount, day string, refunds, cases int64) []dayCount {
	days = slices.Clone(days)
	i := slices.IndexFunc(days, func(d dayCount) bool { return d.day == day })
	if i < 0 {
		i, days = len(days), append(days, dayCount{day: day})
	}
	days[i].refunds += refunds
	days[i].cases += cases
	return days
}

// countDay counts on the day that when is in the zone of Options.Now, whatever zone the
// process or when has: Counts asks by that day.
func (t *tx) countDay(when time.Time, refunds, cases int64) error {
	day := when.In(t.d.o.Now().Location()).Format(time.DateOnly)
	if t.h.index.upTo == directKeys {
		return t.addToDay(&dayCount{day, refunds, cases})
	}
	t.n.days = with(t.n.days, day, refunds, cases)
	return nil
}

func (t *tx) addToDay(n *dayCount) error {
	return t.c.Do(`INSERT INTO daily(day, refunds, cases) VALUES(?1, ?2, ?3)
 ON CONFLICT(day) DO UPDATE SET refunds = refunds + ?2, cases = cases + ?3`, n.day, n.refunds, n.cases)
}

// saveDays writes what the table daily lacks.
func (t *tx) saveDays() error {
	for i := range t.n.days {
		if err := t.addToDay(&t.n.days[i]); err != nil {
			return err
		}
	}
	t.n.days = nil
	return nil
}

// publishDays has Counts know what is committed.
func (d *DB) publishDays() {
	if l := d.lacking.Load(); l == nil || l.upTo != d.index.upTo || len(l.days) != len(d.now.days) || len(l.days) > 0 && &l.days[0] != &d.now.days[0] {
		d.lacking.Store(&lacking{d.index.upTo, d.now.days})
	}
}

// loadDays counts what the table daily lacks.
func loadDays(c *conn, upTo int64, zone *time.Location) (days []dayCount, err error) {
	if upTo == directKeys {
		return nil, nil
	}
	add := func(refunds, cases int64) func(*sqlite.Row) error {
		return func(r *sqlite.Row) error {
			days = with(days, rows.Time(r.Int(0)).In(zone).Format(time.DateOnly), refunds, cases)
			return nil
		}
	}
	err = c.Each(`SELECT received FROM record WHERE seq > ?1 AND copy_of IS NULL AND case_id IS NOT NULL AND note IS NULL`, add(1, 0), upTo)
	if err == nil {
		err = c.Each(`SELECT opened FROM cases WHERE at > ?1`, add(0, 1), upTo)
	}
	return days, err
}

// countDays adds up all days, and today. The days that the table lacks are those in memory,
// or are counted where another process writes the store.
func (d *DB) countDays(c *conn, today string, zone *time.Location, n *Counts) error {
	var upTo int64
	_, err := c.First(`SELECT coalesce(sum(refunds), 0), coalesce(sum(cases), 0), coalesce(sum(CASE day WHEN ?1 THEN refunds END), 0),
 coalesce(sum(CASE day WHEN ?1 THEN cases END), 0), coalesce((SELECT CAST(value AS INT) FROM meta WHERE name = ?2), 0) FROM daily`, func(r *sqlite.Row) error {
		n.Refunds, n.Cases, n.RefundsToday, n.CasesToday, upTo = r.Int(0), r.Int(1), r.Int(2), r.Int(3), r.Int(4)
		return nil
	}, today, keysUpTo)
	if err != nil {
		return err
	}
	version, err := c.version()
	if err != nil || version < daysVersion {
		return err
	}
	l := d.lacking.Load()
	if l == nil || l.upTo != upTo {
		l = &lacking{upTo: upTo}
		if l.days, err = loadDays(c, upTo, zone); err != nil {
			return err
		}
	}
	for _, day := range l.days {
		n.Refunds, n.Cases = n.Refunds+day.refunds, n.Cases+day.cases
		if day.day == today {
			n.RefundsToday, n.CasesToday = n.RefundsToday+day.refunds, n.CasesToday+day.cases
		}
	}
	return nil
}
