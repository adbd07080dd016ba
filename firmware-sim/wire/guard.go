package wire

import (
	"encoding/json"
	"time"
)

// Ask is the question before a refund, with the members of guard.md § 1. Identities are in clear: the simulator's own.
type Ask struct {
	Kind        string    `json:"kind"`
	Channel     string    `json:"channel,omitempty"`
	Entry       string    `json:"entry,omitempty"`
	Amount      *int64    `json:"amount,omitempty"` // minor units
	PayerAmount *int64    `json:"payer_amount,omitempty"`
	Currency    string    `json:"currency,omitempty"`
	At          time.Time `json:"at,omitzero"`
	Stan        string    `json:"stan,omitempty"`
	Batch       string    `json:"batch,omitempty"`
	OrderNo     string    `json:"order_no,omitempty"`
	RefundNo    string    `json:"refund_no,omitempty"`
	Original    Original  `json:"original,omitzero"`
	Party       Party     `json:"party,omitzero"`
	Presented   Party     `json:"presented,omitzero"`
	About       AskAbout  `json:"ask"`
}

// AskAbout is the member ask of an ask.
type AskAbout struct {
	ID         string `json:"id"`
	Replaces   string `json:"replaces,omitempty"`
	DeadlineMS int64  `json:"deadline_ms,omitempty"`
}

// GuardAnswer is what a firmware reads of a guard.answer and a guard.state: guard.md § 4.
type GuardAnswer struct {
	Ask    string `json:"ask"`
	Action string `json:"action"` // of an answer: proceed, confirm, hold, refused
	Text   struct {
		EN string `json:"en"`
		ZH string `json:"zh"`
	} `json:"text"`
	Hold *struct {
		State string `json:"state"`
		LeftS int64  `json:"left_s"`
	} `json:"hold"`
	State string `json:"state"` // of a state
	By    string `json:"by"`
	Src   string `json:"-"`
}

// ReadGuard reads a message of the agent; ok is false for any that is none of the guard's.
func ReadGuard(data []byte) (a GuardAnswer, ok bool) {
	var e struct {
		V    int             `json:"v"`
		Src  string          `json:"src"`
		Body json.RawMessage `json:"body"`
	}
	if json.Unmarshal(data, &e) != nil || e.V != 1 || e.Src != "guard.answer" && e.Src != "guard.state" {
		return a, false
	}
	a.Src = e.Src
	return a, json.Unmarshal(e.Body, &a) == nil
}

// Envelope is who says something to the guard.
type Envelope struct {
	TerminalID, MerchantID, Operator string
	Training                         bool
}

// Guard returns the frame of a message to the guard: guard.ask with an Ask, guard.release with a GuardRelease,
// guard.cancel with an AskID.
func (s *Smart) Guard(src string, from Envelope, body any) (Frame, error) {
	return s.frame(envelope{V: 1, Src: src, TerminalID: from.TerminalID, MerchantID: from.MerchantID, Operator: from.Operator,
		Training: from.Training, Body: body})
}

// GuardRelease is the body of a guard.release.
type GuardRelease struct {
	Ask    string `json:"ask"`
	By     string `json:"by"`
	PIN    string `json:"pin"`
	Reason string `json:"reason"`
	Text   string `json:"text,omitempty"`
}

// AskID is the body of a guard.cancel.
type AskID struct {
	Ask string `json:"ask"`
}
