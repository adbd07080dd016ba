package ledger

import (
	"context"
	"errors"
	"fmt"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// ErrNoRoom: the outbox is full of cases; an event cannot be put back into it.
var ErrNoRoom = errors.New("ledger: no room in the outbox")

// Nacked takes an entry that the back office refused, or that must not be sent, out of
// the queue into quarantine, and queues an event. topics.md rule 6. Nothing happens for one that
// does not wait, because it was refused before. Other errors after which nothing is
// done: refund.ErrOtherStream, refund.ErrBeyond, refund.ErrUnsent (Due has never returned
// it, so that no subscriber can have read it), refund.ErrAcknowledged.
func (d *DB) Nacked(ctx context.Context, stream string, seq int64, code, message string) error {
	if err := d.queue.Refusable(stream, seq); err != nil {
		return err
	}
	return d.write(ctx, func(t *tx) error {
		if err := d.queue.Refusable(stream, seq); err != nil {
			return err
		}
		return t.quarantine(seq, code, message)
	})
}

// mostQuarantined bounds the events in quarantine; the oldest make room. Cases never do,
// they count against the bounds of the outbox instead (hasRoom, topics.md rule 8).
const mostQuarantined = 1000

func (t *tx) quarantine(entry int64, code, message string) error {
	var size int64
	var id, kind string
	found, err := t.c.First(`INSERT OR REPLACE INTO quarantine SELECT `+rows.EntryColumns+`, ?2, ?3 FROM outbox WHERE entry = ?1 RETURNING size, id, type`,
		func(r *sqlite.Row) error { size, id, kind = r.Int(0), r.Text(1), r.Text(2); return nil },
		entry, clip(code, 64), clip(message, 512))
	if err != nil || !found {
		return err
	}
	if err := t.removeEntries([]int64{entry}, size); err != nil {
		return err
	}
	t.n.tallies.SetAside(entry, size, 1)
	if err := t.trimQuarantine(); err != nil {
		return err
	}
	data, err := marshal(map[string]any{"sequence": entry, "id": id, "type": kind, "code": clip(code, 64), "message": clip(message, 512)})
	if err != nil {
		return err
	}
	return t.queueEvent(refund.Notice{Type: "outbox.quarantined", Subject: "outbox", Time: t.d.o.Now(), ClockSynced: t.n.synced, Data: data})
}

// trimQuarantine removes the oldest events above the bound.
func (t *tx) trimQuarantine() error {
	n := &t.n.tallies
	if n.Quarantined-n.Aside <= mostQuarantined {
		return nil
	}
	err := t.c.Do(`DELETE FROM quarantine WHERE entry IN (SELECT entry FROM quarantine WHERE entry >= ?1 ORDER BY entry DESC LIMIT -1 OFFSET ?2)`,
		rows.FirstEvent, mostQuarantined)
	n.Quarantined -= t.c.Changes()
	return err
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
		size, ok, err := t.c.Int(`SELECT size FROM quarantine WHERE entry = ?1`, entry)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: entry %d is not in quarantine", ErrNotFound, entry)
		}
		to := entry
		if entry < rows.FirstEvent {
			t.n.outbox.Last++
			to = t.n.outbox.Last
		} else if room, err := t.makeRoom(size); err != nil {
			return err
		} else if !room {
			return ErrNoRoom
		}
		if err := putBack(t.c, entry, to); err != nil {
			return err
		}
		t.n.tallies.SetAside(entry, size, -1)
		t.n.outbox.Waiting++
		t.n.outbox.Bytes += size
		t.queued = append(t.queued, to)
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
