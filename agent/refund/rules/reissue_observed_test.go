package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestReissueObserved(t *testing.T) {
	run(t, reissueObserved{}, []row{
		{"right now", found(func(c *refund.Case) { c.Money.EarlierDifferent = earlier() }), "hit RC-702 info"},
		{"equivalent now", found(compared(refund.Equivalent, refund.Strong, "", 0), func(c *refund.Case) { c.Money.EarlierDifferent = earlier() }), "hit RC-702 info"},
		{"none before", found(), "no_hit"},
		{"different again", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical), func(c *refund.Case) { c.Money.EarlierDifferent = earlier() }), "no_hit"},
		{"doubtful now", found(based(refund.BasisOtherAccount, refund.Doubtful, ""), func(c *refund.Case) { c.Money.EarlierDifferent = earlier() }), "no_hit"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
