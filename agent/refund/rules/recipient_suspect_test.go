package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestRecipientSuspect(t *testing.T) {
	run(t, recipientSuspect{}, []row{
		{"tokens that are re-issued", found(compared(refund.Doubtful, "", refund.CodeRecipientSuspect, refund.Medium)), "hit RC-102 medium"},
		{"logons masked elsewhere", found(compared(refund.Doubtful, refund.Weak, refund.CodeRecipientSuspect, refund.Medium)), "hit RC-102 medium"},
		{"doubtful by its route", found(based(refund.BasisOtherAccount, refund.Doubtful, "")), "no_hit"},
		{"different", found(compared(refund.Different, refund.Weak, refund.CodeRecipientMismatch, refund.High)), "no_hit"},
		{"not comparable", found(based(refund.BasisNotComparable, refund.Unverifiable, refund.ReasonNamespace)), "cannot_tell namespace"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
