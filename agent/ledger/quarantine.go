package ledger

import (
	"context"
	"errors"
	"fmt"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
)

// ErrNoRoom: the outbox is full of cases; an event cannot be put back into it.
var ErrNoRoom = errors.New("ledger: no room in the outbox")

// Nacked takes an entry that the back office refused, or that must not be sent, out of
// the queue into quarantine, and queues an event. topics.md rule 6. Nothing happens for one that
// does not wait, because it was refused before. Other errors that mean that nothing was
// done: refund.ErrOtherStream, refund.ErrBeyond, refund.ErrUnsent (Due has never returned
// it, so that no subscriber can have read it), refund.ErrAcknowledged.
func (d *DB) Nacked(ctx context.Context, stream string, seq int64, code, message string) error {
	if d.ofDays(stream) {
		return d.nackedDay(ctx, seq, clip(code, 64), clip(message, 512))
	}
	if err := d.queue.Refusable(stream, seq); err != nil {
		return err
	}
	return d.write(ctx, func(t *tx) error {
		if err := d.queue.Refusable(stream, seq); err != nil {
			return err
		}
		return t.out.Quarantine(seq, clip(code, 64), clip(message, 512))
	})
}

// clip cuts a text from outside to at most n bytes.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// Requeue takes an entry back out of quarantine. A case keeps its id and gets the next
// sequence: its old one was settled by the refusal, so the cumulative acknowledgement
// passes it and can never again mean that the back office has this case (doc.go). An
// event keeps its entry. ErrNotFound if it is not there; ErrNoRoom for an event, if the
// outbox is full of cases.
func (d *DB) Requeue(ctx context.Context, entry int64) error {
	return d.write(ctx, func(t *tx) error {
		if entry >= rows.FirstDay {
			return t.requeueDay(entry)
		}
		size, ok, err := t.c.Int(`SELECT size FROM quarantine WHERE entry = ?1`, entry)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: entry %d is not in quarantine", ErrNotFound, entry)
		}
		to := entry
		if entry < rows.FirstEvent {
			t.out.Figures.Last++
			to = t.out.Figures.Last
		} else if room, err := t.out.MakeRoom(size); err != nil {
			return err
		} else if !room {
			return ErrNoRoom
		}
		if err := putBack(t.c, entry, to); err != nil {
			return err
		}
		t.out.Tallies.SetAside(entry, size, -1)
		t.out.Figures.Waiting++
		t.out.Figures.Bytes += size
		t.out.Added = append(t.out.Added, to)
		if entry < rows.FirstEvent {
			return t.logPutBack(to)
		}
		return nil
	})
}

// renumberPutBack returns a case that an earlier version put back under its old sequence
// a new one. It is one that waits although its sequence is acknowledged: everything else
// up to there is removed in the transaction that notes the acknowledgement.
func renumberPutBack(c *conn, o *outbox.Figures) error {
	const first = `SELECT entry FROM outbox WHERE entry <= ?1 ORDER BY entry LIMIT 1`
	entry, ok, err := c.Int(first, o.Acked)
	if err != nil || !ok {
		return err
	}
	if err := c.Begin(); err != nil {
		return err
	}
	for ; ok && err == nil; entry, ok, err = c.Int(first, o.Acked) {
		o.Last++
		if err := c.Do(`UPDATE outbox SET entry = ?2 WHERE entry = ?1`, entry, o.Last); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := setMetaInt(c, "outbox.last", o.Last); err != nil {
		return err
	}
	return c.Commit()
}
