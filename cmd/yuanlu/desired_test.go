package main

import (
	"encoding/json"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// TestDesiredInOneProcess runs the daemon, its agents and a back office that sends
// configurations in this process, where the race detector sees them; agent/desired has
// the tests of what a Machine decides.
func TestDesiredInOneProcess(t *testing.T) {
	t.Parallel()
	var deaf atomic.Bool
	fake := &brokertest.Fake{}
	fake.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind != brokertest.Subscribe || !deaf.Load() {
			return false
		}
		_ = c.Raw([]byte{byte(brokertest.Suback << 4), 3, byte(p.ID >> 8), byte(p.ID), 0x80})
		return true
	}
	url := fake.Listen(t)
	config, _ := writeConfig(t, "[mqtt]\nurl = \""+url+"\"\n")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, config)
	names, err := topics.NewNames("yuanlu", "t-1")
	if err != nil {
		t.Fatal(err)
	}
	reported := func(version int64, status string) func() bool {
		return func() bool {
			all := fake.Published()
			for i := len(all) - 1; i >= 0; i-- {
				if all[i].Topic != names.Config() {
					continue
				}
				var c topics.Config
				return json.Unmarshal(all[i].Payload, &c) == nil && c.Version == version && c.Status == status
			}
			return false
		}
	}
	desire := func(version, expected int64, toml string) {
		t.Helper()
		b, err := json.Marshal(&topics.DesiredConfig{Version: version, Expected: expected, Config: toml, TrialS: 5})
		if err != nil {
			t.Fatal(err)
		}
		fake.Push(names.DesiredConfig(), b, true)
	}
	eventually(t, "the file in force", reported(0, topics.ConfigApplied))
	desire(1, 0, string(text)+"[health]\ninterval = \"50s\"\n")
	eventually(t, "version 1 applied", reported(1, topics.ConfigApplied))
	desire(7, 6, string(text))
	eventually(t, "another expectation declined", func() bool { return strings.Contains(d.log.String(), "config.rejected version=7 path=expected") })
	desire(1, 0, string(text))
	eventually(t, "that a version does nothing, published", func() bool {
		for _, p := range fake.Published() {
			if p.Topic == names.Event() && strings.Contains(string(p.Payload), `"code":"version"`) {
				return true
			}
		}
		return false
	})
	// A broker that takes a state and lets nothing down does not end a probation.
	deaf.Store(true)
	desire(30, 1, string(text)+"[health]\ninterval = \"40s\"\n")
	eventually(t, "the probation is over", d.said("config.reverted"))
	if log := d.log.String(); !strings.Contains(log, "nothing can come from the back office: the broker refused yuanlu/v1/t-1/dn/#") {
		t.Errorf("log:\n%s", log)
	}
	deaf.Store(false)
	if code, out, errs := yl(t, "", "config", "revert", "--config", config); code != 0 || !strings.Contains(out, "version 1 of the back office does not count any more") {
		t.Errorf("config revert: %d %s%s", code, out, errs)
	}
	eventually(t, "the file again", reported(0, topics.ConfigRejected))
	if code, out, _ := yl(t, "", "config", "revert", "--config", config); code != 0 || !strings.Contains(out, "was in force already") {
		t.Errorf("config revert again: %d %s", code, out)
	}
	d.stop(t)
	fake.CloseAll()
	if code, out, _ := yl(t, "", "config", "show", "--config", config); code != 0 || !strings.Contains(out, "# in force: "+config) || !strings.Contains(out, "version 30 of the back office was refused: returned: ") {
		t.Errorf("config show: %d %s", code, out)
	}
}
