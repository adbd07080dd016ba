package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"yuanlu/agent/report/brokertest"
	"yuanlu/protocol/topics"
)

// TestDesiredInOneProcess runs the daemon, its lives and what comes from afar in this
// process, where the race detector sees them.
func TestDesiredInOneProcess(t *testing.T) {
	t.Parallel()
	fake := &brokertest.Fake{}
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
	// A flood: the newest counts.
	for v := range int64(20) {
		desire(10+v, 1, "x = 1")
	}
	eventually(t, "version 29 refused", func() bool {
		return reported(1, topics.ConfigRejected)() && strings.Contains(d.log.String(), "config.rejected version=29 ")
	})
	if n := strings.Count(d.log.String(), "config.rejected version="); n > 8 {
		t.Errorf("%d lines about a flood", n)
	}
	desire(30, 1, strings.Replace(string(text), url, fmt.Sprintf("tcp://127.0.0.1:%d", brokertest.FreePort(t)), 1))
	eventually(t, "the trial is over", d.said("config.reverted"))
	if code, out, _ := yl(t, "", "config", "revert", "--config", config); code != 0 || !strings.Contains(out, "version 1 of the back office does not count any more") {
		t.Errorf("config revert: %d %s", code, out)
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

// TestDesiredAnotherBroker: with a back office whose presence is known, another broker
// counts only if it is heard there.
func TestDesiredAnotherBroker(t *testing.T) {
	t.Parallel()
	first, second := &brokertest.Fake{}, &brokertest.Fake{}
	url, other := first.Listen(t), second.Listen(t)
	config, _ := writeConfig(t, "[mqtt]\nurl = \""+url+"\"\n[backoffice]\nhost = \"desk\"\n")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, config)
	names, err := topics.NewNames("yuanlu", "t-1")
	if err != nil {
		t.Fatal(err)
	}
	desire := func(version int64) {
		t.Helper()
		b, err := json.Marshal(&topics.DesiredConfig{Version: version, Config: strings.Replace(string(text), url, other, 1), TrialS: 5})
		if err != nil {
			t.Fatal(err)
		}
		first.Push(names.DesiredConfig(), b, true)
	}
	eventually(t, "connected", d.said("agent.ready"))
	eventually(t, "the trial", func() bool { desire(1); return d.said("config.accepted")() })
	eventually(t, "the return", d.said("config.reverted"))
	if !strings.Contains(d.log.String(), "the broker was reached, but desk was not heard there within 5s") {
		t.Errorf("log:\n%s", d.log)
	}
	eventually(t, "the second trial", func() bool { desire(2); return strings.Contains(d.log.String(), "config.accepted version=2") })
	eventually(t, "applied", func() bool {
		second.Push(names.HostState("desk"), []byte(`{"online":true,"timestamp":1}`), true)
		return strings.Contains(d.log.String(), "config.applied version=2")
	})
	d.stop(t)
}
