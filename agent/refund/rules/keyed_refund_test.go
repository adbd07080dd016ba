package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestKeyedRefund(t *testing.T) {
	run(t, keyedRefund{}, []row{
		{"different", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical), func(c *refund.Case) { c.Refund.Record.Entry = refund.EntryKeyed }), "hit RC-405 high"},
		{"doubtful", found(compared(refund.Doubtful, "", refund.CodeRecipientSuspect, refund.Medium), func(c *refund.Case) { c.Refund.Record.Entry = refund.EntryKeyed }), "hit RC-405 high"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal, func(c *refund.Case) { c.Refund.Record.Entry = refund.EntryKeyed }), "hit RC-405 high"},
		{"weakly the same", found(compared(refund.Same, refund.Weak, refund.CodeRecipientWeakMatch, refund.Low), func(c *refund.Case) { c.Refund.Record.Entry = refund.EntryKeyed }), "hit RC-405 medium"},
		{"strongly the same", found(func(c *refund.Case) { c.Refund.Record.Entry = refund.EntryKeyed }), "no_hit"},
		{"different, swiped", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical)), "no_hit"},
		{"void", found(compared(refund.Different, refund.Strong, refund.CodeRecipientMismatch, refund.Critical), func(c *refund.Case) { c.Refund.Record.Entry = refund.EntryKeyed }, void), "no_hit"},
	})
}
