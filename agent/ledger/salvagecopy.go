package ledger

import (
	"cmp"
	"maps"
	"slices"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// sayAgain says the verdicts that the old store had said already.
func (s *salvager) sayAgain() error {
	var due []int64
	err := s.d.w.Each(`SELECT seq FROM held ORDER BY seq`, func(st *sqlite.Row) error {
		if _, said := s.verdicts[st.Int(0)]; said {
			due = append(due, st.Int(0))
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.d.releaseThese(due)
	return err
}

// restoreVerdicts lets stand what was said about a refund where that rests on a record
// that is lost: the old verdict knew more than the new one can.
func (s *salvager) restoreVerdicts() error {
	for seqs := range slices.Chunk(slices.Sorted(maps.Keys(s.verdicts)), salvageBatch) {
		err := s.d.transact(func(t *tx) error {
			for _, seq := range seqs {
				if err := s.restore(t, seq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
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
	if !ok || toldOf(&old.Verdict) == toldOf(&now.Verdict) {
		return nil
	}
	row, err := loadRow(t.c, seq)
	if err != nil || row == nil {
		return err
	}
	r, err := row.decode()
	if err != nil {
		return err
	}
	why := circumstances{time: timeOf(row.received), synced: row.flags&flagSynced != 0, seq: seq, record: &r, historical: true}
	old.Verdict.Rev = max(old.Verdict.Rev, now.Verdict.Rev+1)
	return t.say([]refund.Judged{old}, &why, new(refund.Applied))
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
	p, ok := s.verdicts[now.Seq]
	if !ok || now.Cancelled {
		return old, false
	}
	found := s.r.row(p)
	if found == nil {
		return old, false
	}
	f := found.cols
	old, err := scanVerdict(c, now.Seq, f[1].n, f[2].n, f[3].b, f[4].b)
	if err != nil || old.Held {
		return old, false
	}
	if old.Verdict.Cancelled {
		return old, true
	}
	missed := now.Reason == refund.ReasonHistoryGap || now.Reason == refund.ReasonNoOriginal
	return old, missed && old.Verdict.Original != nil && !s.isKept(old.Verdict.Original.Seq)
}

// isKept reports whether the record with this number is among those that are kept.
func (s *salvager) isKept(seq int64) bool {
	_, ok := slices.BinarySearchFunc(s.records, seq, func(p rowPlace, seq int64) int { return cmp.Compare(p.seq, seq) })
	return ok
}

// copySmall copies what wires remember and what waited for the back office: events, and
// cases whose refund is lost, which nothing else can tell again.
func (s *salvager) copySmall() error {
	return s.d.transact(func(t *tx) error {
		t.n.seq = max(t.n.seq, s.last)
		for key, m := range s.memory {
			name := s.links[key.link].text
			if name == "" {
				continue
			}
			link, err := t.link(name)
			if err != nil {
				return err
			}
			if err := t.remember(link, &refund.MemoryChange{Key: key.key, Value: m.value, Expires: timeOf(m.expires)}); err != nil {
				return err
			}
		}
		for _, entry := range slices.Sorted(maps.Keys(s.notices)) {
			found := s.r.row(s.notices[entry])
			if found == nil {
				continue
			}
			if err := s.queueAgain(t, found); err != nil {
				return err
			}
		}
		return nil
	})
}

// queueAgain queues an entry of the old outbox, unless it is of a case that is published
// again anyway.
func (s *salvager) queueAgain(t *tx, found *foundRow) error {
	n, caseID := found.notice()
	if n.Class == refund.NoticeEvent {
		return t.queueEvent(n)
	}
	known, err := loadCase(t.c, caseID)
	if err != nil || known != nil || caseID == "" {
		return err
	}
	n.Historical = true
	// Its refund is lost, so that nothing could make this event again: it is queued even
	// beyond the outbox's bound.
	return t.putCase(caseID, &n)
}
