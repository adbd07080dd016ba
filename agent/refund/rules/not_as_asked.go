package rules

import "yuanlu/agent/refund"

// notAsAsked is RC-706: the record names an ask, but another refund was asked about
// (guard.md § 3).
type notAsAsked struct{}

var askedTexts = []refund.Text{
	{EN: "The {kind} {refund_no} of {amt} names the question {ask}, but that asked about another refund, or its refund was made before. Nothing that was answered or released covers this one.",
		ZH: "{kind} {refund_no}（{amt}）注明询问号 {ask}，但该询问针对另一笔退款，或其退款已经执行。该询问的答复与放行均不适用于本笔。"},
}

func (notAsAsked) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeNotAsAsked, Numbers: []string{"RC-706"}, Version: 1,
		Severity:  severities(refund.Medium),
		Inputs:    "ask, and what that ask was about, when the record was first seen; outcome",
		Templates: askedTexts,
	}
}

func (notAsAsked) Check(c *refund.Case) refund.Result {
	if !c.Refund.Record.OfGuard().NotAsAsked {
		return refund.Result{}
	}
	return refund.Speak("RC-706", refund.Medium, refund.Fill(askedTexts[0], c.Standard(
		refund.PutText("kind", refund.KindText(c.Refund.Record.Kind)), refund.Put("ask", c.Refund.Record.Ask))...))
}
