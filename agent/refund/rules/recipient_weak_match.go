package rules

import "yuanlu/agent/refund"

// recipientWeakMatch is RC-103: what is visible agrees, which proves little.
type recipientWeakMatch struct{}

var weakTexts = []refund.Text{
	{EN: "Only {digits} digits could be compared ({payer}). They agree, but two different {sharers} can share them; treat as probable, not proven.",
		ZH: "只能比对 {digits} 位可见号码（{payer}），结果一致；但不同的{sharers}可能相同，只能算“很可能是”，不能算“已证实”。"},
	{EN: "Only {key_kind} could be compared ({payer}). It agrees, but two different {sharers} can share it; treat as probable, not proven.",
		ZH: "只能比对{key_kind}（{payer}），结果一致；但不同的{sharers}可能相同，只能算“很可能是”，不能算“已证实”。"},
}

func (recipientWeakMatch) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeRecipientWeakMatch, Numbers: []string{"RC-103"}, Version: 2,
		Severity:   severities(refund.Low),
		Inputs:     "masked identifiers of payer and recipient",
		CannotTell: "an identifier is missing on a side, or those there are cannot be compared",
		Templates:  weakTexts,
	}
}

func (recipientWeakMatch) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case c.Basis == refund.BasisCompared && c.Compared.Code == refund.CodeRecipientWeakMatch:
		text := weakTexts[0]
		if c.Compared.Digits == 0 {
			text = weakTexts[1]
		}
		return refund.Speak("RC-103", refund.Low, refund.Fill(text, c.Standard(
			refund.PutInt("digits", c.Compared.Digits), refund.PutText("sharers", c.CompareText()),
			refund.PutText("key_kind", c.KeyKindText()))...)).Unless(refund.Text{
			EN: "If both full numbers or PARs were known, they would prove or disprove it.",
			ZH: "若已知双方完整号码或 PAR，即可证实或否定。",
		})
	case c.Recipient == refund.Unverifiable:
		return refund.Silent(c.Reason)
	}
	return refund.Result{}
}
