package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestRefundFailed(t *testing.T) {
	run(t, refundFailed{}, []row{
		{"abnormal", found(func(c *refund.Case) { c.Refund.Record.Outcome = refund.Abnormal }), "hit RC-605 medium"},
		{"pending", found(func(c *refund.Case) { c.Refund.Record.Outcome = refund.Pending }), "no_hit"},
		{"approved", found(func(c *refund.Case) { c.Refund.Record.Outcome = refund.Approved }), "no_hit"},
		{"abnormal, no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal, func(c *refund.Case) { c.Refund.Record.Outcome = refund.Abnormal }), "hit RC-605 medium"},
	})
}
