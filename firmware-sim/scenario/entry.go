package scenario

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"yuanlu/firmware-sim/wire"
)

// Labels of a Truth.
const (
	Wrong      = "wrong"       // the money went where, or as much as, it must not; by the contract the wire shows it
	Right      = "right"       // nothing is wrong, and by the contract the wire shows it
	CannotTell = "cannot_tell" // by the contract the wire shows too little to decide
)

// Truth is what really became of a refund or void, and what its verdict must be by the contract.
type Truth struct {
	Label     string   `json:"label"`              // Wrong, Right or CannotTell
	Why       string   `json:"why"`                // text, for people
	Case      bool     `json:"case"`               // a case must be opened, at severity medium or above
	Recipient string   `json:"recipient"`          // as in verdicts.md
	Reason    string   `json:"reason,omitempty"`   // as in verdicts.md
	Evidence  string   `json:"evidence,omitempty"` // strong, weak, by_reference or empty
	Decision  string   `json:"decision"`           // alarm, review, pass
	FoundBy   string   `json:"found_by,omitempty"` // the key that finds the original; empty: null
	Codes     []string `json:"findings,omitempty"` // in the order of verdicts.md § 5
}

// Entry is one transaction of a simulated terminal: a line of its journal and of the truth ledger. The identities in
// it are the simulator's own.
type Entry struct {
	Seq       int64       `json:"seq"`   // 1, 2, … at this terminal
	Model     string      `json:"model"` // e-sign, traditional, smart
	Step      Step        `json:"step"`
	Record    wire.Record `json:"record"`              // what the firmware sends, as far as its wire can carry it
	Payer     string      `json:"payer,omitempty"`     // the account that really paid, "anna/card" for example
	Recipient string      `json:"recipient,omitempty"` // the account that really gets the money
	Truth     *Truth      `json:"truth,omitempty"`     // refunds, voids and completion_voids outside of training
	Asked     bool        `json:"asked,omitempty"`     // mispos: the terminal printed the request before the answer
	Revises   []Revision  `json:"revises,omitempty"`   // what this entry changes in the truth of earlier ones

	Guard *Guarded `json:"guard,omitempty"` // of a refund or void that the terminal asked about before

	Parts    []wire.Record `json:"parts,omitempty"`    // the records of its message, where that makes several
	Silent   bool          `json:"silent,omitempty"`   // the message of the entry before it reports this one, too
	Returned int64         `json:"returned,omitempty"` // alipay: fen that went back of the trade so far
}

// Ends of a refund or void that the guard was asked about.
const (
	Proceeded       = "proceeded"        // made after the answer proceed
	Overruled       = "overruled"        // made after the answer confirm
	Prevented       = "prevented"        // not made
	ReleasedRightly = "released_rightly" // made after a release, and nothing is wrong with it
	ReleasedWrongly = "released_wrongly" // made after a release, and wrong
	Bypassed        = "bypassed"         // made although it was held
	Unanswered      = "unanswered"       // made because no answer came, or because the guard refused the ask
)

// Guarded is what the guard was asked and what became of it (guard.md).
type Guarded struct {
	Ask       string `json:"ask"`                 // id of the last ask
	Replaces  string `json:"replaces,omitempty"`  // the held ask that it corrects
	Label     string `json:"label"`               // of what was asked: Wrong, Right or CannotTell
	MustHold  bool   `json:"must_hold,omitempty"` // the contract demands the answer hold (advise: confirm)
	MayPass   bool   `json:"may_pass,omitempty"`  // the contract allows the answer proceed
	Action    string `json:"action,omitempty"`    // proceed, confirm, hold or refused; empty: no answer came in time
	State     string `json:"state,omitempty"`     // of the hold, the last that was heard of
	Text      string `json:"text,omitempty"`      // on the screen
	End       string `json:"end"`                 // Proceeded … Unanswered
	Correct   bool   `json:"correct,omitempty"`   // the cashier corrects it: the next entry is what he asks then
	Lost      bool   `json:"lost,omitempty"`      // the answer came and the terminal lost it, so that it was not confirmed
	Presented string `json:"presented,omitempty"` // who showed his code or card
	Asks      int    `json:"asks,omitempty"`      // asks sent, repeats included
	PowerCut  bool   `json:"power_cut,omitempty"` // the power went while it was held
}

// Made reports whether the refund was made.
func (g *Guarded) Made() bool { return g == nil || g.End != Prevented }

// Revision is the truth of an earlier entry as it is from now on.
type Revision struct {
	Seq   int64  `json:"seq"`
	Truth *Truth `json:"truth"`
}

// Final puts into each entry of one terminal the truth that later entries left it with.
func Final(entries []Entry) {
	bySeq := map[int64]int{}
	for i := range entries {
		bySeq[entries[i].Seq] = i
	}
	for i := range entries {
		for _, r := range entries[i].Revises {
			if k, ok := bySeq[r.Seq]; ok {
				entries[k].Truth = r.Truth
			}
		}
	}
}

// WriteEntry appends one line to a ledger.
func WriteEntry(w io.Writer, e *Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// ReadEntries reads a ledger. Lines that hold no entry (a journal has others) are skipped, and so is a last line
// without its end: the power went in its middle. Any other line that cannot be read is an error with its number.
func ReadEntries(r io.Reader) ([]Entry, error) {
	var out []Entry
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", n, ErrScript, err)
		}
		if e.Seq > 0 {
			out = append(out, e)
		}
	}
}
