package ledger

import (
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// The outbox's bounds (topics.md rule 8): events make room for cases; a case that
// finds none is noted as untold (untold.go) and gets its sequence when an
// acknowledgement has made room.

// queueCase freezes the event of one step of a case and queues it.
func (t *tx) queueCase(step *refund.CaseChange, now *caseRow, row *rows.Record, why *circumstances) error {
	data, err := t.caseData(step, row)
	if err != nil {
		return err
	}
	n := refund.Notice{
		ID: eventID(t.d.keys.caseKey, now.id, t.d.Stream(), now.events), Type: step.Type, Subject: "case/" + now.id,
		Time: why.time, ClockSynced: why.synced, Historical: why.historical, Data: data,
	}
	room := t.n.outbox.Untold == 0
	if room {
		if room, err = t.makeRoom(rows.EntrySize(&n)); err != nil {
			return err
		}
	}
	if !room {
		return t.keepUntold(now.id, n)
	}
	step.Sequence = t.n.outbox.Last + 1
	return t.putCase(now.id, &n)
}

// putCase returns a case event the next sequence and its place in the outbox.
func (t *tx) putCase(caseID string, n *refund.Notice) error {
	t.n.outbox.Last++
	return t.put(t.n.outbox.Last, caseID, n)
}

func (t *tx) put(entry int64, caseID string, n *refund.Notice) error {
	t.n.outbox.Waiting++
	t.n.outbox.Bytes += rows.EntrySize(n)
	t.queued = append(t.queued, entry)
	return rows.InsertEntry(t.c.Conn, "outbox", entry, caseID, n)
}

// hasRoom reports whether n entries of this size in all still fit. Cases in quarantine
// count: they are nowhere else.
func (t *tx) hasRoom(n, size int64) bool {
	o, q := &t.n.outbox, &t.n.tallies
	return o.Waiting+q.Aside+n <= t.d.o.OutboxMaxCount && o.Bytes+q.AsideBytes+size <= t.d.o.OutboxMaxBytes
}

// evictedSize is more than the notice of eviction counts against the byte bound.
const evictedSize = rows.EntryOverhead + 64

// makeRoom removes what is delivered, and then, if it must, drops events, oldest first,
// until both an entry of this size and the notice of eviction fit. false: even without
// any event there is no room for the entry.
func (t *tx) makeRoom(size int64) (bool, error) {
	if t.hasRoom(1, size) {
		return true, nil
	}
	if err := t.forgetDone(); err != nil {
		return false, err
	}
	for more := true; more && !t.hasRoom(1, size); {
		var err error
		if more, err = t.forgetAcked(); err != nil {
			return false, err
		}
	}
	if t.hasRoom(1, size) {
		return true, nil
	}
	dropped, err := t.evict(size)
	if err != nil {
		return false, err
	}
	n, bytes, err := t.notices()
	if err != nil {
		return false, err
	}
	room := t.hasRoom(1-n, size-bytes) // the notice must not take the place of a case
	return room, t.publishDropped(dropped, "no room")
}

// evict drops events until there is room and returns how many of them were not delivered.
func (t *tx) evict(size int64) (dropped int64, err error) {
	for {
		entry, bytes, ok, err := t.oldestEvent()
		if err != nil || !ok {
			return dropped, err
		}
		if err := t.removeEntries([]int64{entry}, bytes); err != nil {
			return dropped, err
		}
		if t.d.queue.Delivered(entry) == 0 {
			if dropped++; dropped == 1 {
				if err := t.takeBackNotice(); err != nil {
					return 0, err
				}
			}
		}
		if dropped == 0 && t.hasRoom(1, size) || t.hasRoom(2, size+evictedSize) {
			return dropped, nil
		}
	}
}

// notices returns how many notices of eviction wait, at most one, and their size.
func (t *tx) notices() (n, bytes int64, err error) {
	return t.c.countSized(`outbox WHERE entry >= ?1 AND type = 'outbox.evicted'`, rows.FirstEvent)
}

// oldestEvent returns the event that goes first.
func (t *tx) oldestEvent() (entry, bytes int64, ok bool, err error) {
	ok, err = t.c.First(`SELECT entry, size FROM outbox WHERE entry >= ?1 AND type <> 'outbox.evicted' ORDER BY entry LIMIT 1`,
		func(r *sqlite.Row) error { entry, bytes = r.Int(0), r.Int(1); return nil }, rows.FirstEvent)
	return entry, bytes, ok, err
}

// dropOld drops events older than the outbox keeps them. They lie in the order
// they came in; one that a clock ahead has dated does not guard those behind it.
func (t *tx) dropOld(now time.Time) error {
	oldest, newest := rows.Millis(now.Add(-t.d.o.OutboxMaxAge)), rows.Millis(now)
	var old []int64
	bytes, young := int64(0), false
	err := t.c.Each(`SELECT entry, size, time FROM outbox WHERE entry >= ?1 ORDER BY entry LIMIT 256`, func(r *sqlite.Row) error {
		at := r.Int(2)
		if young = young || at >= oldest && at <= newest; !young && at < oldest {
			old, bytes = append(old, r.Int(0)), bytes+r.Int(1)
		}
		return nil
	}, rows.FirstEvent)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		return nil
	}
	if err := t.removeEntries(old, bytes); err != nil {
		return err
	}
	return t.publishDropped(int64(len(old))-t.d.queue.Delivered(old...), "too old")
}

// removeEntries takes entries with this size in all out of the outbox.
func (t *tx) removeEntries(entries []int64, bytes int64) error {
	for _, e := range entries {
		if err := t.c.Do(`DELETE FROM outbox WHERE entry = ?1`, e); err != nil {
			return err
		}
	}
	t.n.outbox.Waiting -= int64(len(entries))
	t.n.outbox.Bytes -= bytes
	t.after(func() { t.d.queue.Remove(entries) })
	return nil
}

// publishDropped counts dropped events and keeps one outbox.evicted event that holds
// how many there were since the store began. It is queued whether there is room or not.
func (t *tx) publishDropped(n int64, why string) error {
	if n == 0 {
		return nil
	}
	t.n.outbox.Dropped += n
	if err := t.takeBackNotice(); err != nil {
		return err
	}
	data, err := marshal(map[string]any{"dropped": t.n.outbox.Dropped, "reason": why})
	if err != nil {
		return err
	}
	return t.putEvent(&refund.Notice{Type: "outbox.evicted", Subject: "outbox", Time: t.d.o.Now(), ClockSynced: t.n.synced, Data: data})
}

// takeBackNotice removes the outbox.evicted that waits, so that a newer one replaces it.
func (t *tx) takeBackNotice() error {
	var gone []int64
	bytes := int64(0)
	err := t.c.Each(`DELETE FROM outbox WHERE entry >= ?1 AND type = 'outbox.evicted' RETURNING entry, size`, func(r *sqlite.Row) error {
		gone, bytes = append(gone, r.Int(0)), bytes+r.Int(1)
		return nil
	}, rows.FirstEvent)
	if err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	return t.removeEntries(gone, bytes)
}

// queueEvent queues an event, or drops it if even without older ones there is no room.
func (t *tx) queueEvent(n refund.Notice) error {
	room, err := t.makeRoom(rows.EntrySize(&n))
	if err != nil {
		return err
	}
	if !room {
		return t.publishDropped(1, "no room")
	}
	return t.putEvent(&n)
}

func (t *tx) putEvent(n *refund.Notice) error {
	t.n.outbox.Events++
	n.ID = randomID()
	return t.put(rows.FirstEvent+t.n.outbox.Events, "", n)
}

// queueGap queues the event that a settlement does not add up (verdicts.md § 6).
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

// forgetDone removes the events that are done. It may be called more than once.
func (t *tx) forgetDone() error {
	done := t.d.queue.Done(t.undone)
	if t.undone == 0 && len(done) > 0 {
		t.after(func() { t.d.queue.DoneGone(t.undone) })
	}
	t.undone += len(done)
	for _, e := range done {
		size, ok, err := t.c.Int(`SELECT size FROM outbox WHERE entry = ?1`, e)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := t.c.Do(`DELETE FROM outbox WHERE entry = ?1`, e); err != nil {
			return err
		}
		t.n.outbox.Waiting--
		t.n.outbox.Bytes -= size
	}
	return nil
}

// saveSent removes the events that are done and writes the outbox's figures.
func (t *tx) saveSent() error {
	if t.saved {
		return nil
	}
	t.saved = true
	if err := t.forgetDone(); err != nil {
		return err
	}
	sent := t.d.queue.SentSeq()
	if t.renewed {
		sent = 0
	}
	o := &t.n.outbox
	o.Sent = sent
	was := &t.d.now.outbox
	for _, m := range []struct {
		name        string
		value, then int64
	}{{"outbox.last", o.Last, was.Last}, {"outbox.sent", o.Sent, was.Sent}, {"outbox.acked", o.Acked, was.Acked},
		{"outbox.dropped", o.Dropped, was.Dropped}, {"outbox.events", o.Events, was.Events}} {
		if m.value == m.then {
			continue
		}
		if err := setMetaInt(t.c, m.name, m.value); err != nil {
			return err
		}
	}
	t.after(func() { t.d.queue.SentSaved(sent) })
	return nil
}
