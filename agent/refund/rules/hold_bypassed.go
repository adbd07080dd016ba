package rules

import "yuanlu/agent/refund"

// holdBypassed is RC-706: the refund was held before it was made, and there was no release
// (guard.md § 3).
type holdBypassed struct{}

var bypassedTexts = []refund.Text{
	{EN: "The {kind} {refund_no} of {amt} was held when it was asked about ({ask}), and was made without a release. Ask the cashier and the person in charge.",
		ZH: "{kind} {refund_no}（{amt}）在询问时（{ask}）已被拦截，未经放行仍被执行。请向收银员及当班负责人核实。"},
	{EN: "The {kind} {refund_no} of {amt} was held when it was asked about ({ask}), but the answer never reached the terminal, which went on by its own setting.",
		ZH: "{kind} {refund_no}（{amt}）在询问时（{ask}）已被拦截，但答复未送达终端，终端按自身设置继续执行。"},
}

func (holdBypassed) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeHoldBypassed, Numbers: []string{"RC-706"}, Version: 1,
		Severity:  severities(refund.Critical, refund.Medium),
		Inputs:    "the hold of the ask that the record belongs to, as it stood when the record was first seen; outcome",
		Templates: bypassedTexts,
	}
}

func (holdBypassed) Check(c *refund.Case) refund.Result {
	mark := c.Refund.Record.OfGuard()
	if mark.Bypassed == 0 {
		return refund.Result{}
	}
	text := bypassedTexts[0]
	if mark.Bypassed == refund.Medium {
		text = bypassedTexts[1]
	}
	return refund.Speak("RC-706", mark.Bypassed, refund.Fill(text, c.Standard(
		refund.PutText("kind", refund.KindText(c.Refund.Record.Kind)), refund.Put("ask", mark.Ask))...))
}
