package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestChannelChanged(t *testing.T) {
	run(t, channelChanged{}, []row{
		{"changed", found(based(refund.BasisChannelChanged, refund.Different, "")), "hit RC-105 high"},
		{"the same", found(), "no_hit"},
		{"changed, but strongly the same", found(func(c *refund.Case) { c.Refund.Record.Channel = refund.ChannelUnionPayQR }), "no_hit"},
		{"unknown", found(func(c *refund.Case) { c.Refund.Record.Channel = refund.ChannelUnknown }), "cannot_tell channel unknown"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
