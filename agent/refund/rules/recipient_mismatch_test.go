package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestRecipientMismatch(t *testing.T) {
	run(t, recipientMismatch{}, []row{
		{"strong", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical)), "hit RC-101 critical"},
		{"weak", found(compared(refund.Different, refund.Weak, refund.CodeRecipientMismatch, refund.High)), "hit RC-102 high"},
		{"channel changed, both named", found(based(refund.BasisChannelChanged, refund.Different, "")), "hit RC-101 critical"},
		{"channel changed, one not named", found(based(refund.BasisChannelChanged, refund.Different, ""), func(c *refund.Case) { c.Compared.PayerHas = false }), "no_hit"},
		{"different from all that fit", lost(refund.SearchDifferentFromAll, ""), "hit RC-101 critical"},
		{"the same", found(), "no_hit"},
		{"only doubtful", found(compared(refund.Doubtful, "", refund.CodeRecipientSuspect, refund.Medium)), "no_hit"},
		{"merchant account", found(based(refund.BasisMerchantAccount, refund.Different, "")), "no_hit"},
		{"not comparable", found(based(refund.BasisNotComparable, refund.Unverifiable, refund.ReasonToken)), "cannot_tell token"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
