package houserules

import (
	"testing"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/codes"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

// TestEveryCodeHasAName: what stands in brackets behind a name has one, in both languages.
func TestEveryCodeHasAName(t *testing.T) {
	var all []string
	for _, c := range codes.All() {
		all = append(all, c.Code)
	}
	for _, r := range rules.All() {
		all = append(all, r.Info().Code)
	}
	for _, kind := range []refund.Kind{refund.KindSale, refund.KindRefund, refund.KindVoid, refund.KindReversal, refund.KindPreauth, refund.KindPreauthVoid,
		refund.KindCompletion, refund.KindCompletionVoid, refund.KindAdjust, refund.KindVoidRefund, refund.KindSettlement, refund.KindJournal} {
		all = append(all, string(kind))
	}
	for _, code := range all {
		if !catalogue.Named(code) {
			t.Errorf("%s has no name in agent/catalogue/chinese.txt: a line %q", code, code+" = English → Chinese")
		}
	}
}
