package report_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// TestReachedOnlyWhereThingsComeDown: a broker that takes a state and refuses what
// comes down has not been reached; one that grants it is heard from once something
// came.
func TestReachedOnlyWhereThingsComeDown(t *testing.T) {
	config, err := json.Marshal(topics.DesiredConfig{Version: 2, Expected: 1, Config: "x = 1"})
	if err != nil {
		t.Fatal(err)
	}
	key := topics.Key{ID: "k1", Public: make([]byte, 32)}
	for name, tc := range map[string]struct {
		refuse  bool
		keys    []topics.Key
		topic   string
		payload []byte
		reached int64
		heard   int64
	}{
		"refused":               {refuse: true},
		"nothing came":          {reached: 1},
		"configuration":         {topic: names.DesiredConfig(), payload: config, reached: 1, heard: 1},
		"acknowledgement":       {topic: names.Ack(), payload: ack(0), reached: 1, heard: 1},
		"command":               {topic: names.Cmd("ping"), payload: []byte("{}"), reached: 1, heard: 1},
		"no configuration":      {topic: names.DesiredConfig(), payload: []byte("{}"), reached: 1},
		"taken back":            {topic: names.DesiredConfig(), reached: 1},
		"unsigned":              {topic: names.DesiredConfig(), payload: config, keys: []topics.Key{key}, reached: 1},
		"unsigned command":      {topic: names.Cmd("ping"), payload: command("c1", 60, ""), keys: []topics.Key{key}, reached: 1},
		"another host":          {topic: names.HostState("other"), payload: []byte(`{"online":true,"timestamp":1}`), reached: 1},
		"the host":              {topic: names.HostState("desk"), payload: []byte(`{"online":true,"timestamp":1}`), reached: 1, heard: 1},
		"the host, not online":  {topic: names.HostState("desk"), payload: []byte(`{"online":false,"timestamp":1}`), reached: 1},
		"for another terminal":  {topic: "yuanlu/v1/t-other/dn/config", payload: config, reached: 1},
		"an unknown dn message": {topic: "yuanlu/v1/" + terminal + "/dn/other", payload: config, reached: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &brokertest.Fake{}
			fake.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
				if p.Kind != brokertest.Subscribe || !tc.refuse || p.Filters[0] != names.DownFilter() {
					return false
				}
				_ = c.Raw([]byte{byte(brokertest.Suback << 4), 3, byte(p.ID >> 8), byte(p.ID), 0x80})
				return true
			}
			var reached, heard atomic.Int64
			g := start(t, fake, func(g *rig, o *report.Options) {
				o.HostID, o.Keys = "desk", tc.keys
				g.take = func(topics.DesiredConfig, string) {}
				g.reached, g.heard = func() { reached.Add(1) }, func() { heard.Add(1) }
			})
			pass(time.Second)
			if tc.topic != "" {
				g.push(tc.topic, tc.payload, false)
				g.push(tc.topic, tc.payload, false)
			}
			pass(5 * time.Second)
			if tc.topic == names.HostState("desk") {
				heard.Store(min(heard.Load(), 1)) // however often it is noted
			}
			if reached.Load() != tc.reached || heard.Load() != tc.heard {
				t.Errorf("%s: reached %d times, heard %d, want %d and %d", name, reached.Load(), heard.Load(), tc.reached, tc.heard)
			}
			g.stop()
		})
	}
}
