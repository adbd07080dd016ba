package ledger

import (
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
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
	room := t.out.Figures.Untold == 0
	if room {
		if room, err = t.out.MakeRoom(rows.EntrySize(&n)); err != nil {
			return err
		}
	}
	if !room {
		return t.keepUntold(now.id, n)
	}
	step.Sequence = t.out.Figures.Last + 1
	return t.out.PutCase(now.id, &n)
}

// queueGap queues the event of a settlement that does not add up (verdicts.md § 6).
func (t *tx) queueGap(i *refund.Integrity, why *circumstances) error {
	r := why.record
	data, err := outbox.Marshal(map[string]any{
		"integrity": i, "merchant_id": r.MerchantID, "terminal_id": r.TerminalID, "batch": r.Batch, "at": r.At,
	})
	if err != nil {
		return err
	}
	return t.out.QueueEvent(refund.Notice{
		Type: "integrity.capture_gap", Subject: "batch/" + r.Batch, Time: why.time,
		ClockSynced: why.synced, Historical: why.historical, Data: data,
	})
}
