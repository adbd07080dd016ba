package till

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard"
	"yuanlu/agent/refund"
)

// Answer is the body of a guard.answer (guard.md § 4).
type Answer struct {
	Ask        string             `json:"ask"`
	Action     ask.Action         `json:"action"`
	Text       refund.Text        `json:"text"`
	Recipient  refund.Recipient   `json:"recipient"`
	Reason     string             `json:"reason"`
	Evidence   refund.Evidence    `json:"evidence"`
	Remaining  *int64             `json:"remaining"` // minor units
	Candidates []refund.Candidate `json:"candidates"`
	Findings   []Finding          `json:"findings"`
	Hold       *Hold              `json:"hold"`
	Practice   bool               `json:"practice"`
}

// Finding is one of an Answer.
type Finding struct {
	Code     string          `json:"code"`
	Severity refund.Severity `json:"severity"`
	Text     refund.Text     `json:"text"`
}

// Hold is the hold of an Answer as it is now.
type Hold struct {
	State ask.State `json:"state"`
	Level ask.Level `json:"level"`
	Left  int64     `json:"left_s"` // seconds of running time, rounded up; 0 unless it is open
	Until string    `json:"until"`  // RFC 3339, by the agent's clock; "" unless it is open
}

// Refused is the body of a guard.answer to an ask that is refused.
type Refused struct {
	Ask    string `json:"ask"`
	Action string `json:"action"` // ActionRefused
	Error  Error  `json:"error"`
}

// ActionRefused is the action of a refused ask.
const ActionRefused = "refused"

// Error is why something was not done: a code of guard.md § 3 or guard.md § 5.
type Error struct {
	Code  string `json:"code"`
	Field string `json:"field"`
}

// State is the body of a guard.state (guard.md § 4).
type State struct {
	Ask   string    `json:"ask"`
	State ask.State `json:"state"`
	By    string    `json:"by"`
	Error string    `json:"error"`
}

// AnswerOf returns the body for a reply, with times in a zone.
func AnswerOf(r *guard.Reply, zone *time.Location) Answer {
	a := &r.Answer
	out := Answer{Ask: a.Ask, Action: a.Action, Text: Lines(a, r.Hold), Recipient: a.Recipient, Reason: a.Reason, Evidence: a.Evidence,
		Remaining: a.Remaining, Candidates: append([]refund.Candidate{}, a.Candidates...), Findings: []Finding{}, Practice: a.Practice}
	for _, f := range a.Findings {
		out.Findings = append(out.Findings, Finding{f.Code, f.Severity, f.Text})
	}
	if h := r.Hold; h != nil {
		out.Hold = &Hold{State: h.State, Level: h.Level}
		if h.State == ask.Open {
			out.Hold.Left = int64(math.Ceil(r.Left.Seconds()))
			if !r.Until.IsZero() {
				out.Hold.Until = r.Until.In(zone).Format(time.RFC3339)
			}
		}
	}
	return out
}

// UncheckedOf returns the body for an ask that was not judged in time (guard.md § 2).
func UncheckedOf(id string, training bool) Answer {
	r := guard.Reply{Answer: ask.Answer{Ask: id, Practice: training, Action: ask.Confirm, Recipient: refund.NoRecipient, Reason: ask.ReasonUnchecked}}
	return AnswerOf(&r, time.UTC)
}

// ErrorOf returns code and field of an error of a guard.Service.
func ErrorOf(err error) Error {
	var r *guard.Refusal
	if errors.As(err, &r) {
		return Error{r.Code, r.Field}
	}
	return Error{Code: guard.CodeStore}
}

// StateOf returns the body for what became of a release or cancel of the ask id.
func StateOf(id string, h ask.Held, err error) State {
	if err == nil {
		return State{Ask: id, State: h.State, By: h.By}
	}
	s := State{Ask: id, Error: ErrorOf(err).Code}
	var r *guard.Refusal
	if errors.As(err, &r) {
		s.State = r.State
	}
	return s
}

// encode returns a body as JSON; none of them can fail to be.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}
