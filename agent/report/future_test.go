package report_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// A back office that is newer than the terminal: members it adds are ignored, and a
// signed envelope of another version is refused as a whole.
func TestABackOfficeOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done, taken atomic.Int64
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			o.HostID = "desk"
			g.do = func(context.Context, report.Command) (any, error) { done.Add(1); return nil, nil }
			g.take = func(topics.DesiredConfig, string) { taken.Add(1) }
			for range 3 {
				g.out.addCase()
			}
		})
		pass(5 * time.Second)
		future := func(payload string) []byte {
			return []byte(strings.Replace(payload, "{", `{"a_member_of_2031":{"x":[1,2.5,null]},"v":1,`, 1))
		}
		g.push(names.Ack(), future(fmt.Sprintf(`{"stream":%q,"acked_seq":2,"nack":[{"seq":3,"code":"x","hint":{}}]}`, stream)), false)
		if cases, _ := g.out.waiting(); cases != 0 {
			t.Errorf("%d cases wait after an acknowledgement of the future", cases)
		}
		g.push(names.Cmd("act"), future(string(command("c1", 60, ""))), false)
		g.push(names.DesiredConfig(), future(`{"version":1,"expected":0,"config":""}`), true)
		g.push(names.HostState("desk"), future(`{"online":false,"timestamp":1}`), true)
		g.out.addCase()
		g.Wake()
		pass(time.Minute)
		if done.Load() != 1 || taken.Load() != 1 || g.Status().Refused != 0 || len(g.sequences()) != 3 {
			t.Errorf("%d commands, %d configurations, %d refused, cases %v", done.Load(), taken.Load(), g.Status().Refused, g.sequences())
		}
		g.stop()
	})
}
