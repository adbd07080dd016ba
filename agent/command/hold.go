package command

import (
	"context"
	"encoding/json"
	"errors"

	"yuanlu/agent/ask"
	"yuanlu/agent/control"
	"yuanlu/agent/guard"
)

// holdArgs are those of hold-release and hold-cancel (guard.md § 6).
type holdArgs struct {
	MerchantID string `json:"merchant_id"`
	TerminalID string `json:"terminal_id"`
	Ask        string `json:"ask"`
	By         string `json:"by"`
	Reason     string `json:"reason"`
	Text       string `json:"text"`
}

// holdRelease releases a hold for the back office.
func (s *Set) holdRelease(ctx context.Context, args json.RawMessage, _ func(any)) (any, error) {
	return s.hold(args, func(o guard.Office, k ask.Key, q *holdArgs) (ask.Held, error) {
		return o.OfficeRelease(ctx, k, guard.Release{By: q.By, Reason: q.Reason, Text: q.Text})
	})
}

// holdCancel ends a hold for the back office.
func (s *Set) holdCancel(ctx context.Context, args json.RawMessage, _ func(any)) (any, error) {
	return s.hold(args, func(o guard.Office, k ask.Key, q *holdArgs) (ask.Held, error) { return o.OfficeCancel(ctx, k, q.By) })
}

// hold does one of both; a refusal keeps its code.
func (s *Set) hold(args json.RawMessage, do func(guard.Office, ask.Key, *holdArgs) (ask.Held, error)) (any, error) {
	var q holdArgs
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	var o guard.Office
	if s.o.Office != nil {
		o = s.o.Office()
	}
	if o == nil {
		return nil, &control.Error{Code: guard.CodeStore, Message: "the store is not open, or no link has a guard"}
	}
	h, err := do(o, ask.Key{Merchant: q.MerchantID, Terminal: q.TerminalID, ID: q.Ask}, &q)
	var no *guard.Refusal
	if errors.As(err, &no) {
		text := no.Error()
		if no.State != "" {
			text += ": the hold is " + string(no.State)
		}
		return nil, &control.Error{Code: no.Code, Message: text}
	}
	if err != nil {
		return nil, err
	}
	return map[string]ask.State{"state": h.State}, nil
}
