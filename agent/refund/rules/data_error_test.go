package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestDataError(t *testing.T) {
	run(t, dataError{}, []row{
		{"unusable", lost(0, refund.ReasonDataError, func(c *refund.Case) { c.Flaw = "amount is not positive" }), "hit medium"},
		{"no such date", found(func(c *refund.Case) { c.Search.DateFlaw, c.Refund.Record.Original.Date = true, "0231" }), "hit medium"},
		{"usable", found(), "no_hit"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "no_hit"},
		{"no amount", found(func(c *refund.Case) { c.Flaw = refund.FlawNoAmount }), "hit medium"},
	})
}
