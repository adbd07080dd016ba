package rules

import "yuanlu/agent/refund"

// outOfWindow is RC-207: the channel no longer takes refunds of a sale this old.
type outOfWindow struct{}

var windowTexts = []refund.Text{
	{EN: "Sale {orig_no} is {age} days old; {brand} accepts refunds up to {limit} days.",
		ZH: "原交易 {orig_no} 已过 {age} 天，{brand}的退款期限为 {limit} 天。"},
}

func (outOfWindow) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeOutOfWindow, Numbers: []string{"RC-207"}, Version: 1,
		Severity:   severities(refund.Medium),
		Inputs:     "local dates of original and refund, the channel's window (settings)",
		CannotTell: "there is no original",
		Templates:  windowTexts,
	}
}

func (outOfWindow) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case !c.IsRefund() || c.Money.Days <= c.Money.Window:
		return refund.Result{}
	}
	channel := c.Original.Record.Channel
	if !known(channel) {
		channel = c.Refund.Record.Channel
	}
	return refund.Speak("RC-207", refund.Medium, refund.Fill(windowTexts[0], c.Standard(
		refund.PutInt("age", c.Money.Days), refund.PutInt("limit", c.Money.Window),
		refund.PutText("brand", refund.ChannelText(channel)))...))
}
