package ledger

import (
	"maps"
	"slices"

	"yuanlu/agent/refund"
)

// sayAgain says the verdicts that the old store had said already.
func (s *salvager) sayAgain() error {
	var due []int64
	err := eachRow(s.d.w, `SELECT seq FROM held ORDER BY seq`, func(st *stmt) error {
		if _, said := s.verdicts[st.int(0)]; said {
			due = append(due, st.int(0))
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
	found := s.r.row(s.verdicts[seq])
	if found == nil {
		return nil
	}
	c := found.cols
	old, err := scanVerdict(t.c, seq, c[1].n, c[2].n, c[3].b, c[4].b)
	if err != nil {
		return nil // not readable: the new one stands
	}
	now, ok, err := loadVerdict(t.c, seq)
	if err != nil || !ok {
		return err
	}
	if stands, err := knewMore(t.c, &old.Verdict, &now.Verdict); err != nil || !stands {
		return err
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
	old.Verdict.Rev = max(old.Verdict.Rev, now.Verdict.Rev)
	return t.say([]refund.Judged{old}, &why, new(refund.Applied))
}

// knewMore reports whether the old verdict rests on a record that is lost: the original,
// which the new one misses, or what cancelled the refund.
func knewMore(c *conn, old, now *refund.Verdict) (bool, error) {
	if old.Cancelled || now.Cancelled {
		return !now.Cancelled, nil
	}
	missed := now.Reason == refund.ReasonHistoryGap || now.Reason == refund.ReasonNoOriginal
	if !missed || old.Original == nil {
		return false, nil
	}
	row, err := loadRow(c, old.Original.Seq)
	return row == nil, err
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

// queueAgain queues an entry of the old outbox, unless it is of a case that is told
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
