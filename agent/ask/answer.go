package ask

import (
	"bytes"
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
	Seq       int64            `json:"seq"` // its place: of the line, or of the record that would come next
	Ask       string           `json:"ask"`
	Practice  bool             `json:"practice"`
	Action    Action           `json:"action"`
	Recipient refund.Recipient `json:"recipient"`
	Reason    string           `json:"reason"`
	Evidence  refund.Evidence  `json:"evidence"`
	Original  *refund.Found    `json:"original"` // nil: none
	// Remaining is what may still be refunded of the original, in its measure, in minor
	// units; nil: no sum is made.
	Remaining  *int64             `json:"remaining"`
	Candidates []refund.Candidate `json:"candidates"` // never nil
	Findings   []refund.Finding   `json:"findings"`   // by severity, then code; never nil
}

// Unchecked reports whether the ask could not be judged (guard.md § 2).
func (a *Answer) Unchecked() bool { return a.Reason == ReasonUnchecked }

// Line returns the answer as one line of `yuanlu check`: members in the order of guard.md
// § 2, no spaces.
func (a *Answer) Line() []byte {
	return line(struct {
		Type string `json:"type"`
		*Answer
	}{"answer", a})
}

// Line returns the hold as one line of `yuanlu check`. ended is the line that ended it, 0
// while it is open (guard.md § 3).
func (h *Held) Line(ended int64) []byte {
	return line(struct {
		Type   string `json:"type"`
		Seq    int64  `json:"seq"`
		Ask    string `json:"ask"`
		State  State  `json:"state"`
		By     string `json:"by"`
		Ended  int64  `json:"ended"`
		Record int64  `json:"record"`
	}{"hold", h.Seq, h.Key.ID, h.State, h.By, ended, h.Record})
}

// line writes v, which always can be, in one line without the escaping of HTML.
func line(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // of texts, numbers and lists of them
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
