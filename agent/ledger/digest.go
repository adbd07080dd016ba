package ledger

import (
	"context"
	"maps"
	"slices"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Digests of days (bills.md § 5) are made of the records when their time has come; nothing is
// written for them while records come. What the table digest has of a day shows whether a record
// that comes later changes one that was made.

// digestVersion is the schema version from which on there are digests of days.
const digestVersion = 11

// Times and bounds of digests. Source: bills.md § 5.
const (
	digestDaysBack  = 40
	digestQuiet     = 10 * time.Minute // after the last change
	digestPause     = time.Hour        // between two of one day
	mostDigestParts = 200
	mostWaiting     = 4 << 20 // bytes of parts that wait: no more are made until some are acknowledged
)

// DayReason is why a digest is not complete, one bit each.
type DayReason int64

// The reasons, in the order of daydigest.Reasons. Source: bills.md § 5.
const (
	DayCaptureGap DayReason = 1 << iota
	DayLinkDown
	DayClock
	dayHistory
	dayStore
	dayTooMany
)

// Marks of a day whose digest was made.
const (
	digestMade    = 0
	digestChanged = 1 // something of the day has changed since
	digestAsked   = 2 // it was asked for again
)

// digestRow is one row of the table digest.
type digestRow struct {
	rev, made int64
	sum       string
	why       DayReason
	due       int64
	changed   time.Time // when it was last changed, in this process; its start if before
}

// digesting is what the writer knows of digests.
type digesting struct {
	digests  map[string]*digestRow // by day; nil: the store is of before there were digests, or has none
	rebuilt  string                // the newest date on which the store was salvaged or put back
	adjusted bool                  // there may be adjusts
}

// Names in meta.
const (
	dayStreamName   = "day.stream"
	dayLastName     = "day.last"
	dayAckedName    = "day.acked"
	dayRebuiltName  = "day.rebuilt"  // the newest date on which the store was salvaged or put back
	dayAdjustedName = "day.adjusted" // there may be adjusts
)

// loadDigests reads what is known of digests. A store of before there were any has none.
func (d *DB) loadDigests(c *conn) error {
	d.digests, d.rebuilt, d.adjusted = nil, "", false
	if version, err := c.version(); err != nil || version < digestVersion || d.temporary {
		return err
	}
	d.digests = map[string]*digestRow{}
	now := d.o.Now()
	err := c.Each(`SELECT day, rev, made, sum, why, due FROM digest`, func(r *sqlite.Row) error {
		d.digests[r.Text(0)] = &digestRow{rev: r.Int(1), made: r.Int(2), sum: r.Text(3), why: DayReason(r.Int(4)), due: r.Int(5), changed: now}
		return nil
	})
	if err != nil {
		return err
	}
	if d.rebuilt, err = metaText(c, dayRebuiltName); err != nil {
		return err
	}
	adjusted, err := metaInt(c, dayAdjustedName)
	d.adjusted = adjusted != 0
	if err != nil {
		return err
	}
	return d.loadDayParts(c)
}

// digestChanged notes that something has changed of a day, if its digest was made.
func (t *tx) digestChanged(on string) error {
	row := t.d.digests[on]
	if row == nil || row.rev == 0 {
		return nil
	}
	if row.due == digestMade {
		if err := t.c.Do(`UPDATE digest SET due = ?2 WHERE day = ?1 AND due = 0`, on, digestChanged); err != nil {
			return err
		}
	}
	now := t.d.o.Now()
	t.after(func() {
		if row := t.d.digests[on]; row != nil {
			row.due, row.changed = max(row.due, digestChanged), now
		}
	})
	return nil
}

// verdictChanged notes the day of a refund whose verdict has changed by another record than its own.
func (t *tx) verdictChanged(seq int64) error {
	if len(t.d.digests) == 0 {
		return nil
	}
	row, err := loadRow(t.c, seq)
	if err != nil || row == nil {
		return err
	}
	r, err := row.Decode()
	if err != nil {
		return err
	}
	if on, ok := dated(&r); ok {
		return t.digestChanged(on)
	}
	return nil
}

// adjustChanged notes the day of the sale that an adjust names: its amount is another now.
func (t *tx) adjustChanged(e *refund.Event) error {
	if t.d.digests == nil || t.d.o.Judge == nil {
		return nil
	}
	if !t.d.adjusted {
		if err := setMetaInt(t.c, dayAdjustedName, 1); err != nil {
			return err
		}
		t.after(func() { t.d.adjusted = true })
	}
	sale, err := t.d.o.Judge.AdjustedSale(t.h, e)
	if err != nil || sale == nil {
		return err
	}
	if on, ok := dated(&sale.Record); ok {
		return t.digestChanged(on)
	}
	return nil
}

// noteReason notes why the digest of a day will not be complete.
func (t *tx) noteReason(on string, why DayReason) error {
	if row := t.d.digests[on]; t.d.digests == nil || row != nil && row.why&why == why {
		return nil
	}
	if err := t.c.Do(`INSERT INTO digest(day, rev, made, sum, why, due) VALUES(?1, 0, 0, '', ?2, 0) ON CONFLICT(day) DO UPDATE SET why = why | ?2`, on, int64(why)); err != nil {
		return err
	}
	t.after(func() {
		if t.d.digests[on] == nil {
			t.d.digests[on] = &digestRow{}
		}
		t.d.digests[on].why |= why
	})
	return t.digestChanged(on)
}

// gapInDay notes the integrity line of a settlement.
func (t *tx) gapInDay(r *refund.Record, received time.Time) error {
	at, ok := r.Time()
	if !ok {
		at = received.In(t.d.o.Now().Location())
	}
	return t.noteReason(at.Format(time.DateOnly), DayCaptureGap)
}

// NoteDay notes why the digest of a day, YYYY-MM-DD, will not be complete (bills.md § 5). What is
// noted already is not written again.
func (d *DB) NoteDay(ctx context.Context, day string, why DayReason) error {
	if d.readOnly || d.temporary {
		return nil
	}
	return d.withWriter(ctx, func(*conn) error {
		if row := d.digests[day]; row != nil && row.why&why == why {
			return nil
		}
		return d.transact(func(t *tx) error { return t.noteReason(day, why) })
	})
}

// ResendDays has the digests of these days made again, both dates YYYY-MM-DD, and returns how many (command day-resend). Days that
// are not over, and days of which retention has removed records, are passed over.
func (d *DB) ResendDays(ctx context.Context, from, to string) (n int, err error) {
	if d.readOnly || d.temporary {
		return 0, ErrReadOnly
	}
	err = d.write(ctx, func(t *tx) error {
		n = 0
		first, err := time.Parse(time.DateOnly, from)
		if err != nil || d.digests == nil {
			return err
		}
		today := d.o.Now().Format(time.DateOnly)
		for on := first; ; on = on.AddDate(0, 0, 1) {
			date := on.Format(time.DateOnly)
			if date > to || date >= today {
				return nil
			}
			if row := d.digests[date]; date <= t.n.bounds.RemovedDay && row != nil && row.rev > 0 {
				continue
			}
			n++
			if err := t.askDigest(date); err != nil {
				return err
			}
		}
	})
	return n, err
}

func (t *tx) askDigest(on string) error {
	t.after(func() {
		if t.d.digests[on] == nil {
			t.d.digests[on] = &digestRow{}
		}
		t.d.digests[on].due = digestAsked
	})
	return t.c.Do(`INSERT INTO digest(day, rev, made, sum, why, due) VALUES(?1, 0, 0, '', 0, ?2) ON CONFLICT(day) DO UPDATE SET due = ?2`, on, digestAsked)
}

// DigestMade is one digest that was made.
type DigestMade struct {
	Day      string
	Rev      int64
	Parts    int64
	Complete bool
}

// MakeDigest makes the next digest of a day that is due, in one transaction: of a day that is over, at
// this time of the day after it, and of one that has changed since or was asked for. now is
// of a clock that is trusted. made is nil where none was to be made, or the day is as it was; more: there may be another day.
// Without any it costs nothing. Source: bills.md § 5.
func (d *DB) MakeDigest(ctx context.Context, now time.Time, at time.Duration) (made *DigestMade, more bool, err error) {
	if d.readOnly || d.temporary {
		return nil, false, nil
	}
	err = d.withWriter(ctx, func(*conn) error {
		due := d.digestsDue(now, at)
		if len(due) == 0 || d.days.Bytes() >= mostWaiting {
			return nil
		}
		more = len(due) > 1
		return d.transact(func(t *tx) (err error) {
			made, err = t.digest(due[0], now)
			return err
		})
	})
	if err != nil {
		return nil, false, err
	}
	return made, more, nil
}

// digestsDue returns the days whose digest is to be made now: those not made yet, the oldest first, then the others.
func (d *DB) digestsDue(now time.Time, at time.Duration) (due []string) {
	if d.digests == nil {
		return nil
	}
	zone := d.o.Now().Location()
	year, month, today := now.In(zone).Date()
	for back := digestDaysBack; back >= 1; back-- {
		on := time.Date(year, month, today-back, 0, 0, 0, 0, zone)
		if row := d.digests[on.Format(time.DateOnly)]; (row == nil || row.rev == 0) && !now.Before(on.AddDate(0, 0, 1).Add(at)) {
			due = append(due, on.Format(time.DateOnly))
		}
	}
	for _, on := range slices.Sorted(maps.Keys(d.digests)) {
		row := d.digests[on]
		ask := row.due == digestAsked
		if row.due == digestChanged && row.rev > 0 {
			ask = passed(row.changed, now, digestQuiet) && passed(rows.Time(row.made), now, digestPause)
		}
		if ask && !slices.Contains(due, on) {
			due = append(due, on)
		}
	}
	return due
}

// passed reports whether so much time has passed, or the clock was set back meanwhile.
func passed(since, now time.Time, wait time.Duration) bool {
	d := now.Sub(since)
	return d < 0 || d >= wait
}

// digest makes the digest of a day, nil if it is as it was.
func (t *tx) digest(on string, now time.Time) (*DigestMade, error) {
	row := digestRow{}
	if known := t.d.digests[on]; known != nil {
		row = *known
	}
	if on <= t.n.bounds.RemovedDay && row.rev > 0 { // what retention has removed is not missing
		return nil, t.saveDigest(on, row)
	}
	c, err := t.gatherDay(on)
	if err != nil {
		return nil, err
	}
	c.why |= row.why
	parts, sum, err := t.cutDay(c, nil)
	if err != nil {
		return nil, err
	}
	if parts > mostDigestParts {
		c.why |= dayTooMany
		if parts, sum, err = t.cutDay(c, nil); err != nil {
			return nil, err
		}
		parts = min(parts, mostDigestParts)
	}
	if sum == row.sum && row.due != digestAsked {
		return nil, t.saveDigest(on, row)
	}
	row.rev, row.made, row.sum = row.rev+1, rows.Millis(now), sum
	if err := t.storeDay(on, c, &row, parts); err != nil {
		return nil, err
	}
	return &DigestMade{on, row.rev, parts, c.why == 0}, t.saveDigest(on, row)
}

// saveDigest writes what is known of a digest that is not due any more.
func (t *tx) saveDigest(on string, row digestRow) error {
	row.due = digestMade
	t.after(func() { t.d.digests[on] = &row })
	return t.c.Do(`INSERT OR REPLACE INTO digest(day, rev, made, sum, why, due) VALUES(?1, ?2, ?3, ?4, ?5, 0)`, on, row.rev, row.made, row.sum, int64(row.why))
}

// forgetDigests removes what is known of days of which retention has removed the records, but for those that
// would be made again.
func (t *tx) forgetDigests() error {
	if t.d.digests == nil {
		return nil
	}
	before := min(t.n.bounds.RemovedDay, t.d.o.Now().AddDate(0, 0, -digestDaysBack-2).Format(time.DateOnly))
	t.after(func() { maps.DeleteFunc(t.d.digests, func(on string, _ *digestRow) bool { return on <= before }) })
	return t.c.Do(`DELETE FROM digest WHERE day <= ?1`, before)
}
