package report_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
)

// TestPagesComeBeforeTheAnswer: an answer too long for one message comes in pages, each behind the
// broker's acknowledgement of the one before. Where the broker does not take one, the answer is
// an error: a reader would wait for the page that is lost.
func TestPagesComeBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := &atomic.Bool{}
		fake := &brokertest.Fake{}
		fake.Handler = func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			return deaf.Load() && p.Kind == brokertest.Publish && strings.Contains(string(p.Payload), `"page":2`)
		}
		leaf := strings.Repeat("x", 60<<10) // more than a message has else
		page := func(n int) any {
			return map[string]any{"page": n, "leaves": []any{map[string]any{"n": n, "size": 9, "leaf": leaf, "proof": []any{}}}}
		}
		g := start(t, fake, func(g *rig, o *report.Options) {
			g.names = []string{"evidence"}
			g.do = func(context.Context, report.Command) (any, error) {
				return report.Paged{Pages: []any{page(1), page(2)},
					Data: map[string]any{"origin": "o", "vkey": "k", "pages": 2, "leaves": 2, "removed": 0, "more": false, "checkpoints": []any{}}}, nil
			}
		})
		pass(2 * time.Second)
		g.push(names.Cmd("evidence"), command("e1", 60, `{"case_id":"c"}`), false)
		expectRsp(t, g, "evidence", "e1 accepted", "e1 progress", "e1 progress", "e1 ok")
		deaf.Store(true)
		g.push(names.Cmd("evidence"), command("e2", 60, `{"case_id":"c"}`), false)
		pass(3 * time.Minute) // the connection has ended: the answer is there for the one who asks again
		g.push(names.Cmd("evidence"), command("e2", 600, `{"case_id":"c"}`), false)
		if got := g.rsp("evidence"); got[len(got)-1] != "e2 error unheard" {
			t.Errorf("%q", got)
		}
		g.stop()
	})
}
