package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestRecipientUnverifiable(t *testing.T) {
	run(t, recipientUnverifiable{}, []row{
		{"not comparable", found(based(refund.BasisNotComparable, refund.Unverifiable, refund.ReasonNamespace)), "hit RC-104 medium"},
		{"cash", found(based(refund.BasisCash, refund.Unverifiable, refund.ReasonCash)), "hit RC-104 info"},
		{"original unusable", lost(refund.SearchOriginalUnusable, refund.ReasonOriginalUnusable), "hit RC-104 medium"},
		{"other terminal", lost(refund.SearchOtherTerminal, refund.ReasonOtherTerminal), "hit RC-104 medium"},
		{"history gap", lost(refund.SearchHistoryGap, refund.ReasonHistoryGap), "hit RC-104 medium"},
		{"history gap, merchant account", lost(refund.SearchHistoryGap, "", based(refund.BasisMerchantAccount, refund.Different, "")), "hit RC-104 medium"},
		{"no original is said by its own rule", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "no_hit"},
		{"no reference is said by its own rule", lost(refund.SearchNoReference, refund.ReasonNoReference), "no_hit"},
		{"ambiguous is said by its own rule", lost(refund.SearchAmbiguous, refund.ReasonAmbiguous), "no_hit"},
		{"the same", found(), "no_hit"},
	})
}
