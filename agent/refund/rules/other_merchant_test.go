package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestOtherMerchant(t *testing.T) {
	run(t, otherMerchant{}, []row{
		{"another merchant", found(func(c *refund.Case) { c.Search.OtherMerchant, c.Original.Record.MerchantID = true, "M2" }), "hit RC-206 high"},
		{"the same", found(), "no_hit"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
