package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestCurrencyMismatch(t *testing.T) {
	run(t, currencyMismatch{}, []row{
		{"both stated and different", found(func(c *refund.Case) { c.Money.CurrencyDiffers, c.Refund.Record.Currency = true, "HKD" }), "hit RC-303 high"},
		{"equal", found(), "no_hit"},
		{"not stated", found(func(c *refund.Case) { c.Refund.Record.Currency = "" }), "cannot_tell currency not stated"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
