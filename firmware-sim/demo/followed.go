package demo

import (
	"fmt"
	"slices"

	"yuanlu/firmware-sim/scenario"
)

// followed is how often each kind of event came about what became of one case.
type followed map[string]int

// followed compares what became of a terminal's cases with what really happened: that the batch
// of the refund was settled after it, that it was reversed, that the sale was refunded again, that
// the payer came back (casework.md § 12). Tallies come once an hour: too late for a demo.
func (r *result) followed(s *station, desk *backOffice) {
	all := s.ledger()
	for i := range all {
		e := &all[i]
		c := desk.cases[keyOf(e)]
		if c == nil || e.Truth == nil || e.Record.Copy != "" || e.Record.Batch == "" {
			continue
		}
		settled, undone := happenedAfter(e, all[i+1:])
		got := desk.followed[c.Data.CaseID]
		for what, want := range map[string]int{"settled": settled, "undone": undone} {
			if got[what] != want {
				r.differ = append(r.differ, fmt.Sprintf("%s case %s of %s: %s came %d times, want %d", s.title(), c.Data.CaseID, keyOf(e), what, got[what], want))
			}
		}
		if got["payer_seen"] > 0 && !cameBack(e, all[i+1:]) {
			r.differ = append(r.differ, fmt.Sprintf("%s case %s of %s: the payer was seen, but did not come back", s.title(), c.Data.CaseID, keyOf(e)))
		}
	}
	r.refundedAfter(s.title(), all, desk)
}

// cameBack reports whether somebody who paid what was refunded pays once more.
func cameBack(e *scenario.Entry, later []scenario.Entry) bool {
	return slices.ContainsFunc(later, func(x scenario.Entry) bool {
		return slices.Contains([]string{"sale", "preauth", "completion"}, x.Record.Kind) && x.Record.Outcome == "approved" && x.Payer == e.Payer
	})
}

// refundedAfter compares the refunds that pay again what was reversed: one that was made right is no case, and must have come
// as a refund_after of one. Without that the back office could not know that the payer has his money.
func (r *result) refundedAfter(title string, all []scenario.Entry, desk *backOffice) {
	undone := map[string]bool{} // sales of which a refund that is a case was reversed
	for i := range all {
		e := &all[i]
		if e.Truth == nil || e.Record.Copy != "" {
			continue
		}
		key, sale := keyOf(e), e.Step.Of
		if desk.cases[key] != nil {
			_, n := happenedAfter(e, all[i+1:])
			undone[sale] = undone[sale] || n > 0
			continue
		}
		if undone[sale] && e.Truth.Label == scenario.Right && e.Truth.FoundBy != "" && e.Record.Outcome == "approved" && !desk.after[key] {
			r.differ = append(r.differ, fmt.Sprintf("%s %s pays again what was reversed, and was not told", title, key))
		}
	}
}

// happenedAfter returns how often the settlement of a refund's batch (once at most) and its
// reversals are to be published.
func happenedAfter(e *scenario.Entry, later []scenario.Entry) (settled, undone int) {
	for i := range later {
		x := &later[i].Record
		if x.Outcome != "approved" || x.TerminalID != e.Record.TerminalID || x.Batch != e.Record.Batch || x.Copy != "" {
			continue
		}
		switch {
		case x.Kind == "settlement":
			settled = 1
		case x.Kind == "reversal" && x.Stan == e.Record.Stan:
			undone++
		}
	}
	return settled, undone
}
