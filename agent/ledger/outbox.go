package ledger

import (
	"context"
	"fmt"
	"time"

	"yuanlu/agent/refund"
)

// Due gives up to limit entries that are to be sent now: cases in sequence order,
// then events. It reserves nothing: until Sent, Acked or Nacked says more about
// an entry, it is given again. next is when something will be due, zero if nothing
// waits. Rules 2, 5.
func (d *DB) Due(ctx context.Context, now time.Time, limit int) ([]refund.Notice, time.Time, error) {
	picked, next := d.queue.due(now, limit)
	if len(picked) == 0 {
		return nil, next, nil
	}
	notices := make([]refund.Notice, 0, len(picked))
	stream := d.Stream()
	err := d.read(ctx, func(c *conn) error {
		for _, e := range picked {
			n, ok, err := loadNotice(c, e.entry, stream)
			if err != nil {
				return err
			}
			if ok {
				n.Attempt = int(e.tries) + 1
				notices = append(notices, n)
			}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return notices, next, nil
}

const noticeColumns = `entry, case_id, id, type, subject, time, flags, size, crc, data`

// Flags of an outbox row.
const (
	flagHistorical = 2
)

func loadNotice(c *conn, entry int64, stream string) (refund.Notice, bool, error) {
	s, err := c.prepare(`SELECT ` + noticeColumns + ` FROM outbox WHERE entry = ?1`)
	if err != nil {
		return refund.Notice{}, false, err
	}
	s.bindInt(1, entry)
	defer s.reset()
	more, err := s.step()
	if err != nil || !more {
		return refund.Notice{}, false, err
	}
	n, err := scanNotice(s, stream)
	return n, err == nil, err
}

func scanNotice(s *stmt, stream string) (refund.Notice, error) {
	n := refund.Notice{
		Entry: s.int(0), ID: s.text(2), Stream: stream, Type: s.text(3), Subject: s.text(4), Time: timeOf(s.int(5)),
		ClockSynced: s.int(6)&flagSynced != 0, Historical: s.int(6)&flagHistorical != 0,
		Class: refund.NoticeEvent, Data: s.bytes(9),
	}
	if n.Entry < firstEvent {
		n.Class, n.Sequence = refund.NoticeCase, n.Entry
	}
	if int64(checksum(n.Data)) != s.int(8) {
		return n, &rowError{"outbox", n.Entry, "checksum does not match"}
	}
	return n, nil
}

// Sent notes that the broker has acknowledged these entries (Notice.Entry; a case's
// is its Sequence). A case is due again at retry unless the back office acknowledges
// it before; an event is done. It is kept in memory and saved with what is
// written next: losing it costs a duplicate. Rule 4.
func (d *DB) Sent(ctx context.Context, entries []int64, retry time.Time) error {
	heard, save := d.queue.puback(entries, retry)
	if heard > 0 {
		_, err := d.Acked(ctx, d.Stream(), heard)
		return err
	}
	if save {
		return d.write(ctx, func(t *tx) error { return t.saveSent() })
	}
	return nil
}

// Acked notes the back office's cumulative acknowledgement and forgets what it
// covers. It moves forward only, never past what was sent, and only in this
// store's stream. It gives the newest acknowledged sequence. Rule 4.
func (d *DB) Acked(ctx context.Context, stream string, seq int64) (int64, error) {
	acked := int64(0)
	err := d.write(ctx, func(t *tx) error {
		q := &d.queue
		q.mu.Lock()
		here, sent := stream == d.stream, q.sent
		if here && seq > sent && seq <= q.offered {
			q.heard = max(q.heard, seq) // sent, but its PUBACK is still on the way
		}
		q.mu.Unlock()
		acked = t.n.outbox.acked
		seq = min(seq, sent)
		if !here || seq <= 0 {
			return nil
		}
		if err := t.forgetCases(seq); err != nil {
			return err
		}
		acked = max(acked, seq)
		t.n.outbox.acked = acked
		t.after(func() { q.acked(seq) })
		return t.tellUntold()
	})
	return acked, err
}

// forgetCases removes the cases up to seq but those that were put back and not
// sent since.
func (t *tx) forgetCases(seq int64) error {
	for _, e := range t.d.queue.requeued(seq) {
		if err := t.c.run(`UPDATE outbox SET entry = -entry WHERE entry = ?1`, e); err != nil {
			return err
		}
	}
	s, err := t.c.prepare(`SELECT count(*), total(size) FROM outbox WHERE entry BETWEEN 1 AND ?1`)
	if err != nil {
		return err
	}
	s.bindInt(1, seq)
	if _, err := s.step(); err != nil {
		s.reset()
		return err
	}
	t.n.outbox.waiting -= s.int(0)
	t.n.outbox.bytes -= s.int(1)
	s.reset()
	if err := t.c.run(`DELETE FROM outbox WHERE entry BETWEEN 1 AND ?1`, seq); err != nil {
		return err
	}
	return t.c.run(`UPDATE outbox SET entry = -entry WHERE entry < 0`)
}

// requeued gives the entries up to seq that were put back and not sent since.
func (q *queue) requeued(seq int64) []int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	var list []int64
	for i := range q.cases {
		if e := &q.cases[i]; e.entry <= seq && e.tries == 0 && e.next < 0 {
			list = append(list, e.entry)
		}
	}
	return list
}

// Nacked takes a case that the back office refused out of the queue into
// quarantine, and queues an event. Rule 6. A sequence that does not wait, or another
// stream: nothing happens.
func (d *DB) Nacked(ctx context.Context, stream string, seq int64, code, message string) error {
	if stream != d.Stream() {
		return nil
	}
	return d.write(ctx, func(t *tx) error { return t.quarantine(seq, code, message) })
}

// mostQuarantined bounds the quarantine; the oldest make room.
const mostQuarantined = 1000

func (t *tx) quarantine(entry int64, code, message string) error {
	s, err := t.c.prepare(`INSERT OR REPLACE INTO quarantine SELECT ` + noticeColumns + `, ?2, ?3 FROM outbox WHERE entry = ?1 RETURNING size, id, type`)
	if err != nil {
		return err
	}
	s.bindInt(1, entry)
	s.bindText(2, clip(code, 64))
	s.bindText(3, clip(message, 512))
	more, err := s.step()
	size, id, kind := s.int(0), "", ""
	if more {
		id, kind = s.text(1), s.text(2)
	}
	s.reset()
	if err != nil || !more {
		return err
	}
	if err := t.removeEntries([]int64{entry}, size); err != nil {
		return err
	}
	if err := t.c.run(`DELETE FROM quarantine WHERE entry IN (SELECT entry FROM quarantine ORDER BY entry DESC LIMIT -1 OFFSET ?1)`, mostQuarantined); err != nil {
		return err
	}
	data, err := marshal(map[string]any{"sequence": entry, "id": id, "type": kind, "code": clip(code, 64), "message": clip(message, 512)})
	if err != nil {
		return err
	}
	return t.queueEvent(refund.Notice{Type: "outbox.quarantined", Subject: "outbox", Time: t.d.o.Now(), ClockSynced: t.n.synced, Data: data})
}

// clip cuts a text from outside to at most n bytes.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// Requeue takes an entry back out of quarantine; it keeps its sequence and id.
// ErrNotFound if it is not there.
func (d *DB) Requeue(ctx context.Context, entry int64) error {
	return d.write(ctx, func(t *tx) error {
		s, err := t.c.prepare(`INSERT INTO outbox SELECT ` + noticeColumns + ` FROM quarantine WHERE entry = ?1 RETURNING size`)
		if err != nil {
			return err
		}
		s.bindInt(1, entry)
		more, err := s.step()
		size := s.int(0)
		s.reset()
		if err != nil {
			return err
		}
		if !more {
			return fmt.Errorf("%w: entry %d is not in quarantine", ErrNotFound, entry)
		}
		if err := t.c.run(`DELETE FROM quarantine WHERE entry = ?1`, entry); err != nil {
			return err
		}
		t.n.outbox.waiting++
		t.n.outbox.bytes += size
		t.queued = append(t.queued, queued{entry: entry, size: int32(size), next: -1})
		return nil
	})
}

// Resend makes the cases from this sequence on that still wait due at once
// (command case-resend). It gives their number.
func (d *DB) Resend(_ context.Context, from int64) (int, error) {
	if d.readOnly {
		return 0, ErrReadOnly
	}
	q := &d.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	i, _ := find(q.cases, from)
	for n := range q.cases[i:] {
		q.cases[i+n].next = min(q.cases[i+n].next, 0)
	}
	return len(q.cases) - i, nil
}

// AddEvent queues an up/event notice: Type, Subject, Time, ClockSynced, Historical and
// Data (JSON, an object) are n's; the rest is given here. Rule 8: without room older events
// make some.
func (d *DB) AddEvent(ctx context.Context, n refund.Notice) error {
	return d.write(ctx, func(t *tx) error {
		if err := t.dropOld(d.o.Now()); err != nil {
			return err
		}
		return t.queueEvent(n)
	})
}
