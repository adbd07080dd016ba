package rules

import "yuanlu/agent/refund"

// duplicateRefund is RC-302: more goes back than was paid, and an earlier refund of
// the same amount suggests that it was made twice.
type duplicateRefund struct{}

var duplicateTexts = []refund.Text{
	{EN: "Refund {refund_no} repeats {earlier_no} ({earlier_amt}, {status}) on sale {orig_no}: together {total} of {orig_amt} paid. Retry with the same number instead of a new one.",
		ZH: "退款 {refund_no} 与 {earlier_no}（{earlier_amt}，{status}）重复，原交易 {orig_no}：合计 {total}，实付 {orig_amt}。请用原退款单号重试，不要新建。"},
}

func (duplicateRefund) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeDuplicateRefund, Numbers: []string{"RC-302"}, Version: 2,
		Severity:   severities(refund.High, refund.Medium),
		Inputs:     "as over_refund",
		CannotTell: "there is no original, it never took money, or the currencies differ",
		Templates:  duplicateTexts,
	}
}

func (duplicateRefund) Check(c *refund.Case) refund.Result {
	if why := sumsForbidden(c); why != "" {
		return refund.Silent(why)
	}
	m := &c.Money
	excess, byGuess := c.Excess()
	if excess != refund.ExcessRepeat {
		return refund.Result{}
	}
	text := refund.Fill(duplicateTexts[0], c.Standard(
		refund.Put("earlier_no", m.Repeats.Number()),
		refund.PutText("earlier_amt", m.Repeats.AmountText()),
		refund.PutText("status", refund.OutcomeText(m.Repeats.Record.Outcome)),
		refund.Put("total", refund.AmountText(m.Counted+m.This, c.Currency())),
		refund.Put("orig_amt", refund.AmountText(m.Base, c.Currency())))...)
	if byGuess {
		return refund.Speak("RC-302", refund.Medium, restsOnGuess(text)).Unless(ifNoGuess)
	}
	return refund.Speak("RC-302", refund.High, text).Unless(refund.Text{
		EN: "If the earlier refund turned out to have failed, it would not be said.",
		ZH: "若前一笔退款最终失败，则不提示。",
	})
}
