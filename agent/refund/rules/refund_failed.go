package rules

import "yuanlu/agent/refund"

// refundFailed is RC-605: the channel could not deliver the money.
type refundFailed struct{}

var failedTexts = []refund.Text{
	{EN: "The {kind} {refund_no} of {amt} did not reach {recipient}: the channel reports it as abnormal. The payer has not been made whole.",
		ZH: "{kind} {refund_no}（{amt}）未到达 {recipient}：渠道返回异常。付款人尚未收到退款。"},
}

func (refundFailed) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeRefundFailed, Numbers: []string{"RC-605"}, Version: 1,
		Severity:  severities(refund.Medium),
		Inputs:    "outcome",
		Templates: failedTexts,
	}
}

func (refundFailed) Check(c *refund.Case) refund.Result {
	if c.Refund.Record.Outcome != refund.Abnormal {
		return refund.Result{}
	}
	return refund.Speak("RC-605", refund.Medium, refund.Fill(failedTexts[0], c.Standard(
		refund.PutText("kind", refund.KindText(c.Refund.Record.Kind)))...)).Unless(refund.Text{
		EN: "If the channel delivered the money after all and said so, it would not be said.",
		ZH: "若渠道之后送达并有记录，则不提示。",
	})
}
