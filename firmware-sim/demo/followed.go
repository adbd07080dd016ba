package demo

import (
	"fmt"

	"yuanlu/firmware-sim/scenario"
)

// followed is how often each kind of event came about what became of one case.
type followed map[string]int

// followed compares what became of a terminal's cases with what really happened: that the batch
// of the refund was settled after it, and that it was reversed (casework.md § 12).
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
