package rules

import "yuanlu/agent/refund"

// dataError has no number: a value of the record is impossible. Of an unusable
// record it is the only finding; a date that does not exist is noted beside others.
type dataError struct{}

var dataTexts = []refund.Text{
	{EN: "Refund {refund_no} holds an impossible value: {flaw}. It could not be checked.",
		ZH: "退款 {refund_no} 含无效数据：{flaw}。无法核对。"},
	{EN: "The {kind} {refund_no} states no amount. It could not be checked.",
		ZH: "{kind} {refund_no} 未注明金额，无法核对。"},
	{EN: "Refund {refund_no} names {date} as the day of its sale, which is no date; it was not used.",
		ZH: "退款 {refund_no} 注明的原交易日期 {date} 不存在，未予采用。"},
}

func (dataError) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeDataError, Version: 2,
		Severity:  severities(refund.Medium),
		Inputs:    "amount, payer_amount, card numbers, currency, at, original.date",
		Templates: dataTexts,
	}
}

func (dataError) Check(c *refund.Case) refund.Result {
	switch {
	case c.Flaw == refund.FlawNoAmount:
		return refund.Speak("", refund.Medium, refund.Fill(dataTexts[1], c.Standard(refund.PutText("kind", refund.KindText(c.Refund.Record.Kind)))...))
	case c.Flaw != "":
		return refund.Speak("", refund.Medium, refund.Fill(dataTexts[0], c.Standard(refund.PutText("flaw", refund.FlawText(c.Flaw)))...))
	case c.Search.DateFlaw:
		return refund.Speak("", refund.Medium, refund.Fill(dataTexts[2], c.Standard(refund.PutText("date", dateText(c.Refund.Record.Original.Date)))...))
	}
	return refund.Result{}
}

// dateText quotes what stands where a date should; longer texts are not repeated,
// because it is not known what they are.
func dateText(s string) refund.Text {
	if len(s) > len("2006-01-02") {
		return refund.Text{EN: "a longer text", ZH: "过长的文字"}
	}
	return refund.Text{EN: s, ZH: s}
}
