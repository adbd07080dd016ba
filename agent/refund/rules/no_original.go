package rules

import (
	"strings"

	"yuanlu/agent/refund"
)

// noOriginal is RC-201: the refund names a sale that the journal, which covers it,
// does not have.
type noOriginal struct{}

var noOriginalTexts = []refund.Text{
	{EN: "Refund {refund_no} ({amt}) names no sale that exists here (looked for {keys}; the journal covers {from} onwards).",
		ZH: "退款 {refund_no}（{amt}）找不到对应的原交易（查找了 {keys}；日志自 {from} 起）。"},
}

func (noOriginal) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeNoOriginal, Numbers: []string{"RC-201"}, Version: 1,
		Severity:   severities(refund.High),
		Inputs:     "original of the refund, all sales, the journal's beginning and terminals",
		CannotTell: "the journal may not reach back to the sale, or does not cover its terminal",
		Templates:  noOriginalTexts,
	}
}

func (noOriginal) Check(c *refund.Case) refund.Result {
	switch c.Search.Result {
	case refund.SearchNoOriginal:
		return refund.Speak("RC-201", refund.High, refund.Fill(noOriginalTexts[0], c.Standard(
			refund.PutText("keys", tried(&c.Refund.Record, c.Search.Date)), refund.Put("from", c.Search.JournalFrom))...)).Unless(refund.Text{
			EN: "If the sale were read later, the refund would be compared with it.",
			ZH: "若之后读到原交易，将与其比对。",
		})
	case refund.SearchHistoryGap:
		return refund.Silent(refund.ReasonHistoryGap)
	case refund.SearchOtherTerminal:
		return refund.Silent(refund.ReasonOtherTerminal)
	case refund.SearchOriginalUnusable:
		return refund.Silent(refund.ReasonOriginalUnusable)
	}
	return refund.Result{}
}

// tried lists the numbers and the day that a refund names its original by.
func tried(r *refund.Record, day string) refund.Text {
	o := &r.Original
	var en, zh []string
	for _, k := range [...]struct{ name, zh, value string }{
		{refund.FoundByChannelTxn, "渠道单号", o.ChannelTxn}, {refund.FoundByOrderNo, "订单号", o.OrderNo},
		{refund.FoundByRRN, "检索参考号", o.RRN}, {refund.FoundByStan, "流水号", o.Stan}, {"date", "日期", day},
	} {
		if k.value != "" && (k.name == "date" || refund.Given(k.value)) {
			en, zh = append(en, k.name+" "+k.value), append(zh, k.zh+" "+k.value)
		}
	}
	return refund.Text{EN: strings.Join(en, ", "), ZH: strings.Join(zh, "，")}
}
