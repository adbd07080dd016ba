package refund

import (
	"cmp"
	"fmt"
	"slices"
)

// mostCandidates is how many sales an answer names (guard.md § 2).
const mostCandidates = 3

// Foreseen is what the judge finds about a refund that is about to be made (guard.md § 2).
type Foreseen struct {
	Verdict Verdict // as of the record that would come next; its Rev is 0
	// AlreadyMade is the last refund or void before it with its own refund_no, nil if none.
	AlreadyMade *Event
	// Presented is the comparison of what the customer has shown with the original's payer;
	// zero where either is missing.
	Presented Comparison
	// PresentedFlaw is what is impossible about the card that the customer has shown, "" if
	// nothing.
	PresentedFlaw string
	OriginalNo    string // what people know the original by, "" without one
	Remaining     *int64 // in the sum's measure, minor units; nil: no sum is made
	Candidates    []Candidate
}

// PresentedDiffers reports whether the original was paid by somebody else than who shows
// himself (guard.md § 2).
func (f *Foreseen) PresentedDiffers() bool {
	return f.Presented.Recipient == Different || f.Presented.Recipient == Doubtful
}

// Foresee judges a sealed ask that stands in the place seq of the journal: its record would
// be the last one, and is never a copy. It reads h and changes nothing; the only errors are
// those of h.
func (j *Judge) Foresee(h History, seq int64, a *Ask) (Foreseen, error) {
	f, err := j.foresee(h, seq, a)
	if err != nil {
		return Foreseen{}, fmt.Errorf("judging the ask in place %d: %w", seq, err)
	}
	return f, nil
}

func (j *Judge) foresee(h History, seq int64, a *Ask) (Foreseen, error) {
	var f Foreseen
	w, err := j.begin(h, seq)
	if err != nil {
		return f, err
	}
	e := &Event{Seq: seq, Record: a.Record}
	r := &e.Record
	r.Training = false
	spoilt := unusable(r) != ""
	if !spoilt {
		w.extend(r)
	}
	known, err := w.arrive(arrivalKeys(r, spoilt))
	if err != nil {
		return f, err
	}
	if !spoilt {
		f.AlreadyMade = w.passOver(e, known)
	}
	w.put(e)
	c, err := w.study(e)
	if err != nil {
		return f, err
	}
	f.Verdict = j.conclude(c).Verdict
	if spoilt {
		return f, nil
	}
	f.Remaining = c.remaining()
	if c.Original != nil {
		f.OriginalNo = c.Original.Number()
	}
	return f, w.present(&f, c, a.Presented)
}

// passOver leaves the refunds and voids that were made under the ask's own number out of
// everything that follows, and returns the last of them (guard.md § 2).
func (w *work) passOver(ask *Event, known []*Event) *Event {
	var last *Event
	r := &ask.Record
	for _, e := range known {
		o := &e.Record
		if r.RefundNo == "" || o.RefundNo != r.RefundNo || o.Kind != r.Kind || o.MerchantID != r.MerchantID || o.Training ||
			noMoneyMoved(o.Outcome) || e.UndoneBy != 0 || channelKnown(o.Channel) && channelKnown(r.Channel) && o.Channel != r.Channel {
			continue
		}
		if w.passed == nil {
			w.passed = map[int64]bool{}
		}
		w.passed[e.Seq], last = true, e
	}
	return last
}

// remaining returns what may still be refunded of the original; nil: no sum is made
// (verdicts.md § 3).
func (c *Case) remaining() *int64 {
	m := &c.Money
	if !c.IsRefund() || c.Original == nil || c.Original.UndoneBy != 0 || noMoneyMoved(c.Original.Record.Outcome) ||
		m.VoidedBy != nil || m.CurrencyDiffers {
		return nil
	}
	left := max(0, m.Base-m.Counted)
	return &left
}

// present looks at what the customer has shown, and for the sales that may be meant.
func (w *work) present(f *Foreseen, c *Case, presented *Party) error {
	if presented != nil && presented.Flaw != "" {
		f.PresentedFlaw, presented = presented.Flaw, nil
	}
	if !presented.HasIdentifier() {
		presented = nil
	}
	if presented != nil && c.Original != nil {
		f.Presented = Compare(c.Original.Record.Party, presented)
	}
	if c.Original != nil && !f.PresentedDiffers() {
		return nil
	}
	who := presented
	if who == nil {
		who = c.Refund.Record.Party
	}
	var err error
	f.Candidates, err = w.candidates(c.Refund, who)
	return err
}

// candidates returns the latest sales that this party has paid and that the refund would
// fit, if it went to their payer.
func (w *work) candidates(r *Event, who *Party) ([]Candidate, error) {
	tokens := who.AllTokens()
	if len(tokens) == 0 {
		return nil, nil
	}
	sales, err := w.payers(tokens)
	if err != nil {
		return nil, err
	}
	s := &search{w: w, r: r}
	s.take(sales)
	slices.SortFunc(s.all, func(a, b *candidate) int {
		if c := b.at.Compare(a.at); c != 0 {
			return c
		}
		return cmp.Compare(b.Seq, a.Seq)
	})
	var found []Candidate
	for _, c := range s.all {
		if !c.own || c.unusable || !strongMatch(Compare(c.Record.Party, who)) {
			continue
		}
		if ok, err := s.effective(c); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		to := *r
		to.Record.Party = c.Record.Party
		supposed, err := w.suppose(&to, c.Event)
		if err != nil {
			return nil, err
		}
		if supposed.faulty() {
			continue
		}
		o := &c.Record
		one := Candidate{Seq: c.Seq, At: o.At, Amount: supposed.Money.Amount, Remaining: supposed.remaining(), Channel: o.Channel, OrderNo: o.OrderNo, RRN: o.RRN}
		if one.Channel == "" {
			one.Channel = ChannelUnknown
		}
		if found = append(found, one); len(found) == mostCandidates {
			break
		}
	}
	return found, nil
}
