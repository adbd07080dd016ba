package rules

import "yuanlu/agent/refund"

// outcomeUnknown is RC-604: it is not known yet whether the money moved.
type outcomeUnknown struct{}

var outcomeTexts = []refund.Text{
	{EN: "The {kind} {refund_no} of {amt} is {state}: it has no final result. Query before doing anything else; do not send a second one.",
		ZH: "{kind} {refund_no}（{amt}）状态为{state}，无最终结果。请先查询，不要再次发起。"},
}

func (outcomeUnknown) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeOutcomeUnknown, Numbers: []string{"RC-604"}, Version: 1,
		Severity:  severities(refund.Low),
		Inputs:    "outcome",
		Templates: outcomeTexts,
	}
}

func (outcomeUnknown) Check(c *refund.Case) refund.Result {
	outcome := c.Refund.Record.Outcome
	if outcome != refund.Unknown && outcome != refund.Pending {
		return refund.Result{}
	}
	return refund.Speak("RC-604", refund.Low, refund.Fill(outcomeTexts[0], c.Standard(
		refund.PutText("kind", refund.KindText(c.Refund.Record.Kind)),
		refund.PutText("state", refund.OutcomeText(outcome)))...)).Unless(refund.Text{
		EN: "If its final result turned up, it would count or not count accordingly.",
		ZH: "若之后得到最终结果，将据此计入或不计入。",
	})
}
