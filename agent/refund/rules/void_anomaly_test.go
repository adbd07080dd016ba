package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestVoidAnomaly(t *testing.T) {
	run(t, voidAnomaly{}, []row{
		{"another amount", found(void, func(c *refund.Case) { c.Refund.Record.Amount = 999 }), "hit RC-205 medium"},
		{"no amount", found(void, func(c *refund.Case) { c.Refund.Record.Amount, c.Refund.Record.HasAmount = 0, false }), "no_hit"},
		{"another batch", found(void, func(c *refund.Case) { c.Refund.Record.Batch = "000008" }), "hit RC-205 medium"},
		{"no batch", found(void, func(c *refund.Case) { c.Refund.Record.Batch = "" }), "no_hit"},
		{"the adjusted amount", found(void, func(c *refund.Case) { c.Refund.Record.Amount, c.Money.Amount = 1200, 1200 }), "no_hit"},
		{"whole, same batch", found(void), "no_hit"},
		{"refund of a part", found(), "no_hit"},
		{"void without an original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal, void), "cannot_tell no original"},
	})
}
