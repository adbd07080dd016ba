package outbox

import (
	"bytes"
	"encoding/json"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Env is what the outbox needs of the store that it belongs to.
type Env struct {
	Count, Bytes int64         // bounds of all entries (topics.md rule 8)
	Age          time.Duration // of events
	Now          func() time.Time
	NewID        func() string
	SetMeta      func(name string, value int64) error
	Stored       func(text []byte) ([]byte, error)                           // an event's data as a row keeps them, good until the next call
	Synced       func() bool                                                 // whether the clock is trusted
	Logged       func(sequence int64, caseID string, n *refund.Notice) error // a case event has got its sequence
	Settled      func(acked int64) error                                     // the acknowledged sequence has moved
	After        func(func())                                                // has a function run once the transaction is committed
}

// Tx is the outbox as one transaction of the store changes it. What it counts is taken up by
// the Queue when the transaction is committed (Queue.Committed); until then only its own rows
// know of it, so a rollback undoes it. It is used by one goroutine.
type Tx struct {
	Figures Figures
	Tallies Tallies
	Added   []int64 // new entries
	Renewed bool    // the stream is a new one: what the Queue knows is of the one before

	c      *sqlite.Conn
	q      *Queue
	env    *Env
	was    Figures // as committed
	saved  bool    // SaveSent has run
	undone int     // of Queue.Done, removed by this transaction
	gone   bool    // rows were removed: they prove no more what the figures are
}

// Begin begins a transaction on what is committed.
func Begin(c *sqlite.Conn, q *Queue, env *Env, f Figures, t Tallies) *Tx {
	return &Tx{Figures: f, Tallies: t, c: c, q: q, env: env, was: f}
}

// Sized counts the rows of a table of entries that a condition chooses, and adds up what they
// count against the byte bound.
func Sized(c *sqlite.Conn, from string, args ...any) (n, bytes int64, err error) {
	_, err = c.First(`SELECT count(*), total(size) FROM `+from, func(r *sqlite.Row) error { n, bytes = r.Int(0), r.Int(1); return nil }, args...)
	return n, bytes, err
}

// PutCase assigns a case event the next sequence and stores it.
func (t *Tx) PutCase(caseID string, n *refund.Notice) error {
	t.Figures.Last++
	if err := t.env.Logged(t.Figures.Last, caseID, n); err != nil {
		return err
	}
	return t.Put(t.Figures.Last, caseID, n)
}

// Put stores an entry under this number; caseID is "" for an event.
func (t *Tx) Put(entry int64, caseID string, n *refund.Notice) error {
	t.Figures.Waiting++
	t.Figures.Bytes += rows.EntrySize(n)
	t.Added = append(t.Added, entry)
	stored, err := t.env.Stored(n.Data)
	if err != nil {
		return err
	}
	return rows.InsertEntry(t.c, "outbox", entry, caseID, n, stored)
}

// QueueEvent queues an event, or drops it if even without older ones there is no room.
func (t *Tx) QueueEvent(n refund.Notice) error {
	room, err := t.MakeRoom(rows.EntrySize(&n))
	if err != nil {
		return err
	}
	if !room {
		return t.publishDropped(1, "no room")
	}
	return t.putEvent(&n)
}

func (t *Tx) putEvent(n *refund.Notice) error {
	t.Figures.Events++
	n.ID = t.env.NewID()
	return t.Put(rows.FirstEvent+t.Figures.Events, "", n)
}

// hasRoom reports whether n entries of this size in all still fit. Cases in quarantine
// count: they are nowhere else.
func (t *Tx) hasRoom(n, size int64) bool {
	o, q := &t.Figures, &t.Tallies
	return o.Waiting+q.Aside+n <= t.env.Count && o.Bytes+q.AsideBytes+size <= t.env.Bytes
}

// evictedSize is more than the notice of eviction counts against the byte bound.
const evictedSize = rows.EntryOverhead + 64

// MakeRoom removes what is delivered, and then, if it must, drops events, oldest first,
// until both an entry of this size and the notice of eviction fit. false: even without
// any event there is no room for the entry.
func (t *Tx) MakeRoom(size int64) (bool, error) {
	if t.hasRoom(1, size) {
		return true, nil
	}
	if err := t.forgetDone(); err != nil {
		return false, err
	}
	for more := true; more && !t.hasRoom(1, size); {
		var err error
		if more, err = t.ForgetAcked(); err != nil {
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
func (t *Tx) evict(size int64) (dropped int64, err error) {
	for {
		entry, bytes, ok, err := t.oldestEvent()
		if err != nil || !ok {
			return dropped, err
		}
		if err := t.removeEntries([]int64{entry}, bytes); err != nil {
			return dropped, err
		}
		if t.q.Delivered(entry) == 0 {
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
func (t *Tx) notices() (n, bytes int64, err error) {
	return Sized(t.c, `outbox WHERE entry >= ?1 AND type = 'outbox.evicted'`, rows.FirstEvent)
}

// oldestEvent returns the event that goes first.
func (t *Tx) oldestEvent() (entry, bytes int64, ok bool, err error) {
	ok, err = t.c.First(`SELECT entry, size FROM outbox WHERE entry >= ?1 AND type <> 'outbox.evicted' ORDER BY entry LIMIT 1`,
		func(r *sqlite.Row) error { entry, bytes = r.Int(0), r.Int(1); return nil }, rows.FirstEvent)
	return entry, bytes, ok, err
}

// DropOld drops events older than the outbox keeps them. They lie in the order
// they came in; one that a clock ahead has dated does not guard those behind it.
func (t *Tx) DropOld(now time.Time) error {
	oldest, newest := rows.Millis(now.Add(-t.env.Age)), rows.Millis(now)
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
	return t.publishDropped(int64(len(old))-t.q.Delivered(old...), "too old")
}

// removeEntries takes entries with this size in all out of the outbox.
func (t *Tx) removeEntries(entries []int64, bytes int64) error {
	for _, e := range entries {
		if err := t.c.Do(`DELETE FROM outbox WHERE entry = ?1`, e); err != nil {
			return err
		}
	}
	t.gone = true
	t.Figures.Waiting -= int64(len(entries))
	t.Figures.Bytes -= bytes
	t.env.After(func() { t.q.Remove(entries) })
	return nil
}

// publishDropped counts dropped events and keeps one outbox.evicted event with their number
// since the store began. It is queued whether there is room or not.
func (t *Tx) publishDropped(n int64, why string) error {
	if n == 0 {
		return nil
	}
	t.Figures.Dropped += n
	if err := t.takeBackNotice(); err != nil {
		return err
	}
	data, err := Marshal(map[string]any{"dropped": t.Figures.Dropped, "reason": why})
	if err != nil {
		return err
	}
	return t.putEvent(&refund.Notice{Type: "outbox.evicted", Subject: "outbox", Time: t.env.Now(), ClockSynced: t.env.Synced(), Data: data})
}

// takeBackNotice removes the outbox.evicted that waits, so that a newer one replaces it.
func (t *Tx) takeBackNotice() error {
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

// forgetDone removes the events that are done. It may be called more than once.
func (t *Tx) forgetDone() error {
	done := t.q.Done(t.undone)
	if t.undone == 0 && len(done) > 0 {
		t.env.After(func() { t.q.DoneGone(t.undone) })
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
		t.gone = true
		t.Figures.Waiting--
		t.Figures.Bytes -= size
	}
	return nil
}

// forgetStep bounds the sequences that one transaction forgets: records must not wait
// for the acknowledgement of a hundred thousand.
const forgetStep = 512

// ForgetAcked removes the next of the cases that were acknowledged. There may be more.
func (t *Tx) ForgetAcked() (more bool, err error) {
	acked, gone := t.q.Acknowledged()
	if gone == 0 || t.Renewed {
		return false, nil
	}
	upTo := acked
	first, ok, err := t.c.Int(`SELECT entry FROM outbox WHERE entry BETWEEN 1 AND ?1 ORDER BY entry LIMIT 1`, acked)
	if err != nil {
		return false, err
	}
	if ok {
		upTo = min(acked, first+forgetStep-1)
		if err := t.forgetRange(first, upTo); err != nil {
			return false, err
		}
	}
	if upTo > t.Figures.Acked {
		t.Figures.Acked = upTo
		if err := t.env.Settled(upTo); err != nil {
			return false, err
		}
	}
	return upTo < acked, nil
}

// forgetRange removes these cases, all of them acknowledged.
func (t *Tx) forgetRange(first, last int64) error {
	n, bytes, err := Sized(t.c, `outbox WHERE entry BETWEEN ?1 AND ?2`, first, last)
	if err != nil {
		return err
	}
	if err := t.c.Do(`DELETE FROM outbox WHERE entry BETWEEN ?1 AND ?2`, first, last); err != nil {
		return err
	}
	t.gone = true
	t.Figures.Waiting -= n
	t.Figures.Bytes -= bytes
	t.env.After(func() { t.q.AckedGone(n) })
	return nil
}

// sentUnsaved is how many cases may be sent and not saved as such: after a power cut they are
// published again at once.
const sentUnsaved = 64

// MustSave reports whether the figures have to be written with this transaction. The numbers
// of entries that were only added are those of their rows, and what was sent may wait.
func (t *Tx) MustSave() bool {
	o, was := &t.Figures, &t.was
	return t.gone || t.Renewed || o.Sent != was.Sent || o.Acked != was.Acked || o.Dropped != was.Dropped ||
		t.q.SentSeq()-was.Sent >= sentUnsaved
}

// SaveSent removes the events that are done and writes the outbox's figures. The numbers of
// the newest entries are always among them: those that the store has may be older.
func (t *Tx) SaveSent() error {
	if t.saved {
		return nil
	}
	t.saved = true
	if err := t.forgetDone(); err != nil {
		return err
	}
	sent := t.q.SentSeq()
	if t.Renewed {
		sent = 0
	}
	o := &t.Figures
	o.Sent = sent
	was := &t.was
	for _, m := range []struct {
		name        string
		value, then int64
	}{{"outbox.last", o.Last, -1}, {"outbox.sent", o.Sent, was.Sent}, {"outbox.acked", o.Acked, was.Acked},
		{"outbox.dropped", o.Dropped, was.Dropped}, {"outbox.events", o.Events, -1}} {
		if m.value == m.then {
			continue
		}
		if err := t.env.SetMeta(m.name, m.value); err != nil {
			return err
		}
	}
	t.env.After(func() { t.q.SentSaved(sent) })
	return nil
}

// MostQuarantined bounds the events in quarantine; the oldest make room. Cases never do,
// they count against the bounds of the outbox instead (hasRoom, topics.md rule 8).
const MostQuarantined = 1000

// Quarantine takes an entry out of the outbox into quarantine, with the code and the message of
// its refusal, and queues the event outbox.quarantined; nothing for one that does not wait.
func (t *Tx) Quarantine(entry int64, code, message string) error {
	var size int64
	var id, kind string
	found, err := t.c.First(`INSERT OR REPLACE INTO quarantine SELECT `+rows.EntryColumns+`, ?2, ?3 FROM outbox WHERE entry = ?1 RETURNING size, id, type`,
		func(r *sqlite.Row) error { size, id, kind = r.Int(0), r.Text(1), r.Text(2); return nil },
		entry, code, message)
	if err != nil || !found {
		return err
	}
	if err := t.removeEntries([]int64{entry}, size); err != nil {
		return err
	}
	t.Tallies.SetAside(entry, size, 1)
	if err := t.trimQuarantine(); err != nil {
		return err
	}
	data, err := Marshal(map[string]any{"sequence": entry, "id": id, "type": kind, "code": code, "message": message})
	if err != nil {
		return err
	}
	return t.QueueEvent(refund.Notice{Type: "outbox.quarantined", Subject: "outbox", Time: t.env.Now(), ClockSynced: t.env.Synced(), Data: data})
}

// trimQuarantine removes the oldest events above the bound.
func (t *Tx) trimQuarantine() error {
	n := &t.Tallies
	if n.Quarantined-n.Aside <= MostQuarantined {
		return nil
	}
	err := t.c.Do(`DELETE FROM quarantine WHERE entry IN (SELECT entry FROM quarantine WHERE entry >= ?1 ORDER BY entry DESC LIMIT -1 OFFSET ?2)`,
		rows.FirstEvent, MostQuarantined)
	n.Quarantined -= t.c.Changes()
	return err
}

// Marshal is json.Marshal without the escaping of HTML.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
