package ingest

import (
	"context"
	"slices"
	"sync"

	"yuanlu/agent/refund"
)

// shown hands on whose card or account a message names, to those who wait for the next one.
type shown struct {
	mu      sync.Mutex // guards the rest
	waiting []chan *refund.Party
}

// Shown waits for the next message of the link that names a card or an account, whether it
// makes a record or not, and returns that party sealed. What came before the call does not
// count, nor what the terminal repeats by itself. Errors: that of ctx. Safe for concurrent use
// while Run runs. Source: guard.md § 1.
func (w *Worker) Shown(ctx context.Context) (*refund.Party, error) {
	if err := w.Turn(ctx); err != nil { // what lies in the inbox came before
		return nil, err
	}
	one := make(chan *refund.Party, 1)
	w.shown.mu.Lock()
	w.shown.waiting = append(w.shown.waiting, one)
	w.shown.mu.Unlock()
	select {
	case p := <-one:
		return p, nil
	case <-ctx.Done():
		w.shown.mu.Lock()
		defer w.shown.mu.Unlock()
		w.shown.waiting = slices.DeleteFunc(w.shown.waiting, func(c chan *refund.Party) bool { return c == one })
		return nil, ctx.Err()
	}
}

// show hands on the party of a step, sealed, to all who wait.
func (w *Worker) show(p *refund.Party) {
	w.shown.mu.Lock()
	defer w.shown.mu.Unlock()
	if p == nil || len(w.shown.waiting) == 0 {
		return
	}
	sealed := refund.Seal(refund.Record{Party: p}, w.opt.Tokenizer).Party
	if !sealed.HasIdentifier() {
		return
	}
	for _, one := range w.shown.waiting {
		one <- sealed // it has room for one
	}
	w.shown.waiting = nil
}

// showRecord is the party of a record whose customer is at the counter: not one that the
// terminal repeats or makes by itself.
func showRecord(r *refund.Record) *refund.Party {
	if r.Copy != "" || r.Kind == refund.KindReversal || r.Kind == refund.KindSettlement {
		return nil
	}
	return r.Party
}
