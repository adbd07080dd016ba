package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestOverRefund(t *testing.T) {
	run(t, overRefund{}, []row{
		{"one fen too much", found(func(c *refund.Case) { c.Money.Counted = 651 }), "hit RC-301 critical"},
		{"to the fen", found(func(c *refund.Case) { c.Money.Counted = 650 }), "no_hit"},
		{"too much, but it repeats one", found(func(c *refund.Case) { c.Money.Counted, c.Money.Repeats = 700, earlier() }), "no_hit"},
		{"undone original", found(func(c *refund.Case) { c.Original.UndoneBy = 9 }), "hit RC-301 critical"},
		{"voided original, repeats", found(func(c *refund.Case) { c.Money.VoidedBy, c.Money.Repeats = earlier(), earlier() }), "hit RC-301 critical"},
		{"void after a refund", found(void, func(c *refund.Case) { c.Money.RefundedBy = earlier() }), "hit RC-301 critical"},
		{"void after a void", found(void, func(c *refund.Case) { c.Money.VoidedBy = earlier() }), "hit RC-301 critical"},
		{"void of more than the sale", found(void, func(c *refund.Case) { c.Money.This = 5000 }), "no_hit"},
		{"too much, by guesses", found(func(c *refund.Case) { c.Money.Counted, c.Money.RoomWithoutGuesses = 651, true }), "hit RC-301 medium"},
		{"a guess itself", found(func(c *refund.Case) {
			c.Money.Counted, c.Money.RoomWithoutGuesses, c.Search.FoundBy = 651, true, refund.FoundByParty
		}), "hit RC-301 critical"},
		{"voided by a guess", found(func(c *refund.Case) { c.Money.VoidedBy, c.Money.VoidedByGuess = earlier(), true }), "hit RC-301 medium"},
		{"void after a guess", found(void, func(c *refund.Case) { c.Money.RefundedBy, c.Money.RefundedByGuess = earlier(), true }), "hit RC-301 medium"},
		{"void after a guess and a void", found(void, func(c *refund.Case) {
			c.Money.RefundedBy, c.Money.RefundedByGuess, c.Money.VoidedBy = earlier(), true, earlier()
		}), "hit RC-301 critical"},
		{"void after a refund and a void by a guess", found(void, func(c *refund.Case) {
			c.Money.RefundedBy, c.Money.VoidedBy, c.Money.VoidedByGuess = earlier(), earlier(), true
		}), "hit RC-301 critical"},
		{"original declined", found(func(c *refund.Case) { c.Money.Counted, c.Original.Record.Outcome = 900, refund.Declined }), "cannot_tell the original took no money"},
		{"other currency", found(func(c *refund.Case) { c.Money.Counted, c.Money.CurrencyDiffers = 900, true }), "cannot_tell the currencies differ"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
