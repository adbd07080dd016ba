package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestLossOpen(t *testing.T) {
	run(t, lossOpen{}, []row{
		{"a wrong one left out", found(func(c *refund.Case) { c.Money.LossOpen = earlier() }), "hit RC-702 medium"},
		{"left out, but with the merchant", found(func(c *refund.Case) { c.Money.LeftOut = []*refund.Event{earlier()} }), "no_hit"},
		{"none", found(), "no_hit"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
