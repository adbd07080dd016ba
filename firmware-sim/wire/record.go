package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Record is one thing that the firmware reports, with the members of records.md. Identities are in
// clear: they are the simulator's own test cards and test openids, never a real one.
type Record struct {
	V             int       `json:"v"`
	Kind          string    `json:"kind"`
	Outcome       string    `json:"outcome,omitempty"`
	ResponseCode  string    `json:"response_code,omitempty"`
	Copy          string    `json:"copy,omitempty"`
	Training      bool      `json:"training,omitempty"`
	MerchantID    string    `json:"merchant_id,omitempty"`
	TerminalID    string    `json:"terminal_id,omitempty"`
	Operator      string    `json:"operator,omitempty"`
	Channel       string    `json:"channel,omitempty"`
	Funding       string    `json:"funding,omitempty"`
	Entry         string    `json:"entry,omitempty"`
	Amount        int64     `json:"amount,omitempty"`       // minor units
	PayerAmount   *int64    `json:"payer_amount,omitempty"` // minor units; nil: the amount
	Currency      string    `json:"currency,omitempty"`
	At            time.Time `json:"at,omitzero"` // the time of the device or host
	Stan          string    `json:"stan,omitempty"`
	Batch         string    `json:"batch,omitempty"`
	RRN           string    `json:"rrn,omitempty"`
	AuthCode      string    `json:"auth_code,omitempty"`
	OrderNo       string    `json:"order_no,omitempty"`
	ChannelTxn    string    `json:"channel_txn,omitempty"`
	RefundNo      string    `json:"refund_no,omitempty"`
	Ask           string    `json:"ask,omitempty"` // id of the guard's ask that a refund was made by
	ChannelRefund string    `json:"channel_refund,omitempty"`
	Original      Original  `json:"original,omitzero"`
	Party         Party     `json:"party,omitzero"`
	RefundRoute   string    `json:"refund_route,omitempty"`
	Signature     string    `json:"signature,omitempty"`
	Totals        *Totals   `json:"totals,omitempty"`
	Journal       *Journal  `json:"journal,omitempty"`
}

// Original is how a record points at an earlier one.
type Original struct {
	Stan       string `json:"stan,omitempty"`
	Batch      string `json:"batch,omitempty"`
	Date       string `json:"date,omitempty"` // MMDD or YYYY-MM-DD
	RRN        string `json:"rrn,omitempty"`
	AuthCode   string `json:"auth_code,omitempty"`
	OrderNo    string `json:"order_no,omitempty"`
	ChannelTxn string `json:"channel_txn,omitempty"`
	TerminalID string `json:"terminal_id,omitempty"`
}

// Party is who paid, or who gets the money, as far as a message shows.
type Party struct {
	Scheme    string  `json:"scheme,omitempty"`
	Namespace string  `json:"namespace,omitempty"`
	ID        string  `json:"id,omitempty"`
	Token     string  `json:"token,omitempty"` // only in records that an agent printed; no wire carries it
	Shown     string  `json:"shown,omitempty"` // as Token
	PAR       string  `json:"par,omitempty"`
	Text      string  `json:"text,omitempty"`
	Also      []Ident `json:"also,omitempty"`
}

// Ident is one further identifier of a party.
type Ident struct {
	Scheme    string `json:"scheme"`
	Namespace string `json:"namespace,omitempty"`
	ID        string `json:"id"`
	Token     string `json:"token,omitempty"`
	Shown     string `json:"shown,omitempty"`
}

// IsZero reports whether nothing is known of the party.
func (p Party) IsZero() bool {
	return p.Scheme == "" && p.Namespace == "" && p.ID == "" && p.Token == "" && p.Shown == "" && p.PAR == "" &&
		p.Text == "" && len(p.Also) == 0
}

// Totals are the sums of one batch: amounts in minor units, and how many transactions they are made of.
type Totals struct {
	DebitAmount  int64 `json:"debit_amount"`
	DebitCount   int64 `json:"debit_count"`
	CreditAmount int64 `json:"credit_amount"`
	CreditCount  int64 `json:"credit_count"`
}

// Journal is from when on, and for which terminals, a list of records is complete.
type Journal struct {
	From      string   `json:"from"`
	Terminals []string `json:"terminals,omitempty"`
}

// ErrInput is the class of a line of a records file that is not a record.
var ErrInput = errors.New("not a record")

// ReadRecords reads JSON Lines as records.md describes them; blank lines are skipped. An error names its
// line (counted from 1) and wraps ErrInput.
func ReadRecords(r io.Reader) ([]Record, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var out []Record
	for n, line := range bytes.Split(data, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		var rec Record
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&rec); err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", n+1, ErrInput, err)
		}
		if rec.Kind == "" {
			return nil, fmt.Errorf("line %d: %w: kind is missing", n+1, ErrInput)
		}
		out = append(out, rec)
	}
	return out, nil
}

// CannotCarry is the error of a wire that has no place for a member of a record.
type CannotCarry struct {
	Wire   string // mispos, cup8583, smart
	Member string // as records.md names it, with the member that holds it: original.date
	Why    string // what the wire could carry instead; never the value of the member
}

// Error names the wire and the member.
func (e *CannotCarry) Error() string {
	return fmt.Sprintf("wire %s cannot carry %s: %s", e.Wire, e.Member, e.Why)
}

// Encoder turns a record into the frames of one wire. An encoder may remember (message ids), so one encoder serves
// one line; it is not safe for concurrent use.
type Encoder interface {
	// Encode returns the frames that carry the record, in their order. The error is a *CannotCarry where the wire has
	// no place for a member.
	Encode(r *Record) ([]Frame, error)
	// EncodeAs returns the frames of a message, in its shape.
	EncodeAs(m Message) ([]Frame, error)
}

// Frame is one frame as it stands on the line.
type Frame struct {
	Bytes []byte
	Note  string // for people: "sale request", "refund answer"
}

// NewEncoder returns the encoder of a wire: mispos, cup8583 or smart.
func NewEncoder(wire string) (Encoder, error) {
	switch wire {
	case "mispos":
		return &Mispos{}, nil
	case "cup8583":
		return &Cup8583{}, nil
	case "smart":
		return &Smart{}, nil
	}
	return nil, fmt.Errorf("no wire is called %q: mispos, cup8583, smart", wire)
}
