package ledger

import (
	"encoding/json"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// holdState is what becomes of a hold, as its row has it.
type holdState struct {
	State     ask.State `json:"state"`
	By        string    `json:"by,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Text      string    `json:"text,omitempty"`
	Ended     int64     `json:"ended,omitempty"` // rows.Millis
	Record    int64     `json:"record,omitempty"`
	WrongPINs int       `json:"wrong_pins,omitempty"`
	Arrived   bool      `json:"arrived,omitempty"`
}

// holdBody is what never changes of it.
type holdBody struct {
	ID       string          `json:"id"`
	Replaces string          `json:"replaces,omitempty"`
	Digest   []string        `json:"digest"`
	Link     string          `json:"link"`
	Level    ask.Level       `json:"level"`
	Opened   int64           `json:"opened"`
	Until    int64           `json:"until"`
	Flood    bool            `json:"flood,omitempty"`
	Answer   ask.Answer      `json:"answer"`
	Record   json.RawMessage `json:"record"` // refund.EncodeStored
}

// putHold writes a held ask as it stands; one without a hold is nowhere but in memory.
func (t *tx) putHold(e *ask.Entry) error {
	if e.Held == nil {
		return nil
	}
	h := e.Held
	now := *h
	t.after(func() { t.d.o.HoldChanged(now) })
	if t.d.temporary {
		return nil
	}
	state, err := json.Marshal(holdState{h.State, h.By, h.Reason, h.Text, rows.Millis(h.Ended), h.Record, h.WrongPINs, e.Arrived})
	if err != nil {
		return err
	}
	body, err := outbox.Marshal(holdBody{e.Ask.ID, e.Ask.Replaces, e.Ask.Digest, e.Link, e.Level, rows.Millis(h.Opened), rows.Millis(h.Until), h.Flood,
		e.Answer, refund.EncodeStored(nil, &e.Ask.Record)})
	if err != nil {
		return err
	}
	if e.ID == 0 {
		last, _, err := t.c.Int(`SELECT max(id) FROM hold`)
		if err != nil {
			return err
		}
		e.ID = last + 1
	}
	return (&rows.Hold{ID: e.ID, State: state, Body: body}).Put(t.c.Conn)
}

// entryOf returns the ask that a row holds.
func entryOf(row *rows.Hold) (*ask.Entry, error) {
	var s holdState
	var b holdBody
	if json.Unmarshal(row.State, &s) != nil || json.Unmarshal(row.Body, &b) != nil {
		return nil, rows.Damaged("hold", row.ID, "it is not readable")
	}
	r, err := refund.DecodeStored(b.Record)
	if err != nil {
		return nil, rows.Damaged("hold", row.ID, "its ask is not a stored record")
	}
	e := &ask.Entry{ID: row.ID, Ask: refund.Ask{Record: r, ID: b.ID, Replaces: b.Replaces, Digest: b.Digest}, Answer: b.Answer,
		Link: b.Link, Level: b.Level, Record: s.Record, Arrived: s.Arrived, Asked: rows.Time(b.Opened)}
	e.Held = &ask.Held{Key: e.Key(), Seq: b.Answer.Seq, Practice: r.Training, Operator: r.Operator, Link: b.Link, Level: b.Level, State: s.State,
		Opened: rows.Time(b.Opened), Until: rows.Time(b.Until), Ended: rows.Time(s.Ended), By: s.By, Reason: s.Reason, Text: s.Text,
		WrongPINs: s.WrongPINs, Record: s.Record, Flood: b.Flood}
	return e, nil
}

// loadHolds brings the book to what the rows hold; asks without a hold stay in it.
func (d *DB) loadHolds(c *conn) error {
	if ok, err := hasHolds(c); err != nil || !ok {
		return err
	}
	return c.Each(`SELECT `+rows.HoldColumns+` FROM hold ORDER BY id`, func(r *sqlite.Row) error {
		row, err := rows.ScanHold(r)
		if err != nil {
			return err
		}
		e, err := entryOf(&row)
		if err != nil {
			return err
		}
		if old := d.book.Find(e.Key()); old != nil {
			d.book.Forget(old)
		}
		d.book.Recall(e)
		return nil
	})
}

// hasHolds reports whether the store has the table: one of version 1 that could not be
// replaced yet has none (upgrade.go), and nothing can be held.
func hasHolds(c *conn) (bool, error) {
	n, _, err := c.Int(`SELECT count(*) FROM sqlite_schema WHERE name = 'hold'`)
	return n > 0, err
}

// openHold writes a new hold, and queues its event.
func (t *tx) openHold(e *ask.Entry) error {
	if err := t.putHold(e); err != nil {
		return err
	}
	t.undo(func() { e.ID = 0 })
	if e.Held.Flood {
		return nil
	}
	return t.queueHold(e, holdOpened)
}

// putEnded writes a hold that has just ended, and queues its event. nil: none.
func (t *tx) putEnded(e *ask.Entry) error {
	if e == nil || e.Held == nil {
		return nil
	}
	if err := t.putHold(e); err != nil {
		return err
	}
	return t.queueHold(e, holdEnded)
}

// Types of events about holds, and what their ids are made of (guard.md § 6).
const (
	holdOpened = "opened"
	holdEnded  = "ended"
)

// holdData is the `data` of such an event.
type holdData struct {
	Ask        string       `json:"ask"`
	MerchantID string       `json:"merchant_id"`
	TerminalID string       `json:"terminal_id"`
	Hold       holdPublic   `json:"hold"`
	Refund     *askSide     `json:"refund"`
	Original   *sideData    `json:"original"`
	Answer     answerPublic `json:"answer"`
}

type holdPublic struct {
	State     ask.State `json:"state"`
	Level     ask.Level `json:"level"`
	Opened    string    `json:"opened"`
	Until     string    `json:"until"`
	Ended     string    `json:"ended"`
	By        string    `json:"by"`
	Reason    string    `json:"reason"`
	Text      string    `json:"text"`
	WrongPINs int       `json:"wrong_pins"`
}

// answerPublic is guard.md § 2 without candidates.
type answerPublic struct {
	Seq       int64            `json:"seq"`
	Ask       string           `json:"ask"`
	Practice  bool             `json:"practice"`
	Action    ask.Action       `json:"action"`
	Recipient refund.Recipient `json:"recipient"`
	Reason    string           `json:"reason"`
	Evidence  refund.Evidence  `json:"evidence"`
	Original  *refund.Found    `json:"original"`
	Remaining *int64           `json:"remaining"`
	Findings  []refund.Finding `json:"findings"`
}

// askSide is a refund as in a case, with the members that an ask has.
type askSide struct {
	Link        string         `json:"link"`
	Kind        refund.Kind    `json:"kind"`
	MerchantID  string         `json:"merchant_id"`
	TerminalID  string         `json:"terminal_id"`
	Operator    string         `json:"operator"`
	Channel     refund.Channel `json:"channel"`
	Entry       refund.Entry   `json:"entry"`
	Amount      *int64         `json:"amount,omitempty"`
	PayerAmount *int64         `json:"payer_amount,omitempty"`
	Currency    string         `json:"currency"`
	At          string         `json:"at"`
	Stan        string         `json:"stan"`
	Batch       string         `json:"batch"`
	OrderNo     string         `json:"order_no"`
	RefundNo    string         `json:"refund_no"`
	Party       *partyData     `json:"party"`
}

// queueHold queues one event of a hold, as a case event is; practice is not reported.
func (t *tx) queueHold(e *ask.Entry, what string) error {
	h := e.Held
	if h.Practice || h.Flood || t.d.temporary {
		return nil
	}
	data, err := t.holdData(e)
	if err != nil {
		return err
	}
	now := h.Opened
	if what == holdEnded {
		now = h.Ended
	}
	k := h.Key
	if err := t.logHold(k, data); err != nil {
		return err
	}
	n := refund.Notice{
		ID: keyedID(t.d.keys.caseKey, []string{"hold", k.Merchant, k.Terminal, k.ID, what}), Type: "yuanlu.hold." + what + ".v1",
		Subject: "hold/" + k.Terminal + "/" + k.ID, Time: now, ClockSynced: t.n.synced, Data: data,
	}
	return t.putWhole("", &n)
}

func (t *tx) holdData(e *ask.Entry) ([]byte, error) {
	h, a, s := e.Held, &e.Answer, sideOf(e.Link, &e.Ask.Record)
	data := holdData{Ask: h.Key.ID, MerchantID: h.Key.Merchant, TerminalID: h.Key.Terminal,
		Hold: holdPublic{h.State, h.Level, stampOf(h.Opened), stampOf(h.Until), stampOf(h.Ended), h.By, h.Reason, h.Text, h.WrongPINs},
		Refund: &askSide{s.Link, s.Kind, s.MerchantID, s.TerminalID, s.Operator, s.Channel, s.Entry, s.Amount, s.PayerAmount, s.Currency, s.At,
			s.Stan, s.Batch, s.OrderNo, s.RefundNo, s.Party},
		Answer: answerPublic{a.Seq, a.Ask, a.Practice, a.Action, a.Recipient, a.Reason, a.Evidence, a.Original, a.Remaining, a.Findings}}
	if a.Original != nil {
		row, err := loadRow(t.c, a.Original.Seq)
		if err != nil {
			return nil, err
		}
		if row != nil {
			r, err := row.Decode()
			if err != nil {
				return nil, err
			}
			data.Original = sideOf(t.linkName(row.Link), &r)
		}
	}
	return outbox.Marshal(&data)
}

func stampOf(t time.Time) string { return stamp(rows.Millis(t)) }
