package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestOutOfWindow(t *testing.T) {
	run(t, outOfWindow{}, []row{
		{"a day too late", found(func(c *refund.Case) { c.Money.Days = 181 }), "hit RC-207 medium"},
		{"the last day", found(func(c *refund.Case) { c.Money.Days = 180 }), "no_hit"},
		{"before its sale", found(func(c *refund.Case) { c.Money.Days = -400 }), "no_hit"},
		{"void", found(void, func(c *refund.Case) { c.Money.Days = 181 }), "no_hit"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
