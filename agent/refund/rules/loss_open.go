package rules

import "yuanlu/agent/refund"

// lossOpen is RC-702 seen from the merchant: the payer gets the money now, but what
// went to somebody else before is still gone.
type lossOpen struct{}

var lossTexts = []refund.Text{
	{EN: "Refund {refund_no} of {amt} goes to the payer of sale {orig_no}, but {earlier_no} ({earlier_amt}) went to somebody else and has not come back.",
		ZH: "退款 {refund_no}（{amt}）退给了原交易 {orig_no} 的付款人，但此前 {earlier_no}（{earlier_amt}）退给了他人，尚未追回。"},
}

func (lossOpen) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeLossOpen, Numbers: []string{"RC-702"}, Version: 1,
		Severity:   severities(refund.Medium),
		Inputs:     "recipients and outcomes of the refunds before this one",
		CannotTell: "there is no original",
		Templates:  lossTexts,
	}
}

func (lossOpen) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case !c.IsRefund() || c.Money.LossOpen == nil:
		return refund.Result{}
	}
	return refund.Speak("RC-702", refund.Medium, refund.Fill(lossTexts[0], c.Standard(
		refund.Put("earlier_no", c.Money.LossOpen.Number()),
		refund.PutText("earlier_amt", c.Money.LossOpen.AmountText()))...)).Unless(refund.Text{
		EN: "If the wrong refund were reversed, voided or closed, it would not be said.",
		ZH: "若错误的退款被冲正、撤销或关闭，则不提示。",
	})
}
