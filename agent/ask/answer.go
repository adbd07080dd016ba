package ask

import (
	"encoding/json"

	"yuanlu/agent/refund"
)

// Key names an ask (guard.md § 1).
type Key struct{ Merchant, Terminal, ID string }

// Action is what the asker is to do.
type Action string

const (
	Proceed Action = "proceed"
	Confirm Action = "confirm" // somebody looks at the findings and decides
	Hold    Action = "hold"    // the refund is not made before the hold is released
)

// ReasonUnchecked is the reason of an answer that was not judged in time (guard.md § 2).
const ReasonUnchecked = "unchecked"

// Answer is what an ask is answered (guard.md § 2).
type Answer struct {
	Seq       int64 // its place: of the line, or of the record that would come next
	Ask       string
	Practice  bool
	Action    Action
	Recipient refund.Recipient
	Reason    string
	Evidence  refund.Evidence
	Original  *refund.Found // nil: none
	// Remaining is what may still be refunded of the original, in its measure, in minor
	// units; nil: no sum is made.
	Remaining  *int64
	Candidates []refund.Candidate // never nil
	Findings   []refund.Finding   // by severity, then code; never nil
}

// Unchecked reports whether the ask could not be judged (guard.md § 2).
func (a *Answer) Unchecked() bool { return a.Reason == ReasonUnchecked }

// MarshalJSON writes the answer as one line of `yuanlu check`: members in the order of
// guard.md § 2, no spaces.
func (a Answer) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type       string             `json:"type"`
		Seq        int64              `json:"seq"`
		Ask        string             `json:"ask"`
		Practice   bool               `json:"practice"`
		Action     Action             `json:"action"`
		Recipient  refund.Recipient   `json:"recipient"`
		Reason     string             `json:"reason"`
		Evidence   refund.Evidence    `json:"evidence"`
		Original   *refund.Found      `json:"original"`
		Remaining  *int64             `json:"remaining"`
		Candidates []refund.Candidate `json:"candidates"`
		Findings   []refund.Finding   `json:"findings"`
	}{"answer", a.Seq, a.Ask, a.Practice, a.Action, a.Recipient, a.Reason, a.Evidence, a.Original, a.Remaining, a.Candidates, a.Findings})
}
