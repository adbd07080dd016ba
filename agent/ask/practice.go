package ask

import (
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
)

// practiceReaches is how far before a practice ask its journal begins (guard.md § 7).
const practiceReaches = 30 * 24 * time.Hour

// Judge is what is asked of refund.Judge.
type Judge interface {
	Apply(h refund.History, seq int64, r refund.Record) (refund.Changes, error)
	Foresee(h refund.History, seq int64, a *refund.Ask) (refund.Foreseen, error)
}

// Practice is the journal of the training records of one merchant and terminal, read as if
// they were none (guard.md § 7). It is not safe for concurrent use.
type Practice struct {
	judge Judge
	store *memhistory.Store
	from  time.Time
}

// NewPractice returns an empty journal of what is at most 30 days before at.
func NewPractice(j Judge, at time.Time) *Practice {
	return &Practice{judge: j, store: memhistory.New(), from: at.Add(-practiceReaches)}
}

// Add takes in the training record seq. Numbers only grow. A record without a time, or one
// that is too old, is left out.
func (p *Practice) Add(seq int64, r refund.Record) error {
	if at, ok := r.Time(); !ok || at.Before(p.from) {
		return nil
	}
	r.Training = false
	ch, err := p.judge.Apply(p.store, seq, r)
	if err == nil {
		p.store.Commit(&ch)
	}
	return err
}

// History returns what has been taken in.
func (p *Practice) History() refund.History { return p.store }

// FirstSighting reports whether the training record seq, not yet taken in, is none that is
// known (verdicts.md § 1.3).
func (p *Practice) FirstSighting(seq int64, r refund.Record) (bool, error) {
	r.Training = false
	ch, err := p.judge.Apply(p.store, seq, r)
	return ch.CopyOf == 0, err
}
