package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestUnreferencedRefund(t *testing.T) {
	run(t, unreferencedRefund{}, []row{
		{"names none", lost(refund.SearchNoReference, refund.ReasonNoReference), "hit RC-405 high"},
		{"names none, found by its payer", found(func(c *refund.Case) { c.Search.FoundBy = refund.FoundByParty }), "hit RC-405 medium"},
		{"found by its payer, then doubted", lost(refund.SearchAmbiguous, refund.ReasonAmbiguous, func(c *refund.Case) { c.Search.FoundBy = refund.FoundByParty }), "hit RC-405 medium"},
		{"names one", found(), "no_hit"},
		{"names one that is not there", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "no_hit"},
	})
}
