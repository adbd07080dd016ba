package ledger

import (
	"context"
	"slices"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Apply stores what arrived, judges it, and queues what the back office must
// receive, all in one transaction: on nil it is durable. Later sightings see the
// earlier ones of the same call. The result has one entry per sighting, in order. Calls
// that wait while a commit is on its way are committed together in the next one, in the
// order in which they came; each gets its own answer. When ctx ends, a call that still
// waits returns its error with nothing stored.
//
// On ErrUnavailable nothing of it may be confirmed; the caller calls again with
// the same arrivals, alone or among others. If the failed commit did reach the
// disk they are recognised and answered, not stored again.
func (d *DB) Apply(ctx context.Context, arrivals []refund.Arrival) ([]refund.Applied, error) {
	done := make(chan struct{})
	s := &submission{arrivals: arrivals, sightings: sightings(arrivals)}
	s.done = func([]refund.Applied, error) { close(done) }
	if err := d.submit(s); err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		if d.committer.withdraw(s) {
			return nil, ctx.Err()
		}
		<-done // it is being committed: what became of it is known then
	}
	return s.applied, s.err
}

// apply is Apply for a caller that has the writer.
func (d *DB) apply(ctx context.Context, arrivals []refund.Arrival) ([]refund.Applied, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	try := &attempt{pending: true, first: d.now.seq + 1, applied: make([][]refund.Applied, len(arrivals))}
	known := d.recognised(arrivals)
	all := make([]refund.Applied, 0, sightings(arrivals))
	err := d.transact(func(t *tx) error {
		for i := range arrivals {
			from := len(all)
			if a, ok := known[i]; ok {
				all = append(all, a...)
			} else if err := ctx.Err(); err != nil {
				return err
			} else if all, err = t.arrival(all, &arrivals[i]); err != nil {
				return err
			}
			try.applied[i] = all[from:len(all):len(all)]
		}
		try.last = t.n.seq
		if err := t.saveKeys(); err != nil {
			return err
		}
		return t.n.payers.flush(t.c, t.n.seq)
	})
	if err != nil {
		if d.unknown {
			d.noteLost(try, arrivals)
		}
		return nil, err
	}
	d.forgetRecognised(arrivals, known)
	return all, nil
}

func sightings(arrivals []refund.Arrival) int {
	n := 0
	for i := range arrivals {
		n += len(arrivals[i].Sightings)
	}
	return n
}

// arrival stores one frame's sightings and what its wire must remember, and appends
// the answers.
func (t *tx) arrival(applied []refund.Applied, a *refund.Arrival) ([]refund.Applied, error) {
	link, err := t.link(a.Link)
	if err != nil {
		return applied, err
	}
	for i := range a.Sightings {
		s := &a.Sightings[i]
		t.n.seq++
		claim, marked := t.claim(a.Link, &s.Record)
		ch, err := t.d.judge.Apply(t.h, t.n.seq, marked)
		if err == nil {
			err = t.settleClaim(&claim, &ch, &s.Record)
		}
		if err != nil {
			return applied, err
		}
		applied = append(applied, refund.Applied{
			Link: a.Link, Seq: ch.Seq, CopyOf: ch.CopyOf, Record: s.Record, Note: ch.Note, Integrity: ch.Integrity, Sighting: s,
		})
		if err := t.store(link, s, &ch, &applied[len(applied)-1]); err != nil {
			return applied, err
		}
	}
	for i := range a.Memory {
		if err := t.remember(link, &a.Memory[i]); err != nil {
			return applied, err
		}
	}
	return applied, nil
}

// store writes what the judge made of one sighting, and completes its answer.
func (t *tx) store(link int64, s *refund.Sighting, ch *refund.Changes, done *refund.Applied) error {
	if err := t.freeze(ch.Verdicts); err != nil {
		return err
	}
	if err := t.insertRecord(link, s, ch); err != nil {
		return err
	}
	if err := t.updateEvents(ch); err != nil {
		return err
	}
	if ch.Bounds != nil {
		ch.Bounds.RemovedDay = t.n.bounds.RemovedDay
		t.n.bounds = *ch.Bounds
		if err := saveBounds(t.c, ch.Bounds); err != nil {
			return err
		}
	}
	why := circumstances{
		time: s.Received, synced: s.ClockSynced, seq: ch.Seq, record: &s.Record,
		historical: historical(s) || t.d.rebuilding,
	}
	if err := t.storeVerdicts(ch.Verdicts, &why, done); err != nil {
		return err
	}
	if err := t.follow(ch, &why, done); err != nil {
		return err
	}
	if err := t.noteDates(ch); err != nil {
		return err
	}
	if ch.Integrity != nil && !t.d.temporary {
		if err := t.queueGap(ch.Integrity, &why); err != nil {
			return err
		}
		if err := t.logGap(ch.Integrity); err != nil {
			return err
		}
		if err := t.gapInDay(&s.Record, s.Received); err != nil {
			return err
		}
	}
	t.n.newest = newerAt(t.n.newest, &s.Record, s.ClockSynced, s.AtFromClock && !s.Redated, s.Received)
	t.n.synced = s.ClockSynced
	if err := t.noteUndated(ch.Seq, s); err != nil {
		return err
	}
	return t.count(s, ch)
}

// historical reports whether a sighting is of something that did not just
// happen: the firmware calls it a repeat, or it lies more than a day before its
// reception by a trusted clock.
func historical(s *refund.Sighting) bool {
	if s.Record.Copy != "" {
		return true
	}
	at, ok := s.Record.Time()
	return ok && s.ClockSynced && s.Received.Sub(at) > day
}

// insertRecord writes the sighting's own row, and for a first sighting its keys.
func (t *tx) insertRecord(link int64, s *refund.Sighting, ch *refund.Changes) error {
	row := rows.Record{
		Seq: ch.Seq, CopyOf: ch.CopyOf, Link: link, Received: rows.Millis(s.Received),
		MAC: rows.PackMAC(s.FrameMAC), Note: ch.Note,
	}
	if s.ClockSynced {
		row.Flags |= rows.Synced
	}
	if s.AtFromClock {
		row.Flags |= rows.AtClock
	}
	if s.YearFromClock {
		row.Flags |= rows.YearClock
	}
	if s.Redated {
		row.Flags |= rows.Redated
	}
	body := &s.Record
	for i := range ch.Events {
		e := &ch.Events[i]
		if e.Event.Seq != ch.Seq {
			continue
		}
		body = &e.Event.Record
		row.UndoneBy, row.Observed = e.Event.UndoneBy, rows.PackTotals(e.Event.Observed)
		if body.Kind.Judged() {
			if row.CaseID = t.caseID; row.CaseID == "" {
				row.CaseID = caseID(t.d.keys.caseKey, &s.Record)
			}
		}
		row.Keys = namedKeys(body.Kind, e.Keys)
		if err := t.insertKeys(ch.Seq, e.Keys); err != nil {
			return err
		}
		if len(e.Payer) > 0 {
			t.n.payers.add(ch.Seq, e.Payer)
		}
	}
	row.Body = refund.EncodeStored(t.h.body[:0], body)
	t.h.body = row.Body
	leaf, err := t.logRecord(&row, t.linkName(link))
	if err != nil {
		return err
	}
	stored, err := t.c.stored(row.Body)
	if err != nil {
		return err
	}
	return row.Insert(t.c.Conn, stored, leaf)
}

// namedKeys are the keys that an event's row names because they cannot be had from its record:
// those of a refund or void, and of the first event of a batch; nil for all others.
func namedKeys(kind refund.Kind, keys []refund.Key) []byte {
	if kind.Judged() || slices.ContainsFunc(keys, func(k refund.Key) bool { return k.Kind == refund.KeyBatch }) {
		return rows.PackKeys(keys)
	}
	return nil
}

// updateEvents replaces what is stored of the events that a record has changed.
func (t *tx) updateEvents(ch *refund.Changes) error {
	for i := range ch.Events {
		e := &ch.Events[i]
		if e.Event.Seq == ch.Seq {
			continue
		}
		if err := t.noteUndone(e.Event); err != nil {
			return err
		}
		if err := t.updateEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// updateEvent replaces what is stored of an event. A refund's keys are replaced;
// any other event only gains keys: its copies fill what was empty and change
// nothing that it is found by (verdicts.md § 1.3).
func (t *tx) updateEvent(e *refund.Stored) error {
	seq, judged := e.Event.Seq, e.Event.Record.Kind.Judged()
	t.d.recent.forget(seq)
	if judged {
		if err := t.removeKeys(seq); err != nil {
			return err
		}
	}
	if err := t.insertKeys(seq, e.Keys); err != nil {
		return err
	}
	if len(e.Payer) > 0 {
		t.n.payers.add(seq, e.Payer)
	}
	if err := t.keepLeaf(seq); err != nil {
		return err
	}
	body := refund.EncodeStored(t.h.body[:0], &e.Event.Record)
	t.h.body = body
	stored, err := t.c.stored(body)
	if err != nil {
		return err
	}
	keys := namedKeys(e.Event.Record.Kind, e.Keys)
	return t.c.Do(`UPDATE record SET undone_by = ?2, keys = ?3, observed = ?4, crc = ?5, body = ?6 WHERE seq = ?1`,
		seq, sqlite.PositiveInt(e.Event.UndoneBy), keys, sqlite.StatedText(rows.PackTotals(e.Event.Observed)), rows.Sum(seq, stored), sqlite.JSON(stored))
}

// count adds a refund to its day, for status.
func (t *tx) count(s *refund.Sighting, ch *refund.Changes) error {
	if ch.CopyOf != 0 || ch.Note != "" || !s.Record.Kind.Judged() || t.d.temporary {
		return nil
	}
	return t.countDay(s.Received, 1, 0)
}
