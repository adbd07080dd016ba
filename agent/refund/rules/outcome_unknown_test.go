package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestOutcomeUnknown(t *testing.T) {
	run(t, outcomeUnknown{}, []row{
		{"unknown", found(func(c *refund.Case) { c.Refund.Record.Outcome = refund.Unknown }), "hit RC-604 low"},
		{"pending", found(func(c *refund.Case) { c.Refund.Record.Outcome = refund.Pending }), "hit RC-604 low"},
		{"abnormal", found(func(c *refund.Case) { c.Refund.Record.Outcome = refund.Abnormal }), "no_hit"},
		{"approved", found(func(c *refund.Case) { c.Refund.Record.Outcome = refund.Approved }), "no_hit"},
		{"unknown, no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal, func(c *refund.Case) { c.Refund.Record.Outcome = refund.Unknown }), "hit RC-604 low"},
		{"unknown void", found(void, func(c *refund.Case) { c.Refund.Record.Outcome = refund.Unknown }), "hit RC-604 low"},
	})
}
