package ledger

import (
	"time"

	"yuanlu/agent/refund"
)

// The outbox's bounds (topics.md, rule 8): events make room for cases; a case that
// finds none is stored as untold and gets its sequence when an acknowledgement has
// made room.

// insertNotice writes a row of outbox or untold.
func insertNotice(c *conn, table string, entry int64, caseID string, n *refund.Notice) error {
	s, err := c.prepare(`INSERT INTO ` + table + `(` + noticeColumns + `) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`)
	if err != nil {
		return err
	}
	bindPositive(s, 1, entry)
	bindStated(s, 2, caseID)
	s.bindText(3, n.ID)
	s.bindText(4, n.Type)
	s.bindText(5, n.Subject)
	s.bindInt(6, millis(n.Time))
	flags := int64(0)
	if n.ClockSynced {
		flags |= flagSynced
	}
	if n.Historical {
		flags |= flagHistorical
	}
	s.bindInt(7, flags)
	s.bindInt(8, sizeOf(n))
	s.bindInt(9, int64(checksum(n.Data)))
	s.bindJSON(10, n.Data)
	return s.run()
}

func sizeOf(n *refund.Notice) int64 { return int64(len(n.Data)) + noticeOverhead }

// queueCase freezes the event of one step of a case and queues it.
func (t *tx) queueCase(step *refund.CaseChange, now *caseRow, row *recordRow, why *circumstances) error {
	data, err := t.caseData(step, row)
	if err != nil {
		return err
	}
	n := refund.Notice{
		ID: eventID(t.d.keys.kase, now.id, t.d.stream, now.events), Type: step.Type, Subject: "case/" + now.id,
		Time: why.time, ClockSynced: why.synced, Historical: why.historical, Data: data,
	}
	room := t.n.outbox.untold == 0
	if room {
		if room, err = t.makeRoom(sizeOf(&n)); err != nil {
			return err
		}
	}
	if !room {
		return t.keepUntold(now.id, &n)
	}
	step.Sequence = t.n.outbox.last + 1
	return t.putCase(now.id, &n)
}

// putCase gives a case event the next sequence and its place in the outbox.
func (t *tx) putCase(caseID string, n *refund.Notice) error {
	t.n.outbox.last++
	return t.put(t.n.outbox.last, caseID, n)
}

func (t *tx) put(entry int64, caseID string, n *refund.Notice) error {
	t.n.outbox.waiting++
	t.n.outbox.bytes += sizeOf(n)
	t.queued = append(t.queued, queued{entry: entry, next: atOnce})
	return insertNotice(t.c, "outbox", entry, caseID, n)
}

// keepUntold keeps a case event that found no room. Of one case it keeps the
// opening and the newest step after it: what lies between tells nothing more.
func (t *tx) keepUntold(caseID string, n *refund.Notice) error {
	s, err := t.c.prepare(`DELETE FROM untold WHERE case_id = ?1 AND type <> ?2`)
	if err != nil {
		return err
	}
	s.bindText(1, caseID)
	s.bindText(2, refund.CaseOpened)
	if err := s.run(); err != nil {
		return err
	}
	t.n.outbox.untold += 1 - t.c.changes()
	return insertNotice(t.c, "untold", 0, caseID, n)
}

// tellUntold gives untold case events their sequence while there is room.
func (t *tx) tellUntold() error {
	for t.n.outbox.untold > 0 {
		s, err := t.c.prepare(`SELECT ` + noticeColumns + ` FROM untold ORDER BY entry LIMIT 1`)
		if err != nil {
			return err
		}
		more, err := s.step()
		if err != nil || !more {
			s.reset()
			t.n.outbox.untold = 0
			return err
		}
		n, err := scanNotice(s, "")
		caseID := s.text(1)
		s.reset()
		if err != nil {
			return err
		}
		room, err := t.makeRoom(sizeOf(&n))
		if err != nil || !room {
			return err
		}
		if err := t.putCase(caseID, &n); err != nil {
			return err
		}
		if err := t.c.run(`DELETE FROM untold WHERE entry = ?1`, n.Entry); err != nil {
			return err
		}
		t.n.outbox.untold--
	}
	return nil
}

func (t *tx) hasRoom(size int64) bool {
	o := &t.n.outbox
	return o.waiting < t.d.o.OutboxMaxCount && o.bytes+size <= t.d.o.OutboxMaxBytes
}

// makeRoom drops events, oldest first, until size fits; false: only cases are left.
func (t *tx) makeRoom(size int64) (bool, error) {
	dropped := int64(0)
	if !t.hasRoom(size) {
		if _, err := t.forgetAcked(); err != nil {
			return false, err
		}
	}
	for !t.hasRoom(size) {
		s, err := t.c.prepare(`SELECT entry, size FROM outbox WHERE entry >= ?1 AND type <> 'outbox.evicted' ORDER BY entry LIMIT 1`)
		if err != nil {
			return false, err
		}
		s.bindInt(1, firstEvent)
		more, err := s.step()
		entry, bytes := s.int(0), s.int(1)
		s.reset()
		if err != nil {
			return false, err
		}
		if !more {
			break
		}
		if err := t.removeEntries([]int64{entry}, bytes); err != nil {
			return false, err
		}
		dropped++
	}
	if err := t.tellDropped(dropped, "no room"); err != nil {
		return false, err
	}
	return t.hasRoom(size), nil
}

// dropOld drops events older than the outbox keeps them. They lie in the order
// they came in; one that a clock ahead has dated does not guard those behind it.
func (t *tx) dropOld(now time.Time) error {
	s, err := t.c.prepare(`SELECT entry, size, time FROM outbox WHERE entry >= ?1 ORDER BY entry LIMIT 256`)
	if err != nil {
		return err
	}
	s.bindInt(1, firstEvent)
	oldest := millis(now.Add(-t.d.o.OutboxMaxAge))
	var old []int64
	bytes := int64(0)
	for {
		more, err := s.step()
		if err != nil {
			s.reset()
			return err
		}
		if !more || s.int(2) >= oldest && s.int(2) <= millis(now) {
			break
		}
		if s.int(2) > millis(now) {
			continue
		}
		old, bytes = append(old, s.int(0)), bytes+s.int(1)
	}
	s.reset()
	if len(old) == 0 {
		return nil
	}
	if err := t.removeEntries(old, bytes); err != nil {
		return err
	}
	return t.tellDropped(int64(len(old)), "too old")
}

// removeEntries takes entries with this size in all out of the outbox.
func (t *tx) removeEntries(entries []int64, bytes int64) error {
	for _, e := range entries {
		if err := t.c.run(`DELETE FROM outbox WHERE entry = ?1`, e); err != nil {
			return err
		}
	}
	t.n.outbox.waiting -= int64(len(entries))
	t.n.outbox.bytes -= bytes
	t.after(func() { t.d.queue.remove(entries) })
	return nil
}

// tellDropped counts dropped events and keeps one outbox.evicted event that says
// how many there were since the store began. It is queued whether there is room or not.
func (t *tx) tellDropped(n int64, why string) error {
	if n == 0 {
		return nil
	}
	t.n.outbox.dropped += n
	s, err := t.c.prepare(`DELETE FROM outbox WHERE entry >= ?1 AND type = 'outbox.evicted' RETURNING entry, size`)
	if err != nil {
		return err
	}
	s.bindInt(1, firstEvent)
	var gone []int64
	bytes := int64(0)
	for {
		more, err := s.step()
		if err != nil {
			s.reset()
			return err
		}
		if !more {
			break
		}
		gone, bytes = append(gone, s.int(0)), bytes+s.int(1)
	}
	s.reset()
	if len(gone) > 0 {
		if err := t.removeEntries(gone, bytes); err != nil {
			return err
		}
	}
	data, err := marshal(map[string]any{"dropped": t.n.outbox.dropped, "reason": why})
	if err != nil {
		return err
	}
	return t.putEvent(&refund.Notice{Type: "outbox.evicted", Subject: "outbox", Time: t.d.o.Now(), ClockSynced: t.n.synced, Data: data})
}

// queueEvent queues an event, or drops it if even without older ones there is no room.
func (t *tx) queueEvent(n refund.Notice) error {
	room, err := t.makeRoom(sizeOf(&n))
	if err != nil {
		return err
	}
	if !room {
		return t.tellDropped(1, "no room")
	}
	return t.putEvent(&n)
}

func (t *tx) putEvent(n *refund.Notice) error {
	t.n.outbox.events++
	n.ID = randomID()
	return t.put(firstEvent+t.n.outbox.events, "", n)
}

// queueGap tells that a settlement does not add up (verdicts.md § 6).
func (t *tx) queueGap(i *refund.Integrity, why *circumstances) error {
	r := why.record
	data, err := marshal(map[string]any{
		"integrity": i, "merchant_id": r.MerchantID, "terminal_id": r.TerminalID, "batch": r.Batch, "at": r.At,
	})
	if err != nil {
		return err
	}
	return t.queueEvent(refund.Notice{
		Type: "integrity.capture_gap", Subject: "batch/" + r.Batch, Time: why.time,
		ClockSynced: why.synced, Historical: why.historical, Data: data,
	})
}

// saveSent writes the outbox's figures and removes the events that are done.
func (t *tx) saveSent() error {
	if t.saved {
		return nil
	}
	t.saved = true
	q := &t.d.queue
	q.mu.Lock()
	sent, done := q.sent, q.done
	q.mu.Unlock()
	for _, e := range done {
		size, ok, err := t.c.queryInt(`SELECT size FROM outbox WHERE entry = ?1`, e)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := t.c.run(`DELETE FROM outbox WHERE entry = ?1`, e); err != nil {
			return err
		}
		t.n.outbox.waiting--
		t.n.outbox.bytes -= size
	}
	o := &t.n.outbox
	o.sent = sent
	was := &t.d.now.outbox
	for _, m := range []struct {
		name        string
		value, then int64
	}{{"outbox.last", o.last, was.last}, {"outbox.sent", o.sent, was.sent}, {"outbox.acked", o.acked, was.acked},
		{"outbox.dropped", o.dropped, was.dropped}, {"outbox.events", o.events, was.events}} {
		if m.value == m.then {
			continue
		}
		if err := setMetaInt(t.c, m.name, m.value); err != nil {
			return err
		}
	}
	t.after(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.saved, q.done = sent, q.done[len(done):]
	})
	return nil
}

// loadQueue reads what waits, without the data.
func loadQueue(c *conn, o *outboxFigures) (*queue, error) {
	if err := loadOutboxFigures(c, o); err != nil {
		return nil, err
	}
	q := &queue{sent: o.sent, saved: o.sent, acked: o.acked}
	n, _, err := c.queryInt(`SELECT count(*) FROM outbox WHERE entry < ?1`, firstEvent)
	if err != nil {
		return nil, err
	}
	q.cases = make([]queued, 0, n)
	s, err := c.prepare(`SELECT entry, size FROM outbox ORDER BY entry`)
	if err != nil {
		return nil, err
	}
	defer s.reset()
	for {
		more, err := s.step()
		if err != nil || !more {
			return q, err
		}
		e := queued{entry: s.int(0), next: atOnce}
		o.waiting++
		o.bytes += s.int(1)
		if e.entry < firstEvent && e.entry <= o.sent {
			e.tries = 1 // its PUBACK came in an earlier run
		}
		list := q.list(e.entry)
		*list = append(*list, e)
	}
}

func loadOutboxFigures(c *conn, o *outboxFigures) error {
	for _, m := range []struct {
		name  string
		value *int64
	}{{"outbox.last", &o.last}, {"outbox.sent", &o.sent}, {"outbox.acked", &o.acked}, {"outbox.dropped", &o.dropped}, {"outbox.events", &o.events}} {
		v, err := metaInt(c, m.name)
		if err != nil {
			return err
		}
		*m.value = v
	}
	var err error
	o.untold, _, err = c.queryInt(`SELECT count(*) FROM untold`)
	return err
}
