package rules

import "yuanlu/agent/refund"

// reissueWrongAgain is RC-703: after one wrong refund of a sale, another one.
type reissueWrongAgain struct{}

var againTexts = []refund.Text{
	{EN: "Refund {refund_no} of {amt} again goes to {recipient}, not to the payer {payer} of sale {orig_no}; {earlier_no} already went to somebody else.",
		ZH: "退款 {refund_no}（{amt}）的收款方仍是 {recipient}，不是原交易 {orig_no} 的付款人 {payer}；此前 {earlier_no} 已退给他人。"},
}

func (reissueWrongAgain) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeReissueWrongAgain, Numbers: []string{"RC-703"}, Version: 1,
		Severity:   severities(refund.Critical),
		Inputs:     "recipients and outcomes of the refunds before this one",
		CannotTell: "there is no original",
		Templates:  againTexts,
	}
}

func (reissueWrongAgain) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case !c.IsRefund() || c.Money.EarlierDifferent == nil || c.Recipient != refund.Different:
		return refund.Result{}
	}
	return refund.Speak("RC-703", refund.Critical, refund.Fill(againTexts[0], c.Standard(
		refund.Put("earlier_no", c.Money.EarlierDifferent.Number()))...))
}
