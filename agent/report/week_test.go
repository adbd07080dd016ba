package report_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/agent/report/brokertest"
	"yuanlu/agent/report/mqtt"
)

// TestSevenDaysOfOutage: the real MQTT client, virtual time. 2 000 cases a day
// pile up, then a back office that acknowledges is there again: every case is
// delivered once, in order, and the connection was tried at the pace of rule 10.
func TestSevenDaysOfOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind != brokertest.Publish || p.Topic != names.Case() {
				return false
			}
			c.Default(p)
			var seq int64
			fmt.Sscanf(string(p.Payload), `{"specversion":"1.0","id":"id-%d"`, &seq)
			if seq%100 == 0 {
				go f.Push(names.Ack(), ack(seq), false)
			}
			return true
		}
		var away atomic.Bool
		var tries atomic.Int64
		away.Store(true)
		dial := func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
			tries.Add(1)
			return mqtt.Dial(ctx, mqtt.Options{URL: "tcp://localhost", ClientID: terminal, WillTopic: topic, WillPayload: will,
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					if away.Load() {
						return nil, errors.New("network unreachable")
					}
					return f.Pipe(), nil
				}})
		}
		g := startWith(t, f, dial)
		for range 7 * 100 {
			for range 20 {
				g.out.addCase()
			}
			g.Wake()
			pass(7 * 24 * time.Hour / 700)
		}
		if n := tries.Load(); n < 10_000 || n > 40_000 { // 30 s on average
			t.Errorf("%d tries in seven days", n)
		}
		away.Store(false)
		pass(2 * time.Minute)
		if cases, _ := g.out.waiting(); cases != 0 {
			t.Errorf("%d cases still wait", cases)
		}
		got := g.sequences()
		if len(got) != 14_000 {
			t.Errorf("%d case events, want 14 000", len(got))
		}
		for i, n := range got {
			if n != i+1 {
				t.Errorf("event %d has sequence %d", i+1, n)
				break
			}
		}
		t.Logf("%d tries, %d events", tries.Load(), len(got))
		g.stop()
	})
}
