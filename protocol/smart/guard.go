package smart

import (
	"encoding/json"
	"strconv"

	"yuanlu/protocol/sensitive"
)

// The sources between firmware and guard, which are no records. Source: guard.md § 4.
const (
	SrcGuardAsk     = "guard.ask"     // from the firmware
	SrcGuardRelease = "guard.release" // likewise
	SrcGuardCancel  = "guard.cancel"  // likewise
	SrcGuardAnswer  = "guard.answer"  // from the agent
	SrcGuardState   = "guard.state"   // likewise
)

// IsGuard reports whether src is one of the sources between firmware and guard. Source:
// guard.md § 4.
func IsGuard(src string) bool {
	switch src {
	case SrcGuardAsk, SrcGuardAnswer, SrcGuardRelease, SrcGuardCancel, SrcGuardState:
		return true
	}
	return false
}

// GuardRelease is the body of a guard.release, and of a guard.cancel, which has Ask alone.
// What of it may stand there is decided by who takes it. Source: guard.md § 4.
type GuardRelease struct {
	Ask, By      string
	PIN          sensitive.Text
	Reason, Text string // Reason also where it stands as a number
}

// GuardRelease reads the body; ask must be there. What it could read stands in the result
// beside an error too. Every error is a *DecodeError.
func (m *Message) GuardRelease() (GuardRelease, error) {
	var v GuardRelease
	err := m.read([]field{
		{name: "ask", text: &v.Ask},
		{name: "by", text: &v.By},
		{name: "pin", secret: &v.PIN},
		{name: "reason", value: func(r *reader) bool {
			if r.Peek('"') {
				_, b, ok := r.trimmed()
				v.Reason = string(b)
				return ok
			}
			var n Number
			ok := r.integer(&n)
			v.Reason = strconv.FormatInt(n.Value, 10)
			return ok
		}},
		{name: "text", text: &v.Text},
	}, nil)
	if err == nil && v.Ask == "" {
		err = m.BodyError("ask", 1, "no such member", "the id of an ask")
	}
	return v, err
}

// GuardAskID returns the id that the body of a guard.ask states, "" if none can be read: for
// the refusal of an ask that is not to its form.
func (m *Message) GuardAskID() string {
	var id string
	_ = m.read([]field{{name: "ask", object: []field{{name: "id", text: &id}}}}, nil) // what was read stays
	return id
}

// AppendGuard appends DATA of a message of the agent to the firmware: src and the body,
// which is one JSON value, for a terminal and a merchant. id is unique per terminal.
func AppendGuard(dst []byte, id, src, terminalID, merchantID string, body json.RawMessage) ([]byte, error) {
	data, err := json.Marshal(struct {
		V          int             `json:"v"`
		ID         string          `json:"id"`
		Src        string          `json:"src"`
		TerminalID string          `json:"terminal_id"`
		MerchantID string          `json:"merchant_id"`
		Body       json.RawMessage `json:"body"`
	}{1, id, src, terminalID, merchantID, body})
	return append(dst, data...), err
}
