package rules

import "yuanlu/agent/refund"

// platformRerouted is RC-106: the channel itself sent the money elsewhere than to
// the account that paid.
type platformRerouted struct{}

var reroutedTexts = []refund.Text{
	{EN: "The payment platform could not use the original account and sent refund {refund_no} of {amt} to {route} ({recipient}). Confirm with the payer that it arrived.",
		ZH: "支付平台无法退回原账户，已将退款 {refund_no}（{amt}）转到{route}（{recipient}）。请与付款人确认是否到账。"},
	{EN: "The payment platform returned refund {refund_no} of {amt} to {route} instead of the account that paid; it is the same user.",
		ZH: "支付平台将退款 {refund_no}（{amt}）退到了{route}而非原付款账户，收款人为同一用户。"},
}

func (platformRerouted) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodePlatformRerouted, Numbers: []string{"RC-106"}, Version: 1,
		Severity:   severities(refund.Medium, refund.Info),
		Inputs:     "refund_route",
		CannotTell: "the channel says nothing about the way back",
		Templates:  reroutedTexts,
	}
}

func (platformRerouted) Check(c *refund.Case) refund.Result {
	values := func() []refund.Value {
		return c.Standard(refund.PutText("route", refund.RouteText(c.Refund.Record.RefundRoute)))
	}
	switch {
	case c.Basis == refund.BasisOtherAccount:
		return refund.Speak("RC-106", refund.Medium, refund.Fill(reroutedTexts[0], values()...))
	case c.Basis == refund.BasisBalance:
		return refund.Speak("RC-106", refund.Info, refund.Fill(reroutedTexts[1], values()...))
	case c.Refund.Record.RefundRoute == "":
		return refund.Silent("no refund_route")
	}
	return refund.Result{}
}
