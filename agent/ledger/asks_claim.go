package ledger

import (
	"context"

	"yuanlu/agent/ask"
	"yuanlu/agent/refund"
)

// claim finds what the guard knows of a record that has just come, and returns the record
// with its mark (guard.md § 3, The record).
func (t *tx) claim(link string, r *refund.Record) (ask.Claim, refund.Record) {
	marked := *r
	if !r.Kind.Judged() {
		return ask.Claim{}, marked
	}
	c := t.d.book.Claim(r)
	if e := c.Entry; e != nil && !e.Arrived && t.d.arrived.has(e.Key()) {
		e.Arrived = true
		t.undo(func() { e.Arrived = false })
	}
	if !r.Training {
		marked.Guard = c.Mark(t.d.o.level(link))
	}
	return c, marked
}

// settleClaim makes a record the one of its ask, if the judge has found that it was not seen
// before. Of a hold that is open it is the end.
func (t *tx) settleClaim(c *ask.Claim, ch *refund.Changes, r *refund.Record) error {
	if c.Entry == nil || ch.CopyOf != 0 {
		return nil
	}
	if r.Training {
		if first, err := t.firstPractice(ch.Seq, r); err != nil || !first {
			return err
		}
	}
	bypassed, undo := t.d.book.Settle(c, ch.Seq, t.d.o.Now())
	t.undo(undo)
	switch {
	case bypassed:
		return t.putEnded(c.Entry)
	case c.Entry.Held != nil:
		return t.putHold(c.Entry)
	}
	return nil
}

// firstPractice reports whether a training record is the first sighting of its event among
// those of its merchant and terminal.
func (t *tx) firstPractice(seq int64, r *refund.Record) (bool, error) {
	at, _ := r.Time()
	p, err := t.d.practice(context.Background(), r, at)
	if err != nil {
		return false, err
	}
	return p.FirstSighting(seq, *r)
}

// undo has what takes a change of the book back called if the transaction fails.
func (t *tx) undo(u ask.Undo) { t.ifFailed = append(t.ifFailed, u) }
