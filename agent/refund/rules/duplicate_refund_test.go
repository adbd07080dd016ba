package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestDuplicateRefund(t *testing.T) {
	run(t, duplicateRefund{}, []row{
		{"too much and the same amount", found(func(c *refund.Case) { c.Money.Counted, c.Money.Repeats = 700, earlier() }), "hit RC-302 high"},
		{"too much by guesses", found(func(c *refund.Case) {
			c.Money.Counted, c.Money.Repeats, c.Money.RoomWithoutGuesses = 700, earlier(), true
		}), "hit RC-302 medium"},
		{"the same amount, but room", found(func(c *refund.Case) { c.Money.Counted, c.Money.Repeats = 350, earlier() }), "no_hit"},
		{"too much, another amount", found(func(c *refund.Case) { c.Money.Counted = 700 }), "no_hit"},
		{"voided original", found(func(c *refund.Case) { c.Money.Counted, c.Money.Repeats, c.Money.VoidedBy = 700, earlier(), earlier() }), "no_hit"},
		{"void", found(void, func(c *refund.Case) { c.Money.Counted, c.Money.This, c.Money.Repeats = 700, 1000, earlier() }), "no_hit"},
		{"other currency", found(func(c *refund.Case) { c.Money.Counted, c.Money.Repeats, c.Money.CurrencyDiffers = 700, earlier(), true }), "cannot_tell the currencies differ"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
