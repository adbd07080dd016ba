package rules

import "yuanlu/agent/refund"

// unreferencedRefund is RC-405 for a refund that names no sale. If its recipient
// paid for one, the money is right and only the paper is not.
type unreferencedRefund struct{}

var unreferencedTexts = []refund.Text{
	{EN: "Refund {refund_no} of {amt} was made without a reference to a sale, and its recipient {recipient} paid for none that fits.",
		ZH: "退款 {refund_no}（{amt}）未关联原交易，且收款方 {recipient} 没有相符的付款。"},
	{EN: "Refund {refund_no} of {amt} was made without a reference to a sale; its recipient {recipient} paid for sale {orig_no}, which was taken as its original.",
		ZH: "退款 {refund_no}（{amt}）未关联原交易；收款方 {recipient} 是交易 {orig_no} 的付款方，按该交易处理。"},
	{EN: "Refund {refund_no} of {amt} was made without a reference to a sale; its recipient {recipient} paid for several that fit, and none was taken as its original.",
		ZH: "退款 {refund_no}（{amt}）未关联原交易；收款方 {recipient} 有多笔相符的付款，未按其中任何一笔处理。"},
}

func (unreferencedRefund) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeUnreferencedRefund, Numbers: []string{"RC-405"}, Version: 1,
		Severity:  severities(refund.High, refund.Medium),
		Inputs:    "original of the refund, sales paid by its recipient",
		Templates: unreferencedTexts,
	}
}

func (unreferencedRefund) Check(c *refund.Case) refund.Result {
	would := refund.Text{
		EN: "If the refund named its sale, it would be compared with that one.",
		ZH: "若退款注明原交易，将与其比对。",
	}
	switch {
	case c.Search.Result == refund.SearchNoReference:
		return refund.Speak("RC-405", refund.High, refund.Fill(unreferencedTexts[0], c.Standard()...)).Unless(would)
	case c.Search.FoundBy == refund.FoundByParty:
		text := unreferencedTexts[1]
		if c.Original == nil {
			text = unreferencedTexts[2]
		}
		return refund.Speak("RC-405", refund.Medium, refund.Fill(text, c.Standard()...)).Unless(would)
	}
	return refund.Result{}
}
