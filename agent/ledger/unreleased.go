package ledger

import (
	"context"
	"slices"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// A verdict that a sale still to come would change waits pending_grace before it
// is released (verdicts.md § 2): minutes of running time, because nothing can come
// while the agent is off. In a run the due time is kept by the run's own clock.
// Stored is the due time by the wall clock; after a restart what is left of it
// counts, and the whole grace again if it has passed or makes no sense, but only
// once: an agent that restarts all the time releases it in the end.
type unreleasedVerdict struct {
	due time.Duration // by the run's clock
}

// running is the run's own clock, as ReleaseDue was last called with it and as it goes on
// between its calls.
type running struct {
	now  func() time.Time
	last time.Duration
	at   time.Time // when last was set
}

func (r *running) elapsed() time.Duration {
	if r.at.IsZero() {
		return r.last
	}
	return r.last + max(0, r.now().Sub(r.at))
}

// set sets the running time.
func (r *running) set(d time.Duration) { r.last, r.at = d, r.now() }

// delayRelease notes that a verdict waits; one that already does keeps its due time.
func (t *tx) delayRelease(seq int64) error {
	if t.d.temporary {
		return t.c.Do(`INSERT OR IGNORE INTO held(seq, due, again) VALUES(?1, 0, 0)`, seq)
	}
	due := max(0, t.d.o.Grace)
	wall := rows.Millis(t.d.o.Now().Add(due))
	if err := t.c.Do(`INSERT OR IGNORE INTO held(seq, due, again) VALUES(?1, ?2, 0)`, seq, wall); err != nil {
		return err
	}
	if t.c.Changes() == 1 {
		at := t.d.ran.elapsed() + due
		t.after(func() { t.d.unreleased[seq] = &unreleasedVerdict{due: at} })
	}
	return nil
}

// endDelay notes that a verdict no longer waits.
func (t *tx) endDelay(seq int64) error {
	if err := t.c.Do(`DELETE FROM held WHERE seq = ?1`, seq); err != nil {
		return err
	}
	t.after(func() { delete(t.d.unreleased, seq) })
	return nil
}

// loadUnreleased takes up the verdicts that waited when the store was last open. Within
// one run (reopened after an error) they keep their due time.
func (d *DB) loadUnreleased(c *conn) error {
	unreleased := make(map[int64]*unreleasedVerdict)
	var again []int64
	now := rows.Millis(d.o.Now())
	err := c.Each(`SELECT seq, due, again FROM held ORDER BY seq`, func(r *sqlite.Row) error {
		seq := r.Int(0)
		if h := d.unreleased[seq]; h != nil {
			unreleased[seq] = h
			return nil
		}
		left := time.Duration(r.Int(1)-now) * time.Millisecond
		switch {
		case left > 0 && left <= d.o.Grace:
		case r.Int(2) == 0:
			left = max(0, d.o.Grace)
			again = append(again, seq)
		default:
			left = 0
		}
		unreleased[seq] = &unreleasedVerdict{due: d.ran.elapsed() + left}
		return nil
	})
	if err != nil {
		return err
	}
	for _, seq := range again {
		if err := c.Do(`UPDATE held SET due = ?2, again = 1 WHERE seq = ?1`, seq, now+d.o.Grace.Milliseconds()); err != nil {
			return err
		}
	}
	d.unreleased = unreleased
	return nil
}

// ReleaseDue releases the unreleased verdicts whose grace has passed, in seq order. running
// is the time this process has been running, by a clock that is never set. next is
// the running time at which the next one is due, 0 if none waits.
func (d *DB) ReleaseDue(ctx context.Context, running time.Duration) (applied []refund.Applied, next time.Duration, err error) {
	if d.readOnly {
		return nil, 0, ErrReadOnly
	}
	err = d.withWriter(ctx, func(*conn) (err error) {
		d.ran.set(running)
		var due []int64
		for seq, h := range d.unreleased {
			if h.due <= running {
				due = append(due, seq)
			}
		}
		if len(due) > 0 {
			slices.Sort(due)
			applied, err = d.releaseThese(due)
		}
		for _, h := range d.unreleased {
			if err == nil && (next == 0 || h.due < next) {
				next = h.due
			}
		}
		return err
	})
	return applied, next, err
}

// releaseStep is how many unreleased verdicts ReleaseAll releases in one transaction.
const releaseStep = 500

// ReleaseAll releases every unreleased verdict, in seq order: the end of the input of `check`.
// It hands them to each in steps, so that all of them need not be in memory; an
// error of each ends it.
func (d *DB) ReleaseAll(ctx context.Context, each func([]refund.Applied) error) error {
	if d.readOnly {
		return ErrReadOnly
	}
	for last := int64(0); ; {
		applied, due, err := d.releaseAfter(ctx, last)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := each(applied); err != nil {
			return err
		}
		last = due[len(due)-1]
	}
}

// releaseAfter releases the next unreleased verdicts after this seq, and returns their seqs.
func (d *DB) releaseAfter(ctx context.Context, last int64) (applied []refund.Applied, due []int64, err error) {
	err = d.withWriter(ctx, func(c *conn) (err error) {
		if due, err = c.Ints(`SELECT seq FROM held WHERE seq > ?1 ORDER BY seq LIMIT ?2`, last, releaseStep); err != nil {
			return d.failedWith(err)
		}
		if len(due) > 0 {
			applied, err = d.releaseThese(due)
		}
		return err
	})
	return applied, due, err
}

// releaseThese releases these unreleased verdicts in one transaction.
func (d *DB) releaseThese(seqs []int64) ([]refund.Applied, error) {
	var applied []refund.Applied
	err := d.transact(func(t *tx) error {
		for _, seq := range seqs {
			ch, err := t.d.judge.Release(t.h, seq)
			if err != nil {
				return err
			}
			if err := t.endDelay(seq); err != nil {
				return err
			}
			a, err := t.released(seq, &ch)
			if err != nil {
				return err
			}
			if len(a.Verdicts) > 0 {
				applied = append(applied, a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return applied, nil
}

// released stores the verdicts that a release has changed.
func (t *tx) released(seq int64, ch *refund.Changes) (refund.Applied, error) {
	a := refund.Applied{Seq: seq}
	if err := t.freeze(ch.Verdicts); err != nil {
		return a, err
	}
	if t.d.temporary { // no case is made of them
		return a, t.storeVerdicts(ch.Verdicts, &circumstances{seq: seq}, &a)
	}
	row, err := loadRow(t.c, seq)
	if err != nil || row == nil {
		return a, err
	}
	if a.Record, err = row.Decode(); err != nil {
		return a, err
	}
	a.Link = t.linkName(row.Link)
	why := circumstances{
		time: t.d.o.Now(), synced: t.n.synced, seq: seq, record: &a.Record,
		historical: a.Record.Copy != "" || t.d.rebuilding,
	}
	if err := t.storeVerdicts(ch.Verdicts, &why, &a); err != nil {
		return a, err
	}
	return a, t.follow(ch, &why, &a)
}
