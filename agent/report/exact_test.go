package report_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// TestTakesExactlyNamedMembers: a member that only looks like a known one goes round
// no bound of a schema; like any that is not known, it is ignored.
func TestTakesExactlyNamedMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []topics.DesiredConfig
		done := 0
		g := start(t, &brokertest.Fake{}, func(g *rig, o *report.Options) {
			o.HostID = "desk"
			g.names = []string{"selftest"}
			g.do = func(context.Context, report.Command) (any, error) {
				g.mu.Lock()
				defer g.mu.Unlock()
				done++
				return map[string]any{"verdict": "ok", "lines": []any{}}, nil
			}
			g.take = func(d topics.DesiredConfig, _ string) {
				g.mu.Lock()
				defer g.mu.Unlock()
				taken = append(taken, d)
			}
		})
		g.out.addCase()
		pass(time.Second)
		g.push(names.HostState("desk"), []byte(`{"online":true,"timestamp":5,"Online":false,"TIMESTAMP":9000000000000000000}`), true)
		pass(time.Second)
		if n := len(g.sequences()); n != 1 {
			t.Errorf("%d cases sent, want 1: the back office is online", n)
		}
		late := strings.TrimSuffix(string(command("c1", 60, "")), "}") + `,"ID":"evil","TTL_S":9000000000}`
		g.push(names.Cmd("ping"), []byte(late), false)
		pass(2 * time.Minute)
		old := strings.Replace(late, `"c1"`, `"c2"`, 1)
		g.push(names.Cmd("ping"), []byte(old), false)
		expectRsp(t, g, "ping", "c1 ok", "c2 expired expired")
		g.push(names.DesiredConfig(), []byte(`{"version":2,"expected":0,"config":"x = 1","Version":9223372036854775807,"Trial_s":-5,"CONFIG":"y"}`), true)
		g.push(names.Ack(), fmt.Appendf(nil, `{"stream":%q,"acked_seq":0,"Acked_Seq":1,"NACK":[{"seq":1,"code":"schema","message":""}]}`, stream), false)
		pass(time.Second)
		g.stop()
		if len(taken) != 1 || taken[0] != (topics.DesiredConfig{Version: 2, Config: "x = 1"}) || done != 0 {
			t.Errorf("took %+v, did %d", taken, done)
		}
		if g.out.acked != 0 || len(g.out.quarantined) != 0 {
			t.Errorf("acknowledged %d, refused %v", g.out.acked, g.out.quarantined)
		}
	})
}
