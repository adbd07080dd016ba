package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestPlatformRerouted(t *testing.T) {
	run(t, platformRerouted{}, []row{
		{"another account", found(based(refund.BasisOtherAccount, refund.Doubtful, "")), "hit RC-106 medium"},
		{"another account, no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal, func(c *refund.Case) { c.Basis = refund.BasisOtherAccount }), "hit RC-106 medium"},
		{"balance", found(based(refund.BasisBalance, refund.Same, "")), "hit RC-106 info"},
		{"balance, but identifiers compared", found(func(c *refund.Case) { c.Refund.Record.RefundRoute = refund.RouteBalance }), "no_hit"},
		{"original account", found(func(c *refund.Case) { c.Refund.Record.RefundRoute = refund.RouteOriginal }), "no_hit"},
		{"nothing said", found(), "cannot_tell no refund_route"},
	})
}
