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
		ZH: "退款 {refund_no}({amt})找不到对应的原交易(查找了 {keys};日志自 {from} 起)。"},
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
			refund.Put("keys", tried(&c.Refund.Record, c.Search.Date)), refund.Put("from", c.Search.JournalFrom))...)).Unless(refund.Text{
			EN: "If the sale were read later, the refund would be compared with it.",
			ZH: "若之后读到原交易,将与其比对。",
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
func tried(r *refund.Record, day string) string {
	o := &r.Original
	var keys []string
	for _, k := range [...]struct{ name, value string }{
		{refund.FoundByChannelTxn, o.ChannelTxn}, {refund.FoundByOrderNo, o.OrderNo},
		{refund.FoundByRRN, o.RRN}, {refund.FoundByStan, o.Stan},
	} {
		if refund.Given(k.value) {
			keys = append(keys, k.name+" "+k.value)
		}
	}
	if day != "" {
		keys = append(keys, "date "+day)
	}
	return strings.Join(keys, ", ")
}
