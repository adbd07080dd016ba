package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestRecipientWeakMatch(t *testing.T) {
	run(t, recipientWeakMatch{}, []row{
		{"masks agree", found(compared(refund.Same, refund.Weak, refund.CodeRecipientWeakMatch, refund.Low), func(c *refund.Case) { c.Compared.Digits = 10 }), "hit RC-103 low"},
		{"logons agree", found(compared(refund.Same, refund.Weak, refund.CodeRecipientWeakMatch, refund.Low)), "hit RC-103 low"},
		{"strongly the same", found(), "no_hit"},
		{"masks differ", found(compared(refund.Different, refund.Weak, refund.CodeRecipientMismatch, refund.High)), "no_hit"},
		{"too few digits", found(based(refund.BasisNotComparable, refund.Unverifiable, refund.ReasonMask)), "cannot_tell mask"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
