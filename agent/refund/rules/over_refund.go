package rules

import "yuanlu/agent/refund"

// overRefund is RC-301: more goes back than was paid. No rounding is forgiven.
type overRefund struct{}

var overTexts = []refund.Text{
	{EN: "With refund {refund_no} the total refunded on {orig_no} would be {total}, more than the {orig_amt} paid.",
		ZH: "加上退款 {refund_no},原交易 {orig_no} 累计退款 {total},超过实付 {orig_amt}。"},
	{EN: "Sale {orig_no} is already undone; {kind} {refund_no} of {amt} would pay out a second time.",
		ZH: "原交易 {orig_no} 已被冲正,{kind} {refund_no}({amt})会重复付款。"},
	{EN: "Sale {orig_no} is already voided by {earlier_no}; {kind} {refund_no} of {amt} would pay out a second time.",
		ZH: "原交易 {orig_no} 已被 {earlier_no} 撤销,{kind} {refund_no}({amt})会重复付款。"},
	{EN: "Sale {orig_no} is already refunded by {earlier_no} ({earlier_amt}); {kind} {refund_no} of {amt} would pay out a second time.",
		ZH: "原交易 {orig_no} 已由 {earlier_no} 退款({earlier_amt}),{kind} {refund_no}({amt})会重复付款。"},
}

func (overRefund) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeOverRefund, Numbers: []string{"RC-301"}, Version: 1,
		Severity:   severities(refund.Critical),
		Inputs:     "amounts of the original, its adjusts, this refund and those before it; reversals and voids of the original",
		CannotTell: "there is no original, it never took money, or the currencies differ",
		Templates:  overTexts,
	}
}

func (overRefund) Check(c *refund.Case) refund.Result {
	if why := sumsForbidden(c); why != "" {
		return refund.Silent(why)
	}
	m := &c.Money
	kind := refund.PutText("kind", refund.KindText(c.Refund.Record.Kind))
	earlier := func(e *refund.Event) []refund.Value {
		return c.Standard(kind, refund.Put("earlier_no", e.Number()), refund.Put("earlier_amt", e.AmountText()))
	}
	var text refund.Text
	switch {
	case c.Original.UndoneBy != 0:
		text = refund.Fill(overTexts[1], c.Standard(kind)...)
	case m.VoidedBy != nil:
		text = refund.Fill(overTexts[2], earlier(m.VoidedBy)...)
	case !c.IsRefund() && m.RefundedBy != nil:
		text = refund.Fill(overTexts[3], earlier(m.RefundedBy)...)
	case c.IsRefund() && m.Base-m.Counted < m.This && m.Repeats == nil:
		text = refund.Fill(overTexts[0], c.Standard(
			refund.Put("total", refund.AmountText(m.Counted+m.This, c.Currency())),
			refund.Put("orig_amt", refund.AmountText(m.Base, c.Currency())))...)
	default:
		return refund.Result{}
	}
	return refund.Speak("RC-301", refund.Critical, text)
}

// sumsForbidden says why no sum is made (§ 3), "" if one is.
func sumsForbidden(c *refund.Case) string {
	switch {
	case c.Original == nil:
		return noSale
	case c.Original.Record.Outcome == refund.Declined || c.Original.Record.Outcome == refund.Closed:
		return "the original took no money"
	case c.Money.CurrencyDiffers:
		return "the currencies differ"
	}
	return ""
}
