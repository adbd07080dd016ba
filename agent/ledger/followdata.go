package ledger

import (
	"yuanlu/agent/follow"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
)

// typeFollowed is the type of the events about what became of a case.
const typeFollowed = "yuanlu.case.followed.v1"

// followedData is the `data` of such an event (casework.md § 12).
type followedData struct {
	CaseID string      `json:"case_id"`
	What   follow.What `json:"what"`
	Rule   string      `json:"rule"`
	Text   refund.Text `json:"text"`
	// Of all but refund_after.
	Record *sideData `json:"record,omitempty"`
	// Of refund_after.
	*afterData
	Evidence []evidenceData `json:"evidence"`
}

// afterData is what an event has of a refund after a wrong one.
type afterData struct {
	RefundCase string          `json:"refund_case"`
	Severity   string          `json:"severity"`
	Decision   refund.Decision `json:"decision"`
	Verdict    refund.Verdict  `json:"verdict"`
	Refund     *sideData       `json:"refund"`
	Original   *sideData       `json:"original"`
}

// laterRefund is a refund or void after that of a case.
type laterRefund struct {
	row    *rows.Record
	event  *refund.Event
	judged *refund.Judged
}

// queueRecord queues what a record means for a case.
func (t *tx) queueRecord(told *openedCase, what follow.What, e *refund.Event, said follow.Said, why *circumstances, done *refund.Applied) error {
	row, err := loadRow(t.c, e.Seq)
	if err != nil || row == nil {
		return err
	}
	data := followedData{CaseID: told.k.id, What: what, Rule: said.Rule, Text: said.Text, Record: refundSideOf(t.linkName(row.Link), &e.Record)}
	if data.Evidence, err = appendEvidence(nil, t.c, row); err != nil {
		return err
	}
	return t.queueFollowed(&data, e.Seq, why, done)
}

// queueAfter queues a refund or void after that of a case.
func (t *tx) queueAfter(told *openedCase, r *laterRefund, why *circumstances, done *refund.Applied) error {
	v := &r.judged.Verdict
	said := follow.SayAfter(told.event, r.event, v)
	data := followedData{CaseID: told.k.id, What: follow.RefundAfter, Rule: said.Rule, Text: said.Text, afterData: &afterData{
		RefundCase: r.row.CaseID, Severity: worstOf(v).String(), Decision: v.Decision, Verdict: *v, Refund: refundSideOf(t.linkName(r.row.Link), &r.event.Record)}}
	var err error
	if data.Evidence, err = appendEvidence(nil, t.c, r.row); err != nil {
		return err
	}
	if v.Original != nil {
		if data.Original, data.Evidence, err = t.originalSide(v.Original.Seq, data.Evidence); err != nil {
			return err
		}
	}
	return t.queueFollowed(&data, r.event.Seq, why, done)
}

// originalSide returns an original as events have it, nil if it is gone, and adds where it was
// seen.
func (t *tx) originalSide(seq int64, list []evidenceData) (*sideData, []evidenceData, error) {
	row, err := loadRow(t.c, seq)
	if err != nil || row == nil {
		return nil, list, err
	}
	r, err := row.Decode()
	if err != nil {
		return nil, list, err
	}
	list, err = appendEvidence(list, t.c, row)
	return sideOf(t.linkName(row.Link), &r), list, err
}

// queueFollowed queues an event about the record seq, and notes that it was.
func (t *tx) queueFollowed(data *followedData, seq int64, why *circumstances, done *refund.Applied) error {
	n, err := t.followedCount(data.CaseID, data.What, seq)
	if err != nil {
		return err
	}
	n++
	if err := t.c.Do(`INSERT OR REPLACE INTO followed(case_id, what, seq, n) VALUES(?1, ?2, ?3, ?4)`, data.CaseID, string(data.What), seq, n); err != nil {
		return err
	}
	body, err := outbox.Marshal(data)
	if err != nil {
		return err
	}
	done.Followed = append(done.Followed, refund.Followed{CaseID: data.CaseID, What: string(data.What), Seq: seq})
	return t.putWhole(data.CaseID, &refund.Notice{
		ID: followID(t.d.keys.caseKey, data.CaseID, t.d.Stream(), data.What, seq, n), Type: typeFollowed, Subject: "case/" + data.CaseID,
		Time: why.time, ClockSynced: why.synced, Historical: why.historical, Data: body,
	})
}
