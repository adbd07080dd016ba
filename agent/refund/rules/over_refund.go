package rules

import "yuanlu/agent/refund"

// overRefund is RC-301: more goes back than was paid. No rounding is forgiven.
type overRefund struct{}

var overTexts = []refund.Text{
	{EN: "With refund {refund_no} the total refunded on {orig_no} would be {total}, more than the {orig_amt} paid.",
		ZH: "加上退款 {refund_no}，原交易 {orig_no} 累计退款 {total}，超过实付 {orig_amt}。"},
	{EN: "Sale {orig_no} is already undone; {kind} {refund_no} of {amt} would pay out a second time.",
		ZH: "原交易 {orig_no} 已被冲正，{kind} {refund_no}（{amt}）会重复付款。"},
	{EN: "Sale {orig_no} is already voided by {earlier_no}; {kind} {refund_no} of {amt} would pay out a second time.",
		ZH: "原交易 {orig_no} 已被 {earlier_no} 撤销，{kind} {refund_no}（{amt}）会重复付款。"},
	{EN: "Sale {orig_no} is already refunded by {earlier_no} ({earlier_amt}); {kind} {refund_no} of {amt} would pay out a second time.",
		ZH: "原交易 {orig_no} 已由 {earlier_no} 退款（{earlier_amt}），{kind} {refund_no}（{amt}）会重复付款。"},
}

func (overRefund) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeOverRefund, Numbers: []string{"RC-301"}, Version: 2,
		Severity:   severities(refund.Critical, refund.Medium),
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
	excess, byGuess := c.Excess()
	kind := refund.PutText("kind", refund.KindText(c.Refund.Record.Kind))
	earlier := func(e *refund.Event) []refund.Value {
		return c.Standard(kind, refund.Put("earlier_no", e.Number()), refund.PutText("earlier_amt", e.AmountText()))
	}
	var text refund.Text
	switch excess {
	case refund.ExcessUndone:
		text = refund.Fill(overTexts[1], c.Standard(kind)...)
	case refund.ExcessVoided:
		text = refund.Fill(overTexts[2], earlier(m.VoidedBy)...)
	case refund.ExcessRefunded:
		text = refund.Fill(overTexts[3], earlier(m.RefundedBy)...)
	case refund.ExcessSum:
		text = refund.Fill(overTexts[0], c.Standard(
			refund.Put("total", refund.AmountText(m.Counted+m.This, c.Currency())),
			refund.Put("orig_amt", refund.AmountText(m.Base, c.Currency())))...)
	default:
		return refund.Result{}
	}
	if byGuess {
		return refund.Speak("RC-301", refund.Medium, restsOnGuess(text)).Unless(ifNoGuess)
	}
	return refund.Speak("RC-301", refund.Critical, text)
}

// restsOnGuess adds to a finding's text what makes it uncertain.
func restsOnGuess(t refund.Text) refund.Text {
	return refund.Text{
		EN: t.EN + " This counts a refund or void that names no sale.",
		ZH: t.ZH + "其中计入了未注明原交易的退款或撤销。",
	}
}

// ifNoGuess is what would change a finding that only guesses make.
var ifNoGuess = refund.Text{
	EN: "Only refunds or voids that name no sale make it so; if one of them belonged to another sale, it would not be said.",
	ZH: "仅由未注明原交易的退款或撤销得出；若其中一笔属于其他交易，则不提示。",
}

// sumsForbidden returns why no sum is made (verdicts.md § 3), "" if one is.
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
