package rules

import (
	"time"

	"yuanlu/agent/refund"
)

// clockSuspect is RC-603: the refund is older than its sale, so a clock was wrong.
type clockSuspect struct{}

// clockTolerance is how far apart two clocks may be without a finding.
const clockTolerance = 5 * time.Minute

var clockTexts = []refund.Text{
	{EN: "By the clock, {kind} {refund_no} ({time}) was made {secs} s before its sale {orig_no} ({orig_time}); the order is by sequence number.",
		ZH: "按时钟，{kind} {refund_no}（{time}）比原交易 {orig_no}（{orig_time}）早 {secs} 秒；先后顺序以序号为准。"},
}

func (clockSuspect) Info() refund.RuleInfo {
	return refund.RuleInfo{
		Code: refund.CodeClockSuspect, Numbers: []string{"RC-603"}, Version: 1,
		Severity:   severities(refund.Low),
		Inputs:     "at of original and refund",
		CannotTell: "there is no original",
		Templates:  clockTexts,
	}
}

func (clockSuspect) Check(c *refund.Case) refund.Result {
	switch {
	case c.Original == nil:
		return refund.Silent(noSale)
	case c.Money.Early <= clockTolerance:
		return refund.Result{}
	}
	return refund.Speak("RC-603", refund.Low, refund.Fill(clockTexts[0], c.Standard(
		refund.PutText("kind", refund.KindText(c.Refund.Record.Kind)),
		refund.Put("time", c.Refund.Record.At), refund.Put("orig_time", c.Original.Record.At),
		refund.PutInt("secs", int(c.Money.Early/time.Second)))...))
}
