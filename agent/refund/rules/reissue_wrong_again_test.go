package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestReissueWrongAgain(t *testing.T) {
	run(t, reissueWrongAgain{}, []row{
		{"different again", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical), func(c *refund.Case) { c.Money.EarlierDifferent = earlier() }), "hit RC-703 critical"},
		{"different for the first time", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical)), "no_hit"},
		{"right now", found(func(c *refund.Case) { c.Money.EarlierDifferent = earlier() }), "no_hit"},
		{"void", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical), func(c *refund.Case) { c.Money.EarlierDifferent = earlier() }, void), "no_hit"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
