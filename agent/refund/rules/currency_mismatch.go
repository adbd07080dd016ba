package rules

import "yuanlu/agent/refund"

// currencyMismatch is RC-303: sale and refund state different currencies.
type currencyMismatch struct{}

var currencyTexts = []refund.Text{
	{EN: "Sale {orig_no} was in {orig_cur}; refund {refund_no} of {amt} is in {refund_cur}.",
		ZH: "原交易 {orig_no} 币种为 {orig_cur}，退款 {refund_no}（{amt}）币种为 {refund_cur}。"},
}

func (currencyMismatch) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeCurrencyMismatch, Numbers: []string{"RC-303"}, Version: 1,
		Severity:   severities(refund.High),
		Inputs:     "currencies of original and refund",
		CannotTell: "there is no original, or a side states no currency",
		Templates:  currencyTexts,
	}
}

func (currencyMismatch) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case c.Money.CurrencyDiffers:
		return refund.Speak("RC-303", refund.High, refund.Fill(currencyTexts[0], c.Standard(
			refund.Put("orig_cur", c.Original.Record.Currency), refund.Put("refund_cur", c.Refund.Record.Currency))...))
	case c.Original.Record.Currency == "" || c.Refund.Record.Currency == "":
		return refund.Silent("currency not stated")
	}
	return refund.Result{}
}
