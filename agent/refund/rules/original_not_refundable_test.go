package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestOriginalNotRefundable(t *testing.T) {
	run(t, originalNotRefundable{}, []row{
		{"declined", found(func(c *refund.Case) { c.Original.Record.Outcome = refund.Declined }), "hit RC-205 high"},
		{"closed", found(func(c *refund.Case) { c.Original.Record.Outcome = refund.Closed }), "hit RC-205 high"},
		{"unknown", found(func(c *refund.Case) { c.Original.Record.Outcome = refund.Unknown }), "hit RC-205 medium"},
		{"pending", found(func(c *refund.Case) { c.Original.Record.Outcome = refund.Pending }), "hit RC-205 medium"},
		{"abnormal", found(func(c *refund.Case) { c.Original.Record.Outcome = refund.Abnormal }), "hit RC-205 medium"},
		{"approved", found(func(c *refund.Case) { c.Original.Record.Outcome = refund.Approved }), "no_hit"},
		{"declined, void", found(void, func(c *refund.Case) { c.Original.Record.Outcome = refund.Declined }), "hit RC-205 high"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
