package rules

import "yuanlu/agent/refund"

// reissueObserved is RC-702: after a wrong refund of a sale, one to who paid.
type reissueObserved struct{}

var observedTexts = []refund.Text{
	{EN: "A corrected refund {refund_no} of {amt} went to the payer {payer} at {time}, after {earlier_no} had gone to somebody else.",
		ZH: "已于 {time} 向原付款人 {payer} 重新退款 {refund_no}（{amt}），此前 {earlier_no} 退给了他人。"},
}

func (reissueObserved) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeReissueObserved, Numbers: []string{"RC-702"}, Version: 1,
		Severity:   severities(refund.Info),
		Inputs:     "recipients and outcomes of the refunds before this one",
		CannotTell: "there is no original",
		Templates:  observedTexts,
	}
}

func (reissueObserved) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case !c.IsRefund() || c.Money.EarlierDifferent == nil || !c.Recipient.Match():
		return refund.Result{}
	}
	return refund.Speak("RC-702", refund.Info, refund.Fill(observedTexts[0], c.Standard(
		refund.Put("time", c.Refund.Record.At),
		refund.Put("earlier_no", c.Money.EarlierDifferent.Number()))...))
}
