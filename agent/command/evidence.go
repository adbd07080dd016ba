package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"yuanlu/agent/control"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/report"
	"yuanlu/protocol/evidence"
)

// fullPage is how many bytes of leaves end a page. evidence.md § 3 allows 200 KiB; some brokers take no message
// over 128 KiB. A leaf that is longer has a page of its own.
const fullPage = 96 << 10

// provedLeaf is one leaf of a page.
type provedLeaf struct {
	N     int64    `json:"n"`
	Size  int64    `json:"size"`
	Leaf  string   `json:"leaf"`
	Proof []string `json:"proof"`
}

// leafPage is one page of the answer to the command evidence.
type leafPage struct {
	Page   int          `json:"page"`
	Leaves []provedLeaf `json:"leaves"`
}

// provedPoint is a co-signed checkpoint of the answer.
type provedPoint struct {
	Size  int64    `json:"size"`
	Note  string   `json:"note"`
	From  int64    `json:"from"`
	Proof []string `json:"proof"`
}

// proofs is the answer ok to the command evidence.
type proofs struct {
	Origin      string        `json:"origin"`
	VKey        string        `json:"vkey"`
	Pages       int           `json:"pages"`
	Leaves      int           `json:"leaves"`
	Removed     int           `json:"removed"`
	More        bool          `json:"more"`
	Checkpoints []provedPoint `json:"checkpoints"`
}

// evidence returns the leaves of a case with their proofs (evidence.md § 3). It changes nothing.
func (s *Set) evidence(ctx context.Context, args json.RawMessage, _ func(any)) (any, error) {
	q := struct {
		CaseID string  `json:"case_id"`
		Sizes  []int64 `json:"sizes"`
		Desk   []int64 `json:"desk"`
		After  int64   `json:"after"`
	}{After: -1}
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	db := s.o.Agent.Store()
	if db == nil {
		return nil, &control.Error{Code: "unavailable", Message: "the store is not open"}
	}
	p, err := db.Proofs(ctx, ledger.ProofQuery{CaseID: q.CaseID, Sizes: q.Sizes, Desk: q.Desk, After: q.After})
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, &control.Error{Code: "not_found", About: "case_id", Message: "no such case on this terminal"}
	case errors.Is(err, ledger.ErrNotCosigned):
		return nil, &control.Error{Code: "not_cosigned", Message: "no checkpoint of the evidence log is co-signed yet"}
	case errors.Is(err, ledger.ErrBadSize):
		return nil, &control.Error{Code: "bad_size", About: "sizes", Message: "want at most 16 sizes of co-signed checkpoints, rising, and at most 64 of the desk's log"}
	case errors.Is(err, ledger.ErrNoLog):
		return nil, &control.Error{Code: "not_cosigned", Message: "this store has no evidence log yet"}
	case err != nil:
		return nil, err
	}
	pages := pagesOf(p.Leaves)
	out := proofs{Origin: p.Origin, VKey: p.VKey, Pages: len(pages), Leaves: len(p.Leaves), Removed: p.Removed, More: p.More, Checkpoints: []provedPoint{}}
	for _, c := range p.Checkpoints {
		out.Checkpoints = append(out.Checkpoints, provedPoint{c.Size, c.Note, c.From, hashes(c.Proof)})
	}
	return report.Paged{Pages: pages, Data: out}, nil
}

// pagesOf spreads leaves over pages.
func pagesOf(leaves []ledger.ProvedLeaf) (pages []any) {
	page, bytes := leafPage{Page: 1}, 0
	for i := range leaves {
		l := &leaves[i]
		one := provedLeaf{l.N, l.Size, string(l.Leaf), hashes(l.Proof)}
		long := quoted(l.Leaf) + 48*len(l.Proof)
		if bytes > 0 && bytes+long > fullPage {
			pages = append(pages, page)
			page, bytes = leafPage{Page: page.Page + 1}, 0
		}
		page.Leaves, bytes = append(page.Leaves, one), bytes+long
	}
	if len(page.Leaves) > 0 {
		pages = append(pages, page)
	}
	return pages
}

// quoted returns about how many bytes a text takes in JSON: quotation marks take two, others that
// are written as escapes up to six.
func quoted(text []byte) (n int) {
	for _, c := range text {
		switch {
		case c == '"', c == '\\':
			n += 2
		case c < ' ', c == '<', c == '>', c == '&':
			n += 6
		default:
			n++
		}
	}
	return n + 64
}

func hashes(list []evidence.Hash) []string {
	out := make([]string, len(list))
	for i, h := range list {
		out[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return out
}

// Matched is what the verb evidence-match answers.
type Matched struct {
	Seq    int64  `json:"seq"`
	Who    string `json:"who"`    // payer, recipient
	Result string `json:"result"` // same, different
}

// MatchArgs are the arguments of evidence-match. Number is in clear: it goes over the control socket alone.
type MatchArgs struct {
	Seq    int64           `json:"seq"`
	Payer  bool            `json:"payer"`
	Number json.RawMessage `json:"number"`
}

// match compares a number with the party of a record, and logs the answer.
func (s *Set) match(ctx context.Context, args json.RawMessage, send func(any) error) error {
	var q MatchArgs
	var clear string
	if json.Unmarshal(args, &q) != nil || json.Unmarshal(q.Number, &clear) != nil || q.Seq < 1 || clear == "" || len(clear) > 256 {
		return &control.Error{Code: "bad_request", Message: "evidence-match: arguments do not fit"}
	}
	db := s.o.Agent.Store()
	if db == nil {
		return &control.Error{Code: "unavailable", Message: "the store is not open"}
	}
	same, err := db.Match(ctx, q.Seq, q.Payer, refund.NewSecret(clear))
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return &control.Error{Code: "not_found", Message: "no such record"}
	case errors.Is(err, ledger.ErrOften):
		return &control.Error{Code: "busy", Message: "numbers were compared too often: at most 5 an hour and 20 a day"}
	case errors.Is(err, ledger.ErrNoIdentifier), errors.Is(err, ledger.ErrNoPayer), errors.Is(err, ledger.ErrNoRecipient), errors.Is(err, ledger.ErrNoLog):
		return &control.Error{Code: "bad_request", Message: strings.TrimPrefix(err.Error(), "ledger: ")}
	case err != nil:
		return &control.Error{Code: "unavailable", Message: err.Error()}
	}
	is := Matched{Seq: q.Seq, Who: "recipient", Result: "different"}
	if q.Payer {
		is.Who = "payer"
	}
	if same {
		is.Result = "same"
	}
	s.log.Info("log.matched", "seq", is.Seq, "who", is.Who, "result", is.Result)
	return send(is)
}

// restartLog begins a new evidence log because a person orders it.
func (s *Set) restartLog(ctx context.Context, _ json.RawMessage, send func(any) error) error {
	db := s.o.Agent.Store()
	if db == nil {
		return &control.Error{Code: "unavailable", Message: "the store is not open"}
	}
	err := db.RestartLog(ctx)
	if errors.Is(err, ledger.ErrNoLog) {
		return &control.Error{Code: "bad_request", Message: "this store has no evidence log yet"}
	}
	if err != nil {
		return &control.Error{Code: "unavailable", Message: err.Error()}
	}
	state, err := db.LogState(ctx)
	if err != nil {
		return &control.Error{Code: "unavailable", Message: err.Error()}
	}
	return send(map[string]string{"origin": state.Origin, "vkey": state.Key.String()})
}
