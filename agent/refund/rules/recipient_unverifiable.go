package rules

import "yuanlu/agent/refund"

// recipientUnverifiable is RC-104: who got the money cannot be found out. That is
// a finding, never a pass; for cash it is at info.
type recipientUnverifiable struct{}

var unverifiableTexts = []refund.Text{
	{EN: "The recipient of refund {refund_no} ({amt}) could not be checked against sale {orig_no}: {reason}. This is not a pass.",
		ZH: "退款 {refund_no}（{amt}）的收款方无法与原交易 {orig_no} 比对：{reason}。这不等于通过。"},
	{EN: "The recipient of refund {refund_no} ({amt}) could not be checked: {reason}. This is not a pass.",
		ZH: "退款 {refund_no}（{amt}）的收款方无法核对：{reason}。这不等于通过。"},
}

func (recipientUnverifiable) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeRecipientUnverifiable, Numbers: []string{"RC-104"}, Version: 1,
		Severity:  severities(refund.Medium, refund.Info),
		Inputs:    "identifiers of payer and recipient, channels, the journal's beginning and terminals",
		Templates: unverifiableTexts,
	}
}

func (recipientUnverifiable) Check(c *refund.Case) refund.Result {
	reason, text := c.Reason, unverifiableTexts[0]
	severity := refund.Medium
	switch {
	case c.Basis == refund.BasisCash:
		severity = refund.Info
	case c.Basis == refund.BasisNotComparable:
	case c.Search.Result == refund.SearchOriginalUnusable:
		reason, text = refund.ReasonOriginalUnusable, unverifiableTexts[1]
	case c.Search.Result == refund.SearchOtherTerminal:
		reason, text = refund.ReasonOtherTerminal, unverifiableTexts[1]
	case c.Search.Result == refund.SearchHistoryGap:
		reason, text = refund.ReasonHistoryGap, unverifiableTexts[1]
	default:
		return refund.Result{}
	}
	return refund.Speak("RC-104", severity, refund.Fill(text, c.Standard(
		refund.PutText("reason", refund.ReasonText(reason)))...)).Unless(wouldVerify(reason))
}

// wouldVerify returns what would make the recipient verifiable.
func wouldVerify(reason string) refund.Text {
	switch reason {
	case refund.ReasonToken:
		return refund.Text{EN: "If the payment account references (PAR) of both were known, they would decide.", ZH: "若已知双方的支付账户参考号（PAR），则可判定。"}
	case refund.ReasonMask:
		return refund.Text{EN: "If more digits of either number were known, they could be compared.", ZH: "若任一方可见更多位数，则可比对。"}
	case refund.ReasonNamespace:
		return refund.Text{EN: "If both identifiers were known for one application, they could be compared.", ZH: "若双方有同一应用下的标识，则可比对。"}
	case refund.ReasonRecipientMissing:
		return refund.Text{EN: "If a copy of the refund named who got the money, it could be compared.", ZH: "若退款的另一份记录注明收款方，则可比对。"}
	case refund.ReasonPayerMissing:
		return refund.Text{EN: "If a copy of the sale named who paid, it could be compared.", ZH: "若原交易的另一份记录注明付款方，则可比对。"}
	case refund.ReasonOriginalUnusable:
		return refund.Text{EN: "If the sale were read again with possible values, it could be compared.", ZH: "若重新读到数据有效的原交易，则可比对。"}
	case refund.ReasonOtherTerminal, refund.ReasonHistoryGap:
		return refund.Text{EN: "If the sale were read from its own terminal or an older journal, it could be compared.", ZH: "若从原终端或更早的日志读到原交易，则可比对。"}
	}
	return refund.Text{}
}
