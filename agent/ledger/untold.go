package ledger

import (
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// A case event that finds no room in the outbox is noted in the table untold without its
// data: about 200 bytes instead of 4 KiB. The record and the verdict are stored all the
// same, and the data is made of them when there is room. What is frozen when the event
// happens is what cannot be had from them later: its id, its type, its time and what the
// clock was worth. Copies that came meanwhile are among the evidence then.
//
// An event publishes the verdict of its own step. So where a later verdict is about to
// replace the one that a noted event stands on, the event gets its data first (freeze).
// That takes another record about the same refund, and happens at most twice per case:
// of one case the opening and the newest step after it are kept.

// keepUntold notes a case event that found no room. Of one case it keeps the opening and
// the newest step after it: what lies between adds nothing.
func (t *tx) keepUntold(caseID string, n refund.Notice) error {
	if err := t.c.Do(`DELETE FROM untold WHERE case_id = ?1 AND type NOT IN (?2, ?3)`, caseID, refund.CaseOpened, typeFollowed); err != nil {
		return err
	}
	t.out.Figures.Untold += 1 - t.c.Changes()
	n.Data = nil
	return rows.InsertEntry(t.c.Conn, "untold", 0, caseID, &n, nil)
}

// putWhole queues an event that is not made of a case's verdict alone; without room it is noted
// with its data, which nothing else can make again.
func (t *tx) putWhole(caseID string, n *refund.Notice) error {
	room := t.out.Figures.Untold == 0
	if room {
		var err error
		if room, err = t.out.MakeRoom(rows.EntrySize(n)); err != nil {
			return err
		}
	}
	if !room {
		t.out.Figures.Untold++
		stored, err := t.c.stored(n.Data)
		if err != nil {
			return err
		}
		return rows.InsertEntry(t.c.Conn, "untold", 0, caseID, n, stored)
	}
	return t.out.PutCase(caseID, n)
}

// freeze completes the noted events of the cases that these verdicts are about. It is
// called before the verdicts, and what has changed them, are stored.
func (t *tx) freeze(verdicts []refund.Judged) error {
	for i := range verdicts {
		if t.out.Figures.Untold == 0 {
			return nil
		}
		if err := t.freezeCase(verdicts[i].Verdict.Seq); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) freezeCase(seq int64) error {
	list, err := t.untold(`case_id = (SELECT case_id FROM record WHERE seq = ?1) AND data = '' ORDER BY entry`, seq)
	if err != nil {
		return err
	}
	for i := range list {
		u := &list[i]
		if err := t.complete(u); err != nil {
			return err
		}
		stored, err := t.c.stored(u.n.Data)
		if err != nil {
			return err
		}
		err = t.c.Do(`UPDATE untold SET size = ?2, crc = ?3, data = ?4 WHERE entry = ?1`, u.n.Entry, rows.EntrySize(&u.n), int64(sqlite.Checksum(0, stored)), sqlite.JSON(stored))
		if err != nil {
			return err
		}
	}
	return nil
}

// untoldCase is a noted event.
type untoldCase struct {
	n      refund.Notice
	caseID string
}

// untold returns the noted events that a condition chooses.
func (t *tx) untold(where string, arg int64) ([]untoldCase, error) {
	var list []untoldCase
	err := t.c.Each(`SELECT `+rows.EntryColumns+` FROM untold WHERE `+where, func(r *sqlite.Row) error {
		n, err := rows.ScanEntry(r, "")
		list = append(list, untoldCase{n, r.Text(1)})
		return err
	}, arg)
	return list, err
}

// complete makes the data of a noted event of the records and the verdict.
func (t *tx) complete(u *untoldCase) error {
	if len(u.n.Data) > 0 {
		return nil
	}
	k, err := loadCase(t.c, u.caseID)
	if err != nil {
		return err
	}
	if k == nil {
		return rows.Damaged("untold", u.n.Entry, "its case is missing")
	}
	row, err := loadRow(t.c, k.seq)
	if err != nil {
		return err
	}
	j, found, err := loadVerdict(t.c, k.seq)
	if err != nil {
		return err
	}
	if row == nil || !found {
		return rows.Damaged("untold", u.n.Entry, "the record or the verdict of its case is missing")
	}
	u.n.Data, err = t.caseData(&refund.CaseChange{CaseID: u.caseID, Severity: worstOf(&j.Verdict), Judged: j}, row)
	return err
}

// sequenceUntold adds to noted case events their data and their sequence while there is room.
func (t *tx) sequenceUntold() error {
	for t.out.Figures.Untold > 0 {
		list, err := t.untold(`entry > ?1 ORDER BY entry LIMIT 1`, 0)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			t.out.Figures.Untold = 0
			return nil
		}
		u := &list[0]
		if err := t.complete(u); err != nil {
			return err
		}
		room, err := t.out.MakeRoom(rows.EntrySize(&u.n))
		if err != nil || !room {
			return err
		}
		if err := t.out.PutCase(u.caseID, &u.n); err != nil {
			return err
		}
		if err := t.c.Do(`DELETE FROM untold WHERE entry = ?1`, u.n.Entry); err != nil {
			return err
		}
		t.out.Figures.Untold--
	}
	return nil
}
