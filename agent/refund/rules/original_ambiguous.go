package rules

import "yuanlu/agent/refund"

// originalAmbiguous is RC-202: several sales fit the refund.
type originalAmbiguous struct{}

var ambiguousTexts = []refund.Text{
	{EN: "{n} sales fit refund {refund_no} equally well ({candidates}). Scan the receipt to pick one; nothing was guessed.",
		ZH: "有 {n} 笔交易都符合退款 {refund_no}（{candidates}）。请扫描小票确认，系统没有猜测。"},
	{EN: "{n} sales fit refund {refund_no} equally well ({candidates}), all paid by its recipient; the latest, {orig_no}, was taken.",
		ZH: "有 {n} 笔交易都符合退款 {refund_no}（{candidates}），付款方均为其收款方；按最近一笔 {orig_no} 处理。"},
	{EN: "{n} sale(s) fit refund {refund_no} but for the date {date} that it names ({candidates}). Scan the receipt to pick one; nothing was guessed.",
		ZH: "有 {n} 笔交易与退款 {refund_no} 相符，但日期与其注明的 {date} 不同（{candidates}）。请扫描小票确认，系统没有猜测。"},
}

func (originalAmbiguous) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeOriginalAmbiguous, Numbers: []string{"RC-202"}, Version: 1,
		Severity:  severities(refund.Medium, refund.Low),
		Inputs:    "original of the refund, all sales that it may name",
		Templates: ambiguousTexts,
	}
}

func (originalAmbiguous) Check(c *refund.Case) refund.Result {
	text, severity := ambiguousTexts[0], refund.Medium
	switch c.Search.Result {
	case refund.SearchFoundOfSeveral:
		text, severity = ambiguousTexts[1], refund.Low
	case refund.SearchOtherDay:
		text = ambiguousTexts[2]
	case refund.SearchAmbiguous, refund.SearchDifferentFromAll:
	default:
		return refund.Result{}
	}
	return refund.Speak("RC-202", severity, refund.Fill(text, c.Standard(
		refund.PutInt("n", len(c.Search.Fit)), refund.Put("candidates", numbers(c.Search.Fit)),
		refund.Put("date", c.Search.Date))...)).Unless(refund.Text{
		EN: "If the refund named its sale by channel_txn, or by batch, stan and date, one sale would be left.",
		ZH: "若退款以渠道交易号，或批次号、流水号与日期注明原交易，则可确定一笔。",
	})
}
