package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestNoOriginal(t *testing.T) {
	run(t, noOriginal{}, []row{
		{"the journal covers it and has it not", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "hit RC-201 high"},
		{"found", found(), "no_hit"},
		{"names none", lost(refund.SearchNoReference, refund.ReasonNoReference), "no_hit"},
		{"several fit", lost(refund.SearchAmbiguous, refund.ReasonAmbiguous), "no_hit"},
		{"may be older than the journal", lost(refund.SearchHistoryGap, refund.ReasonHistoryGap), "cannot_tell history_gap"},
		{"terminal not covered", lost(refund.SearchOtherTerminal, refund.ReasonOtherTerminal), "cannot_tell other_terminal"},
		{"only unusable ones", lost(refund.SearchOriginalUnusable, refund.ReasonOriginalUnusable), "cannot_tell original_unusable"},
	})
}
