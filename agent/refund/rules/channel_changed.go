package rules

import "yuanlu/agent/refund"

// channelChanged is RC-105: the money does not go back the way it came.
type channelChanged struct{}

var channelTexts = []refund.Text{
	{EN: "Sale {orig_no} was paid by {orig_tender}; refund {refund_no} of {amt} is paid out by {refund_tender}. The money does not go back the way it came.",
		ZH: "原交易 {orig_no} 用{orig_tender}支付，退款 {refund_no}（{amt}）却用{refund_tender}退出，没有原路退回。"},
}

func (channelChanged) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeChannelChanged, Numbers: []string{"RC-105"}, Version: 1,
		Severity:   severities(refund.High),
		Inputs:     "channels of refund and original, identifiers of both parties",
		CannotTell: "a channel is unknown",
		Templates:  channelTexts,
	}
}

func (channelChanged) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case c.Basis == refund.BasisChannelChanged:
		return refund.Speak("RC-105", refund.High, refund.Fill(channelTexts[0], c.Standard(
			refund.PutText("orig_tender", refund.ChannelText(c.Original.Record.Channel)),
			refund.PutText("refund_tender", refund.ChannelText(c.Refund.Record.Channel)))...)).Unless(refund.Text{
			EN: "If both sides had an identifier or PAR that proves one account, it would not be said.",
			ZH: "若双方有能证明同一账户的标识或 PAR，则不提示。",
		})
	case !known(c.Original.Record.Channel) || !known(c.Refund.Record.Channel):
		return refund.Silent("channel unknown")
	}
	return refund.Result{}
}

func known(c refund.Channel) bool { return c != "" && c != refund.ChannelUnknown }
