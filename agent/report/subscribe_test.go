package report_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// TestARefusedFilterIsAskedForAgain: a cluster without a quorum refuses every subscription and
// keeps the connection. Once it is whole, acknowledgements arrive on that same connection, and
// the state is online again.
func TestARefusedFilterIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused, granted := 0, 0
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind != brokertest.Subscribe {
				return false
			}
			if refused < 9 {
				refused++
				c.Raw([]byte{0x90, 3, byte(p.ID >> 8), byte(p.ID), 0x80})
				return true
			}
			if slices.Contains(p.Filters, names.DownFilter()) {
				granted++
				f.Push(names.Ack(), ack(1), false)
			}
			return false
		}
		g := start(t, f)
		g.out.addCase()
		g.Wake()
		pass(10 * time.Second)
		if cases, sent := g.out.waiting(); cases != 1 || sent != 1 || granted != 0 {
			t.Errorf("%d cases wait, %d sent, granted %d times", cases, sent, granted)
		}
		if states := g.on(names.State()); states[len(states)-1]["reason"] != "subscription_refused" {
			t.Errorf("state %v", states)
		}
		pass(10 * time.Minute)
		if cases, _ := g.out.waiting(); cases != 0 || granted != 1 || len(f.Conns()) != 1 {
			t.Errorf("%d cases wait, granted %d times, %d connections", cases, granted, len(f.Conns()))
		}
		states := g.on(names.State())
		if last := states[len(states)-1]; last["state"] != "online" {
			t.Errorf("state %v", last)
		}
		g.stop()
	})
}
