package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

// marked puts what the guard knew on the refund.
func marked(m refund.GuardMark, o refund.Outcome) func(*refund.Case) {
	return func(c *refund.Case) {
		c.Refund.Record.Guard, c.Refund.Record.Outcome, c.Refund.Record.Ask = &m, o, "a-1"
	}
}

func TestHoldBypassed(t *testing.T) {
	critical, late := refund.GuardMark{Ask: "a-1", Bypassed: refund.Critical}, refund.GuardMark{Ask: "a-1", Bypassed: refund.Medium}
	run(t, holdBypassed{}, []row{
		{"made all the same", found(marked(critical, refund.Approved)), "hit RC-706 critical"},
		{"pending", found(marked(critical, refund.Pending)), "hit RC-706 critical"},
		{"the answer never arrived", found(marked(late, refund.Unknown)), "hit RC-706 medium"},
		{"the channel could not pay", found(marked(critical, refund.Abnormal)), "no_hit"},
		{"released", found(marked(refund.GuardMark{Ask: "a-1", State: "released"}, refund.Approved)), "no_hit"},
		{"not asked about", found(), "no_hit"},
		{"without an original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal, marked(critical, refund.Approved)), "hit RC-706 critical"},
	})
}

func TestNotAsAsked(t *testing.T) {
	mark := refund.GuardMark{NotAsAsked: true}
	run(t, notAsAsked{}, []row{
		{"another refund", found(marked(mark, refund.Approved)), "hit RC-706 medium"},
		{"a void", found(void, marked(mark, refund.Approved)), "hit RC-706 medium"},
		{"the channel could not pay", found(marked(mark, refund.Abnormal)), "no_hit"},
		{"as asked", found(marked(refund.GuardMark{Ask: "a-1"}, refund.Approved)), "no_hit"},
	})
}
