package ledger

import (
	"context"
	"slices"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Due returns up to limit entries that are to be sent now, without those whose Entry is in
// except: cases that no broker has taken, or that were asked for again; then cases whose
// acknowledgement is overdue; both in sequence order; then events. It reserves nothing: until
// Sent, Acked or Nacked changes an entry, it is returned again. next is when something will be
// due, zero if nothing waits. Digests of days come behind cases and before events. The memory of reuse, which an earlier call has returned, is
// used for what is returned. topics.md rules 2, 5.
func (d *DB) Due(ctx context.Context, now time.Time, limit int, reuse []refund.Notice, except ...int64) ([]refund.Notice, time.Time, error) {
	d.renewing.RLock()
	defer d.renewing.RUnlock()
	picked, next := d.queue.Due(now, limit, except)
	if len(picked) == 0 && d.queue.MustSave(now) {
		if err := d.save(ctx); err != nil {
			return nil, next, err
		}
		picked, next = d.queue.Due(now, limit, except)
	}
	parts, nextPart := d.days.Due(now, min(limit, mostDaysDue), except)
	if !nextPart.IsZero() && (next.IsZero() || nextPart.Before(next)) {
		next = nextPart
	}
	if len(picked)+len(parts) == 0 {
		return nil, next, nil
	}
	notices := slices.Grow(reuse[:0], len(picked)+len(parts))
	err := d.read(ctx, func(c *conn) (err error) {
		stream := d.Stream()
		for len(picked) > 0 && err == nil {
			n := 1
			for n < len(picked) && picked[n].Number == picked[n-1].Number+1 {
				n++
			}
			notices, err = loadNotices(c, notices, picked[:n], stream)
			picked = picked[n:]
		}
		return err
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	if len(parts) == 0 {
		return notices, now, nil
	}
	loaded, err := d.dueParts(ctx, nil, parts)
	if err != nil {
		return nil, time.Time{}, err
	}
	return inOrder(notices, loaded, limit), now, nil
}

// loadNotices appends the entries of one run without gaps: one statement and one look
// at the file's lock for all of them.
func loadNotices(c *conn, list []refund.Notice, picked []outbox.Entry, stream string) ([]refund.Notice, error) {
	first, last := picked[0].Number, picked[len(picked)-1].Number
	err := c.Each(`SELECT `+rows.EntryColumns+` FROM outbox WHERE entry BETWEEN ?1 AND ?2 ORDER BY entry`, func(r *sqlite.Row) error {
		list = list[:len(list)+1] // Due has made the room
		n := &list[len(list)-1]
		if err := rows.ScanEntryInto(r, stream, n); err != nil {
			return err
		}
		n.Attempt, n.Taken = int(picked[n.Entry-first].Tries), int(picked[n.Entry-first].Taken)
		return nil
	}, first, last)
	return list, err
}

// Attempt notes that an entry of a stream is put on a connection, and returns which time
// that is since the start, from 1. It is counted in memory. topics.md rule 5.
func (d *DB) Attempt(stream string, entry int64) int {
	if entry >= rows.FirstDay {
		return d.days.Attempt(entry - rows.FirstDay)
	}
	return d.queue.Attempt(stream, entry)
}

// Sent notes that the broker has acknowledged these entries (Notice.Entry; a case's
// is its Sequence) of this stream; cases of another change nothing. A case is due again
// at retry, at most 15 minutes ahead, unless the back office acknowledges it before; an
// event is done. It is kept in memory and saved with the next commit once there is much of
// it: losing it costs a duplicate attempt. topics.md rule 4.
func (d *DB) Sent(ctx context.Context, stream string, entries []int64, retry time.Time) error {
	if d.ofDays(stream) {
		d.days.Sent(stream, entries, d.o.Now(), retry)
		return nil
	}
	d.queue.Sent(stream, entries, retry)
	if !d.queue.MustSave(d.o.Now()) {
		return nil
	}
	err := d.write(ctx, func(t *tx) error { _, err := t.save(); return err })
	if ctx.Err() != nil {
		return nil // there was no time for it: it is noted all the same, and saved later
	}
	return err
}

// Acked notes the back office's cumulative acknowledgement and forgets what it
// covers; kid is the id of the key that signed it, "" without. It moves forward only, never past what was sent. It returns the newest
// acknowledged sequence. topics.md rule 4. Errors that mean that nothing was done:
// refund.ErrOtherStream, and refund.ErrBeyond above the newest sequence.
//
// It holds at once in this process, and is saved with others: when they cover 256
// cases or after a second, by the next call of Acked, Sent or Due. A power cut before
// that costs a duplicate of each, with the same id, which is acknowledged again; a
// commit for each would cost half the rate of a drain.
func (d *DB) Acked(ctx context.Context, stream string, seq int64, kid string) (int64, error) {
	if d.readOnly {
		return 0, ErrReadOnly
	}
	if d.ofDays(stream) {
		return d.ackedDays(ctx, seq)
	}
	q := d.queue
	if err := q.Acknowledge(stream, seq, kid); err != nil {
		acked, _ := q.Acknowledged()
		return acked, err
	}
	var err error
	if q.MustSave(d.o.Now()) {
		err = d.save(ctx)
	}
	acked, _ := q.Acknowledged()
	return acked, err
}

// save stores what broker and back office have acknowledged, in steps.
func (d *DB) save(ctx context.Context) error {
	for more := true; more; {
		if err := d.write(ctx, func(t *tx) (err error) { more, err = t.save(); return err }); err != nil {
			return err
		}
	}
	return nil
}

// save is one step of it.
func (t *tx) save() (more bool, err error) {
	if more, err = t.out.ForgetAcked(); err != nil {
		return false, err
	}
	if err := t.sequenceUntold(); err != nil {
		return false, err
	}
	t.after(func() { t.d.queue.Saved(t.d.o.Now()) })
	return more, t.out.SaveSent()
}

// Resend makes the cases from this sequence on that still wait due at once
// (command case-resend). It returns their number.
func (d *DB) Resend(_ context.Context, from int64) (int, error) {
	if d.readOnly {
		return 0, ErrReadOnly
	}
	return d.queue.Resend(from), nil
}

// AddEvent queues an up/event notice: Type, Subject, Time, ClockSynced, Historical and
// Data (JSON, an object) are n's; the rest is assigned here. topics.md rule 8: without room older events
// make some.
func (d *DB) AddEvent(ctx context.Context, n refund.Notice) error {
	return d.write(ctx, func(t *tx) error {
		if err := t.out.DropOld(t.trustedNow(d.o.Now())); err != nil {
			return err
		}
		return t.out.QueueEvent(n)
	})
}
