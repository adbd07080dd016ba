package rules

import (
	"testing"

	"yuanlu/agent/refund"
)

func TestOriginalAmbiguous(t *testing.T) {
	run(t, originalAmbiguous{}, []row{
		{"nothing decides", lost(refund.SearchAmbiguous, refund.ReasonAmbiguous), "hit RC-202 medium"},
		{"different from all", lost(refund.SearchDifferentFromAll, ""), "hit RC-202 medium"},
		{"another day", lost(refund.SearchOtherDay, refund.ReasonAmbiguous), "hit RC-202 medium"},
		{"the same as all", found(func(c *refund.Case) { c.Search.Result = refund.SearchFoundOfSeveral }), "hit RC-202 low"},
		{"one", found(), "no_hit"},
		{"none", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "no_hit"},
	})
}
