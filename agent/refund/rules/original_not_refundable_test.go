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
		{"cancel of a closed order", found(void, func(c *refund.Case) {
			c.Refund.Record.Channel, c.Original.Record.Outcome = refund.ChannelAlipay, refund.Closed
		}), "no_hit"},
		{"cancel whose channel is unknown", found(void, func(c *refund.Case) {
			c.Refund.Record.Channel, c.Original.Record.Channel, c.Original.Record.Outcome = "", refund.ChannelWeChat, refund.Pending
		}), "no_hit"},
		{"void by JD", found(void, func(c *refund.Case) {
			c.Refund.Record.Channel, c.Original.Record.Outcome = refund.ChannelJD, refund.Closed
		}), "hit RC-205 high"},
		{"refund by Alipay", found(func(c *refund.Case) {
			c.Refund.Record.Channel, c.Original.Record.Outcome = refund.ChannelAlipay, refund.Closed
		}), "hit RC-205 high"},
	})
}
