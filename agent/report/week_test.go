package report_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// TestSevenDaysOfOutage: the real MQTT client, virtual time. 2 000 cases a day
// pile up, then a back office that acknowledges is there again: every case is
// delivered once, in order, and the connection was tried at the pace of topics.md rule 10:
// never more than a minute apart, and spread over that minute.
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
		var mu sync.Mutex // guards tries
		var tries []time.Time
		away.Store(true)
		dial := func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
			mu.Lock()
			tries = append(tries, time.Now())
			mu.Unlock()
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
		mu.Lock()
		n := len(tries)
		checkSpread(t, tries)
		mu.Unlock()
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
		t.Logf("%d tries, %d events", n, len(got))
		g.stop()
	})
}

// checkSpread checks that seven days of tries keep to topics.md rule 10: full jitter of 60 s.
func checkSpread(t *testing.T, tries []time.Time) {
	t.Helper()
	if n := len(tries); n < 15_000 || n > 30_000 { // 30 s on average
		t.Errorf("%d tries in seven days", n)
	}
	var quarters [4]int // of the minute
	for i := 8; i < len(tries); i++ {
		gap := tries[i].Sub(tries[i-1])
		if gap > time.Minute {
			t.Errorf("%v between two tries", gap)
		}
		quarters[min(int(gap/(15*time.Second)), 3)]++
	}
	for i, n := range quarters {
		if share := float64(n) / float64(len(tries)); share < 0.2 || share > 0.3 {
			t.Errorf("%.0f %% of the waits fall into quarter %d of the minute, want about 25", 100*share, i+1)
		}
	}
}

// TestSevenDaysWithoutABackOffice: the broker takes everything and no one
// acknowledges. Each case is sent again at the pace of topics.md rule 5 with the same id, and
// is forgotten with the first acknowledgement.
func TestSevenDaysWithoutABackOffice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &brokertest.Fake{}
		var at [11][]time.Time
		f.Handler = func(_ *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Publish && p.Topic == names.Case() {
				var n int
				fmt.Sscanf(string(p.Payload), `{"specversion":"1.0","id":"id-%d"`, &n)
				at[n] = append(at[n], time.Now())
			}
			return false
		}
		g := start(t, f)
		for range 10 {
			g.out.addCase()
		}
		g.Wake()
		pass(7 * 24 * time.Hour)
		for n, sent := range at[1:] {
			if len(sent) < 670 || len(sent) > 680 { // 30 s, 1, 2, 4, 8 min, then 96 a day
				t.Errorf("case %d was sent %d times", n+1, len(sent))
			}
			for i := 1; i < len(sent); i++ {
				want := min(30*time.Second<<min(i-1, 10), 15*time.Minute)
				if gap := sent[i].Sub(sent[i-1]); gap < want || gap > want+10*time.Second {
					t.Errorf("case %d, attempt %d after %v, want %v", n+1, i+1, gap, want)
				}
			}
		}
		before := len(g.sequences())
		f.Push(names.Ack(), ack(10), false)
		pass(24 * time.Hour)
		if cases, _ := g.out.waiting(); cases != 0 || len(g.sequences()) != before {
			t.Errorf("%d cases wait, sent %d times after they were acknowledged", cases, len(g.sequences())-before)
		}
		g.stop()
	})
}
