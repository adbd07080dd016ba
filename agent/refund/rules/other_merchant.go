package rules

import "yuanlu/agent/refund"

// otherMerchant is RC-206: the only sale that fits was taken by another merchant.
type otherMerchant struct{}

var merchantTexts = []refund.Text{
	{EN: "Sale {orig_no} was taken by merchant {orig_place}; refund {refund_no} of {amt} is made by merchant {refund_place}.",
		ZH: "原交易 {orig_no} 发生在商户 {orig_place}，退款 {refund_no}（{amt}）在商户 {refund_place} 办理。"},
}

func (otherMerchant) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeOtherMerchant, Numbers: []string{"RC-206"}, Version: 1,
		Severity:   severities(refund.High),
		Inputs:     "merchants of original and refund",
		CannotTell: "there is no original",
		Templates:  merchantTexts,
	}
}

func (otherMerchant) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case !c.Search.OtherMerchant:
		return refund.Result{}
	}
	return refund.Speak("RC-206", refund.High, refund.Fill(merchantTexts[0], c.Standard(
		refund.Put("orig_place", c.Original.Record.MerchantID),
		refund.Put("refund_place", c.Refund.Record.MerchantID))...))
}
