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

	Parts    []wire.Record `json:"parts,omitempty"`    // the records of its message, where that makes several
	Silent   bool          `json:"silent,omitempty"`   // the message of the entry before it reports this one, too
	Returned int64         `json:"returned,omitempty"` // alipay: fen that went back of the trade so far
}

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
