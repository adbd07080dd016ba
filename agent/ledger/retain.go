package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// trustAhead is how far beyond the newest trusted record the clock is trusted when
// it comes to removing: a clock that jumps years ahead must not empty the store.
const trustAhead = 7 * day

// Retain removes records older than the retention, oldest first, looking at no more
// than step of them, together with what belongs to them; call it again while
// removed > 0. Kept are the records that an open case stands on, those that wait, and
// those that an event without room is still to be made of. It also drops what has
// expired (wire memory, old events, token keys that no record uses) and frees pages
// back to the file system. On a full disk it uses the ballast.
func (d *DB) Retain(ctx context.Context, now time.Time, step int) (removed int, err error) {
	do := func(t *tx) (err error) { removed, err = t.retain(now, step); return err }
	err = d.write(ctx, do)
	if errors.Is(err, ErrDiskFull) && d.releaseBallast() {
		err = d.write(ctx, do)
	}
	if err != nil {
		return 0, err
	}
	if err := d.sweepKeys(ctx); err != nil {
		return removed, err
	}
	if err := d.dropKeys(ctx, now); err != nil {
		return removed, err
	}
	d.keepBallast()
	return removed, nil
}

func (t *tx) retain(now time.Time, step int) (int, error) {
	limit := t.trustedNow(now)
	if err := t.out.DropOld(limit); err != nil {
		return 0, err
	}
	if err := t.c.Do(`DELETE FROM memory WHERE expires <= ?1`, rows.Millis(limit)); err != nil {
		return 0, err
	}
	if t.n.newest.IsZero() {
		return 0, nil
	}
	removed, err := t.removeBefore(limit.Add(-t.d.o.Retention), step)
	if err != nil {
		return 0, err
	}
	if removed > 0 {
		t.n.sweeping = true
	}
	return removed, t.c.Do(`PRAGMA incremental_vacuum(256)`)
}

// trustedNow is the time that counts when something is dropped for its age.
func (t *tx) trustedNow(now time.Time) time.Time {
	if limit := t.n.newest.Add(trustAhead); !t.n.newest.IsZero() && limit.Before(now) {
		return limit
	}
	return now
}

// removeBefore removes up to step records older than limit. The newest record of
// all always stays: numbers go on from it.
func (t *tx) removeBefore(limit time.Time, step int) (int, error) {
	list, err := rows.Records(t.c.Conn, `SELECT `+rows.RecordColumns+` FROM record WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3`, t.n.looked, t.n.seq, step)
	if err != nil {
		return 0, err
	}
	removed := 0
	var needed *needed
	for i := range list {
		r, err := list[i].Decode()
		if err != nil {
			return 0, err
		}
		if !ageOf(&list[i], &r).Before(limit) {
			t.n.looked = 0 // from the beginning next time: a case may be closed then
			return removed, t.saveRemoved(removed)
		}
		if needed == nil {
			if needed, err = t.beginRemoving(list); err != nil {
				return 0, err
			}
		}
		t.n.looked = list[i].Seq
		gone, err := t.removeRecord(&list[i], &r, needed)
		if err != nil {
			return 0, err
		}
		if gone {
			removed++
		}
	}
	if len(list) < step {
		t.n.looked = 0
	}
	return removed, t.saveRemoved(removed)
}

// ageOf is the time a record counts from: its reception by a trusted clock, else its
// own time, else its reception.
func ageOf(row *rows.Record, r *refund.Record) time.Time {
	if row.Flags&rows.Synced == 0 {
		if at, ok := r.Time(); ok {
			return at
		}
	}
	return rows.Time(row.Received)
}

func (t *tx) saveRemoved(n int) error {
	if n == 0 {
		return nil
	}
	t.n.removed += int64(n)
	first, _, err := t.c.Int(`SELECT min(seq) FROM record`)
	if err != nil {
		return err
	}
	if err := t.c.Do(`DELETE FROM payer WHERE last < ?1`, first); err != nil {
		return err
	}
	if err := t.forgetDates(first); err != nil {
		return err
	}
	if err := t.forgetLeaves(t.removed); err != nil {
		return err
	}
	return saveBounds(t.c, &t.n.bounds)
}

// eventOf is the event that a row is a sighting of.
func eventOf(row *rows.Record) int64 {
	if row.CopyOf > 0 {
		return row.CopyOf
	}
	return row.Seq
}

// needed is what of some events is needed by cases: for those that are open or whose event
// is still to be made, the refund and its original. cases are the ids of all, by refund.
type needed struct {
	events map[int64]bool
	cases  map[int64][]string
}

// beginRemoving looks through the cases, which have no index, once for all of these rows.
// What is kept in memory of records and cases that may go is written before.
func (t *tx) beginRemoving(list []rows.Record) (*needed, error) {
	if len(t.n.days) > 0 || list[len(list)-1].Seq > t.h.index.upTo {
		if err := t.writeKeys(); err != nil {
			return nil, err
		}
	}
	n := &needed{map[int64]bool{}, map[int64][]string{}}
	asked := map[int64]bool{}
	for i := range list {
		asked[eventOf(&list[i])] = true
	}
	err := t.c.Each(`SELECT seq, original, open, case_id FROM cases`, func(r *sqlite.Row) error {
		seq, original := r.Int(0), r.Int(1)
		if asked[seq] {
			n.cases[seq] = append(n.cases[seq], r.Text(3))
		}
		if r.Int(2) != 0 {
			n.events[seq], n.events[original] = true, true
		}
		return nil
	})
	if err != nil || t.out.Figures.Untold == 0 {
		return n, err
	}
	return n, t.c.Each(`SELECT cases.seq, cases.original FROM untold JOIN cases USING(case_id)`, func(r *sqlite.Row) error {
		n.events[r.Int(0)], n.events[r.Int(1)] = true, true
		return nil
	})
}

// removeRecord removes a record unless something still needs it.
func (t *tx) removeRecord(row *rows.Record, r *refund.Record, needed *needed) (bool, error) {
	event := eventOf(row)
	if needed.events[event] {
		return false, nil
	}
	if waits, _, err := t.c.Int(`SELECT EXISTS(SELECT 1 FROM held WHERE seq = ?1)`, event); err != nil || waits != 0 {
		return false, err
	}
	t.d.recent.forget(row.Seq)
	if err := t.forgetLeaf(row.Seq); err != nil {
		return false, err
	}
	if err := t.removeKeys(row.Seq); err != nil {
		return false, err
	}
	for _, sql := range []string{
		`DELETE FROM record WHERE seq = ?1`,
		`DELETE FROM verdict WHERE seq = ?1`,
	} {
		if err := t.c.Do(sql, row.Seq); err != nil {
			return false, err
		}
	}
	for _, id := range needed.cases[row.Seq] {
		if err := t.c.Do(`DELETE FROM cases WHERE case_id = ?1`, id); err != nil {
			return false, err
		}
	}
	if err := t.forgetFollowed(row, needed.cases[row.Seq]); err != nil {
		return false, err
	}
	t.removed = max(t.removed, row.Seq)
	if on := row.Date(r, t.d.o.Now().Location()); on > t.n.bounds.RemovedDay {
		t.n.bounds.RemovedDay = on
	}
	return true, nil
}

// sweepStep is how many entries of the table key one call looks at.
const sweepStep = 20_000

// sweepKeys looks at the next entries of the table key and removes those whose
// record is gone: with a sale go only its row, because nothing but the entries
// themselves names it. An entry that is left finds nothing until then.
// It looks on a reading connection, so records do not wait for it.
func (d *DB) sweepKeys(ctx context.Context) error {
	if err := d.acquire(ctx); err != nil {
		return err
	}
	at, sweeping := d.now.swept, d.now.sweeping
	d.release()
	if !sweeping {
		return nil
	}
	var dead []sweepPlace
	seen := 0
	err := d.read(ctx, func(c *conn) (err error) {
		dead, at, seen, err = deadKeys(c, at)
		return err
	})
	if err != nil {
		return err
	}
	return d.write(ctx, func(t *tx) error {
		for _, e := range dead {
			if err := t.c.Do(`DELETE FROM key WHERE value = ?1 AND seq = ?2`, []byte(e.value), e.seq); err != nil {
				return err
			}
		}
		t.n.swept = at
		if seen < sweepStep {
			t.n.swept, t.n.sweeping = sweepPlace{}, false
		}
		return nil
	})
}

// deadKeys returns the entries after a place whose record is gone, and how far it looked.
func deadKeys(c *conn, at sweepPlace) (dead []sweepPlace, end sweepPlace, seen int, err error) {
	end = at
	err = c.Each(`SELECT key.value, key.seq, record.seq IS NULL FROM key LEFT JOIN record ON record.seq = key.seq
 WHERE (key.value, key.seq) > (?1, ?2) ORDER BY key.value, key.seq LIMIT ?3`, func(r *sqlite.Row) error {
		seen++
		end = sweepPlace{r.Text(0), r.Int(1)}
		if r.Int(2) != 0 {
			dead = append(dead, end)
		}
		return nil
	}, []byte(at.value), at.seq, sweepStep)
	return dead, end, seen, err
}

// sweepPlace is an entry of the table key, and how far sweepKeys has come.
type sweepPlace struct {
	value string
	seq   int64
}

// inFlight is how long a record may be on its way from Seal to Apply.
const inFlight = time.Hour

// Rotate makes a new token key. Records sealed from now on have tokens under it and
// under the older ones still in use.
func (d *DB) Rotate(ctx context.Context) error {
	if d.readOnly || d.temporary {
		return ErrReadOnly
	}
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	if d.closed {
		return ErrClosed
	}
	d.o.step("rotate.write")
	return classOf(d.keys.add(d.o.Now()))
}

// untilName is where the store notes the newest record that may have been sealed
// before there was a newer key than this.
func untilName(id int64) string { return fmt.Sprintf("key.%d.until", id) }

// settleKeys notes, for each older key, the newest record that may have tokens under
// it but not under the next: known at an opening, when nothing is on its way.
func settleKeys(c *conn, ids []int64, newest int64) error {
	for _, id := range ids[1:] {
		until, err := metaText(c, untilName(id))
		if err != nil {
			return err
		}
		if until == "" {
			if err := setMetaInt(c, untilName(id), newest); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropKeys takes keys out of use that no record needs: every stored record has
// tokens under a newer one.
func (d *DB) dropKeys(ctx context.Context, now time.Time) error {
	ids := d.keys.IDs()
	if len(ids) < 2 || d.temporary {
		return nil
	}
	unused := map[int64]bool{}
	err := d.write(ctx, func(t *tx) error {
		if now.Sub(d.keys.newestMade()) >= inFlight {
			if err := settleKeys(t.c, ids, t.n.seq); err != nil {
				return err
			}
		}
		first, _, err := t.c.Int(`SELECT min(seq) FROM record`)
		if err != nil {
			return err
		}
		for _, id := range ids[1:] {
			text, err := metaText(t.c, untilName(id))
			if err != nil {
				return err
			}
			until, err := metaInt(t.c, untilName(id))
			if err != nil {
				return err
			}
			unused[id] = text != "" && first > until
		}
		return nil
	})
	if err != nil {
		return err
	}
	return classOf(d.keys.drop(func(id int64) bool { return unused[id] }))
}

// newestMade is when the newest key was made.
func (k *Keys) newestMade() time.Time { return (*k.ring.Load())[0].made }
