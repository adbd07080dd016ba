package rules

import "yuanlu/agent/refund"

// recipientSuspect is RC-102 for identifiers that may change for one person: tokens
// that are issued again, logons that were masked elsewhere.
type recipientSuspect struct{}

var suspectTexts = []refund.Text{
	{EN: "Sale {orig_no} was paid by {payer}, refund {refund_no} of {amt} goes to {recipient}: they differ on {key_kind} ({where}), which one person may have several of.",
		ZH: "原交易 {orig_no} 的付款方为 {payer}，退款 {refund_no}（{amt}）的收款方为 {recipient}：{key_kind}不同（{where}），但同一人可能有多个。"},
}

func (recipientSuspect) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeRecipientSuspect, Numbers: []string{"RC-102"}, Version: 1,
		Severity:   severities(refund.Medium),
		Inputs:     "identifiers of payer and recipient",
		CannotTell: "an identifier is missing on a side, or those there are cannot be compared",
		Templates:  suspectTexts,
	}
}

func (recipientSuspect) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case c.Basis == refund.BasisCompared && c.Compared.Code == refund.CodeRecipientSuspect:
		return refund.Speak("RC-102", refund.Medium, refund.Fill(suspectTexts[0], c.Standard(
			refund.PutText("key_kind", c.KeyKindText()), refund.PutText("where", c.DifferenceText()))...)).Unless(refund.Text{
			EN: "If a permanent identifier of both (user id, card number, PAR) were known, it would decide.",
			ZH: "若已知双方的永久标识（用户号、卡号、PAR），则以其为准。",
		})
	case c.Recipient == refund.Unverifiable:
		return refund.Silent(c.Reason)
	}
	return refund.Result{}
}
