package rules

import "yuanlu/agent/refund"

// originalNotRefundable is RC-205: the sale never took money, or that is not known yet.
type originalNotRefundable struct{}

var notRefundableTexts = []refund.Text{
	{EN: "Sale {orig_no} is {state}: there is nothing to give back, but refund {refund_no} of {amt} was made.",
		ZH: "原交易 {orig_no} 状态为{state}，没有可退款项，却发生了退款 {refund_no}（{amt}）。"},
	{EN: "Sale {orig_no} is {state}: nobody knows yet whether there is anything to give back by refund {refund_no} of {amt}.",
		ZH: "原交易 {orig_no} 状态为{state}，退款 {refund_no}（{amt}）是否有款可退尚不确定。"},
}

func (originalNotRefundable) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeOriginalNotRefundable, Numbers: []string{"RC-205"}, Version: 2,
		Severity:   severities(refund.High, refund.Medium),
		Inputs:     "outcome of the original; of a void its channel",
		CannotTell: "there is no original",
		Templates:  notRefundableTexts,
	}
}

func (originalNotRefundable) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case c.IsCancel():
		return refund.Result{}
	}
	outcome := c.Original.Record.Outcome
	state := refund.PutText("state", refund.OutcomeText(outcome))
	switch outcome {
	case refund.Declined, refund.Closed:
		return refund.Speak("RC-205", refund.High, refund.Fill(notRefundableTexts[0], c.Standard(state)...))
	case refund.Unknown, refund.Pending, refund.Abnormal:
		return refund.Speak("RC-205", refund.Medium, refund.Fill(notRefundableTexts[1], c.Standard(state)...)).Unless(refund.Text{
			EN: "If the sale's answer turned up as approved, it would not be said.",
			ZH: "若之后得到原交易成功的应答，则不提示。",
		})
	}
	return refund.Result{}
}
