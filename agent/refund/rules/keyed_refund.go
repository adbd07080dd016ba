package rules

import "yuanlu/agent/refund"

// keyedRefund is RC-405 for a recipient typed in by hand, the path most abused,
// unless strong evidence or the channel states that it is who paid.
type keyedRefund struct{}

var keyedTexts = []refund.Text{
	{EN: "The recipient {recipient} of refund {refund_no} ({amt}) was keyed in by hand, and nothing shows that it paid.",
		ZH: "退款 {refund_no}（{amt}）的收款方 {recipient} 为手工输入，没有证据表明其为付款人。"},
	{EN: "The recipient {recipient} of refund {refund_no} ({amt}) was keyed in by hand, and only visible digits agree with who paid.",
		ZH: "退款 {refund_no}（{amt}）的收款方 {recipient} 为手工输入，与付款方仅可见位一致。"},
}

func (keyedRefund) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeKeyedRefund, Numbers: []string{"RC-405"}, Version: 1,
		Severity:  severities(refund.High, refund.Medium),
		Inputs:    "entry, recipient and evidence",
		Templates: keyedTexts,
	}
}

func (keyedRefund) Check(c *refund.Case) refund.Result {
	if !c.IsRefund() || c.Refund.Record.Entry != refund.EntryKeyed {
		return refund.Result{}
	}
	switch {
	case c.Recipient == refund.Different || c.Recipient == refund.Doubtful || c.Recipient == refund.Unverifiable:
		return refund.Speak("RC-405", refund.High, refund.Fill(keyedTexts[0], c.Standard()...))
	case c.Recipient == refund.Same && c.Evidence == refund.Weak:
		return refund.Speak("RC-405", refund.Medium, refund.Fill(keyedTexts[1], c.Standard()...))
	}
	return refund.Result{}
}
