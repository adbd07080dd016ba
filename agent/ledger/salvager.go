package ledger

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/salvage"
	"yuanlu/agent/refund"
)

// salvager judges what was found of a damaged store again into the new one (doc.go, Salvage).
type salvager struct {
	d     *DB
	found *salvage.Found
}

// salvageBatch is how many records one transaction of a salvage takes.
const salvageBatch = 500

func (s *salvager) run(ctx context.Context) error {
	if err := s.d.transact(s.copyMeta); err != nil {
		return err
	}
	for places := range slices.Chunk(s.found.Records, salvageBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.d.transact(func(t *tx) error { return s.judgeAgain(t, places) }); err != nil {
			return err
		}
	}
	if err := s.releaseAgain(); err != nil {
		return err
	}
	for seqs := range slices.Chunk(slices.Sorted(maps.Keys(s.found.Verdicts)), salvageBatch) {
		if err := s.d.transact(func(t *tx) error { return s.restoreVerdicts(t, seqs) }); err != nil {
			return err
		}
	}
	return s.d.transact(s.copySmall)
}

// copyMeta takes over what stands by itself: what is known about the journal (its first
// records may be gone), which records each key has sealed, the names of rules. Where records
// are lost the journal begins behind them: of a refund whose sale may be among them it
// cannot be judged that it has none.
func (s *salvager) copyMeta(t *tx) error {
	f := s.found
	if f.HasBounds {
		t.n.bounds = f.Bounds
	}
	if end := f.LostUntil(s.d.o.Now()); !end.IsZero() {
		t.n.bounds.RemovedDay = max(t.n.bounds.RemovedDay, end.Format(time.DateOnly))
	}
	if err := saveBounds(t.c, &t.n.bounds); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(f.Meta)) {
		if strings.HasPrefix(name, "key.") || strings.HasPrefix(name, "rules.") || name == "created" {
			if err := setMeta(t.c, name, f.Meta[name]); err != nil {
				return err
			}
		}
	}
	before := strings.Fields(f.Meta["stream"] + " " + f.Meta["streams.before"])
	if err := setMeta(t.c, "streams.before", strings.Join(before[:min(len(before), mostBefore)], " ")); err != nil {
		return err
	}
	if err := t.beginLog(s.d.keys.log, logSalvage, s.before()); err != nil {
		return err
	}
	// Digests of days up to now may lack what is lost (bills.md § 5).
	rebuilt := s.d.o.Now().Format(time.DateOnly)
	t.after(func() { s.d.rebuilt = rebuilt })
	if err := setMeta(t.c, dayRebuiltName, rebuilt); err != nil {
		return err
	}
	t.n.removed = f.Last - f.Kept
	return setMetaInt(t.c, "seq_floor", f.Last)
}

// before returns the newest checkpoint that is known of the old store's log, "": none.
func (s *salvager) before() string {
	if note := s.found.Meta[logCosignedName]; note != "" {
		return note
	}
	note, err := s.d.readCosigned()
	if err != nil {
		return "" // what stands in its way is seen when it is written
	}
	return note
}

// judgeAgain judges records again, in their order, under their numbers and case ids.
func (s *salvager) judgeAgain(t *tx, places []salvage.Place) error {
	for _, p := range places {
		row, r, ok := s.found.Record(p)
		if !ok {
			continue // the disk does not return what it did before
		}
		if !p.Whole { // the id has no checksum
			row.CaseID = mendedID(row.CaseID, caseID(t.d.keys.caseKey, &r))
		}
		if err := s.again(t, &row, &r); err != nil {
			return err
		}
	}
	if err := t.saveKeys(); err != nil {
		return err
	}
	return t.n.payers.flush(t.c, t.n.seq)
}

// mendedID is a case id as read from a damaged page, or the one that the record as it is
// now has, if the stored one is none or differs in a single character. Copies that have
// completed a record can make the two differ altogether, and then the stored one is right.
func mendedID(stored, computed string) string {
	if stored == "" {
		return ""
	}
	if len(stored) != len(computed) || strings.Trim(stored, crockford) != "" {
		return computed
	}
	differ := 0
	for i := range len(stored) {
		if stored[i] != computed[i] {
			differ++
		}
	}
	if differ == 1 {
		return computed
	}
	return stored
}

func (s *salvager) again(t *tx, row *rows.Record, r *refund.Record) error {
	name := s.found.Links[row.Link]
	if name == "" {
		name = "unknown"
	}
	link, err := t.link(name)
	if err != nil {
		return err
	}
	t.n.seq, t.caseID = row.Seq, row.CaseID
	ch, err := t.d.judge.Apply(t.h, row.Seq, *r)
	if err != nil {
		return err
	}
	s.instead(t.c, ch.Verdicts)
	return t.store(link, &refund.Sighting{
		Record: *r, Received: rows.Time(row.Received), ClockSynced: row.Flags&rows.Synced != 0,
		AtFromClock: row.Flags&rows.AtClock != 0, YearFromClock: row.Flags&rows.YearClock != 0, Redated: row.Flags&rows.Redated != 0, FrameMAC: rows.UnpackMAC(row.MAC),
	}, &ch, new(refund.Applied))
}

// releaseAgain releases the verdicts that the old store had released already.
func (s *salvager) releaseAgain() error {
	held, err := s.d.w.Ints(`SELECT seq FROM held ORDER BY seq`)
	if err != nil {
		return err
	}
	_, err = s.d.releaseThese(slices.DeleteFunc(held, func(seq int64) bool {
		_, released := s.found.Verdicts[seq]
		return !released
	}))
	return err
}

// restoreVerdicts lets an old verdict on a refund stand where it rests on a record that is
// lost: it knew more than the new one can.
func (s *salvager) restoreVerdicts(t *tx, seqs []int64) error {
	for _, seq := range seqs {
		if err := s.restore(t, seq); err != nil {
			return err
		}
	}
	return nil
}

func (s *salvager) restore(t *tx, seq int64) error {
	now, ok, err := loadVerdict(t.c, seq)
	if err != nil || !ok {
		return err
	}
	old, ok := s.standing(t.c, &now.Verdict)
	if !ok || publishedOf(&old.Verdict) == publishedOf(&now.Verdict) {
		return nil
	}
	row, err := loadRow(t.c, seq)
	if err != nil || row == nil {
		return err
	}
	r, err := row.Decode()
	if err != nil {
		return err
	}
	why := circumstances{time: rows.Time(row.Received), synced: row.Flags&rows.Synced != 0, seq: seq, record: &r, historical: true}
	old.Verdict.Rev = max(old.Verdict.Rev, now.Verdict.Rev+1)
	verdicts := []refund.Judged{old}
	if err := t.storeVerdicts(verdicts, &why, new(refund.Applied)); err != nil {
		return err
	}
	return t.follow(&refund.Changes{Seq: seq, Verdicts: verdicts}, &why, new(refund.Applied))
}

// instead puts the old verdict in place of a new one where it was the first and stands:
// then there never was a case that another verdict has opened.
func (s *salvager) instead(c *conn, verdicts []refund.Judged) {
	for i := range verdicts {
		if old, ok := s.standing(c, &verdicts[i].Verdict); ok && old.Verdict.Rev == 1 {
			verdicts[i] = old
		}
	}
}

// standing returns the old verdict on a refund if it knew more than this new one, because
// it rests on a record that is lost: the original, which the new one misses, or what
// cancelled the refund.
func (s *salvager) standing(c *conn, now *refund.Verdict) (old refund.Judged, ok bool) {
	if now.Cancelled {
		return old, false
	}
	old, ok = s.found.Verdict(now.Seq, c.ruleNames)
	if !ok || old.Verdict.Cancelled {
		return old, ok
	}
	missed := now.Reason == refund.ReasonHistoryGap || now.Reason == refund.ReasonNoOriginal
	return old, missed && old.Verdict.Original != nil && !s.found.HasRecord(old.Verdict.Original.Seq)
}

// copySmall copies what wires remember and what waited for the back office: events, and
// cases whose refund is lost, which nothing else can publish again.
func (s *salvager) copySmall(t *tx) error {
	t.n.seq = max(t.n.seq, s.found.Last)
	for key, m := range s.found.Memory {
		name := s.found.Links[key.Link]
		if name == "" {
			continue
		}
		link, err := t.link(name)
		if err != nil {
			return err
		}
		if err := t.remember(link, &refund.MemoryChange{Key: key.Key, Value: m.Value, Expires: rows.Time(m.Expires)}); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.found.Holds)) {
		if h, ok := s.found.Hold(id); ok {
			if err := h.Put(t.c.Conn); err != nil {
				return err
			}
		}
	}
	for _, entry := range slices.Sorted(maps.Keys(s.found.Entries)) {
		n, caseID, ok := s.found.Entry(entry)
		if !ok {
			continue
		}
		if err := s.queueAgain(t, n, caseID); err != nil {
			return err
		}
	}
	return nil
}

// queueAgain queues an entry of the old outbox, unless it is of a case that is published
// again anyway.
func (s *salvager) queueAgain(t *tx, n refund.Notice, caseID string) error {
	if n.Class == refund.NoticeEvent {
		return t.out.QueueEvent(n)
	}
	if caseID == "" { // of a hold, which nothing else publishes
		return t.out.PutCase("", &n)
	}
	known, err := loadCase(t.c, caseID)
	if err != nil || known != nil {
		return err
	}
	n.Historical = true
	// Its refund is lost, so that nothing could make this event again: it is queued even
	// beyond the outbox's bound.
	return t.out.PutCase(caseID, &n)
}
