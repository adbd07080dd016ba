package judge

import "yuanlu/firmware-sim/wire"

// Gap is a settlement whose totals are not those of the journal.
type Gap struct {
	Seq                int // of the settlement
	Expected, Observed wire.Totals
}

// count compares the totals of a settlement with the journal: verdicts.md § 6. One that was
// seen before counts once: it is neither judged again, nor a new beginning.
func (b *Book) count(s *event) {
	if s.Outcome != "approved" || s.Totals == nil || s.Batch == "" {
		return
	}
	same := func(e *event) bool {
		return e.seq < s.seq && e.MerchantID == s.MerchantID && e.TerminalID == s.TerminalID && e.Batch == s.Batch && e.Outcome == "approved"
	}
	since := 0
	numbers := map[string]bool{}
	for _, p := range b.events {
		if p.Kind == "settlement" && same(p) && !numbers[p.Stan] {
			since = p.seq
			numbers[p.Stan] = p.Stan != ""
		}
	}
	if numbers[s.Stan] {
		return
	}
	var sums wire.Totals
	for _, e := range b.events {
		if e.seq <= since || !same(e) || b.undone[e] {
			continue
		}
		switch {
		case isSale(e.Kind):
			sums.DebitAmount += b.amountOf(e)
			sums.DebitCount++
		case judged(e.Kind):
			if e.Amount == 0 { // not stated: nothing can be compared
				return
			}
			sums.CreditAmount += e.Amount
			sums.CreditCount++
		}
	}
	if sums != *s.Totals {
		b.gaps = append(b.gaps, Gap{s.seq, *s.Totals, sums})
	}
}
