package rules

import (
	"testing"
	"time"

	"yuanlu/agent/refund"
)

func TestClockSuspect(t *testing.T) {
	run(t, clockSuspect{}, []row{
		{"more than five minutes before its sale", found(func(c *refund.Case) { c.Money.Early = 5*time.Minute + time.Second }), "hit RC-603 low"},
		{"five minutes before", found(func(c *refund.Case) { c.Money.Early = 5 * time.Minute }), "no_hit"},
		{"after", found(func(c *refund.Case) { c.Money.Early = -time.Hour }), "no_hit"},
		{"void before its sale", found(void, func(c *refund.Case) { c.Money.Early = time.Hour }), "hit RC-603 low"},
		{"no original", lost(refund.SearchNoOriginal, refund.ReasonNoOriginal), "cannot_tell no original"},
	})
}
