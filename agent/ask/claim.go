package ask

import (
	"slices"
	"time"

	"yuanlu/agent/refund"
)

// Claim is what the guard knows of a record before it is judged.
type Claim struct {
	Entry      *Entry // the ask that it belongs to, nil: none
	NotAsAsked bool
}

// Claim finds the ask to which a sealed record belongs, if this is its first sighting
// (guard.md § 3, The record). It changes nothing; Settle does.
func (b *Book) Claim(r *refund.Record) Claim {
	var c Claim
	if len(b.entries) == 0 || !r.Kind.Judged() || !refund.Usable(r) || r.Outcome == refund.Declined || r.Outcome == refund.Closed {
		return c
	}
	at, ok := r.Time()
	if !ok {
		return c
	}
	best := noBond
	for n := dayOf(at) - 1; n <= dayOf(at)+1; n++ {
		for _, e := range b.free[day{r.MerchantID, r.Training, n}] {
			if at.Sub(e.at).Abs() > farthest || !asAsked(&e.Ask.Record, r) {
				continue
			}
			if by := bondOf(e, r, at); by < best || by == best && by != noBond && c.Entry.place < e.place {
				best, c.Entry = by, e
			}
		}
	}
	if r.Ask != "" {
		e := b.entries[Key{r.MerchantID, r.TerminalID, r.Ask}]
		c.NotAsAsked = e != nil && e != c.Entry && !e.Ask.Look && e.Ask.Record.Training == r.Training &&
			(e.Record != 0 || !asAsked(&e.Ask.Record, r))
	}
	return c
}

// Mark returns what the record keeps of the claim, nil if nothing and the link's level is
// off. released is put before the name of who released from the back office.
func (c *Claim) Mark(level Level) *refund.GuardMark {
	e := c.Entry
	if e == nil && !c.NotAsAsked && (level == Off || level == "") {
		return nil
	}
	m := &refund.GuardMark{Level: string(level), NotAsAsked: c.NotAsAsked}
	if e == nil {
		return m
	}
	m.Ask, m.Action, m.At = e.Ask.ID, string(e.Answer.Action), e.Ask.Record.At
	if h := e.Held; h != nil {
		m.State, m.Reason = string(h.State), h.Reason
		switch {
		case h.State == Released:
			m.Releaser = h.By
		case e.Arrived:
			m.Bypassed = refund.Critical
		default:
			m.Bypassed = refund.Medium
		}
		if h.State == Open {
			m.State = string(Bypassed)
		}
	}
	return m
}

// Settle makes the record seq the one of the claimed ask; a hold that is open is bypassed.
// bypassed: one was.
func (b *Book) Settle(c *Claim, seq int64, now time.Time) (bypassed bool, undo Undo) {
	e := c.Entry
	if e == nil {
		return false, nothing
	}
	r := &e.Ask.Record
	at := day{r.MerchantID, r.Training, dayOf(e.at)}
	place := slices.Clone(b.free[at])
	e.Record = seq
	remove(b.free, at, e)
	undo = func() { e.Record = 0; b.free[at] = place }
	if e.Held == nil {
		return false, undo
	}
	e.Held.Record = seq
	undo = undo.then(func() { e.Held.Record = 0 })
	if e.Held.State != Open {
		return false, undo
	}
	return true, undo.then(b.End(e, Ending{State: Bypassed, At: now}))
}
