package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"yuanlu/agent/desired"
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
	// Each answered, none spent: a jump to the last number, and another ground.
	desire(1<<53-1, 1, "x = 1")
	eventually(t, "the last number declined", func() bool {
		return strings.Contains(d.log.String(), "config.rejected version=9007199254740991 path=version")
	})
	desire(7, 6, string(text))
	desire(7, 6, string(text))
	eventually(t, "another ground declined", func() bool { return strings.Contains(d.log.String(), "config.rejected version=7 path=expected") })
	// A flood: the newest counts.
	for v := range int64(20) {
		desire(10+v, 1, "x = 1")
	}
	eventually(t, "version 29 refused", func() bool {
		return reported(1, topics.ConfigRejected)() && strings.Contains(d.log.String(), "config.rejected version=29 ")
	})
	if n := strings.Count(d.log.String(), "config.rejected version="); n > 10 {
		t.Errorf("%d lines about a flood", n)
	}
	// What is older does nothing; that is said once.
	desire(12, 1, "x = 1")
	eventually(t, "ignored", func() bool { return strings.Contains(d.log.String(), "version 12 of a configuration does nothing") })
	desire(12, 1, "x = 1")
	// A better text under a refused version, too; but not the refused one, which is
	// retained and comes again at each connection.
	desire(29, 1, "x = 1")
	desire(29, 1, string(text))
	eventually(t, "another text under a refused version said", func() bool { return strings.Contains(d.log.String(), "version 29 of a configuration does nothing") })
	eventually(t, "that told to the back office", func() bool {
		for _, p := range fake.Published() {
			if p.Topic == names.Event() && strings.Contains(string(p.Payload), `"code":"version"`) {
				return true
			}
		}
		return false
	})
	desire(30, 1, strings.Replace(string(text), url, fmt.Sprintf("tcp://127.0.0.1:%d", brokertest.FreePort(t)), 1))
	eventually(t, "the trial is over", d.said("config.reverted"))
	if code, out, _ := yl(t, "", "config", "revert", "--config", config); code != 0 || !strings.Contains(out, "version 1 of the back office does not count any more") {
		t.Errorf("config revert: %d %s", code, out)
	}
	eventually(t, "the file again", reported(0, topics.ConfigRejected))
	if code, out, _ := yl(t, "", "config", "revert", "--config", config); code != 0 || !strings.Contains(out, "was in force already") {
		t.Errorf("config revert again: %d %s", code, out)
	}
	for what, n := range map[string]int{"version 12 of a configuration does nothing": 1, "version 29 of a configuration does nothing": 1, "config.rejected version=7 ": 1, "config.rejected version=9007199254740991 ": 1} {
		if got := strings.Count(d.log.String(), what); got != n {
			t.Errorf("%q %d times, want %d", what, got, n)
		}
	}
	d.stop(t)
	fake.CloseAll()
	if code, out, _ := yl(t, "", "config", "show", "--config", config); code != 0 || !strings.Contains(out, "# in force: "+config) || !strings.Contains(out, "version 30 of the back office was refused: returned: ") {
		t.Errorf("config show: %d %s", code, out)
	}
}

// TestDesiredAnotherBroker: another broker counts only if something came from the back
// office there, to this terminal or about its presence.
func TestDesiredAnotherBroker(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ more, why string }{
		"no host": {"", "nothing came from the back office there within 5s: the desired configuration has to be retained at that broker too\""},
		"a host":  {"[backoffice]\nhost = \"desk\"\n", "retained at that broker too, or desk be online there\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := &brokertest.Fake{}, &brokertest.Fake{}
			url, other := first.Listen(t), second.Listen(t)
			config, _ := writeConfig(t, "[mqtt]\nurl = \""+url+"\"\n"+tc.more)
			text, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			d := startDaemon(t, config)
			names, err := topics.NewNames("yuanlu", "t-1")
			if err != nil {
				t.Fatal(err)
			}
			wish := func(version int64) []byte {
				t.Helper()
				b, err := json.Marshal(&topics.DesiredConfig{Version: version, Config: strings.Replace(string(text), url, other, 1), TrialS: 5})
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			eventually(t, "connected", d.said("agent.ready"))
			eventually(t, "the trial", func() bool { first.Push(names.DesiredConfig(), wish(1), true); return d.said("config.accepted")() })
			eventually(t, "the return", d.said("config.reverted"))
			if !strings.Contains(d.log.String(), tc.why) {
				t.Errorf("log:\n%s", d.log)
			}
			eventually(t, "the second trial", func() bool {
				first.Push(names.DesiredConfig(), wish(2), true)
				return strings.Contains(d.log.String(), "config.accepted version=2")
			})
			eventually(t, "applied", func() bool {
				if tc.more == "" {
					second.Push(names.DesiredConfig(), wish(2), true) // as it is retained there
				} else {
					second.Push(names.HostState("desk"), []byte(`{"online":true,"timestamp":1}`), true)
				}
				return strings.Contains(d.log.String(), "config.applied version=2")
			})
			d.stop(t)
		})
	}
}

// TestDesiredSubscriptionRefused: a broker that takes a state and lets nothing down
// does not end a trial, whatever was changed.
func TestDesiredSubscriptionRefused(t *testing.T) {
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
	config, _ := writeConfig(t, "[mqtt]\nurl = \""+fake.Listen(t)+"\"\n")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, config)
	b, err := json.Marshal(&topics.DesiredConfig{Version: 1, Config: string(text) + "[health]\ninterval = \"50s\"\n", TrialS: 5})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "connected", d.said("agent.ready"))
	eventually(t, "the trial", func() bool {
		fake.Push("yuanlu/v1/t-1/dn/config", b, true)
		deaf.Store(d.said("config.accepted")())
		return deaf.Load()
	})
	eventually(t, "the return", d.said("config.reverted"))
	if log := d.log.String(); strings.Contains(log, "config.applied") || !strings.Contains(log, "nothing can come from the back office: the broker refused yuanlu/v1/t-1/dn/#") {
		t.Errorf("log:\n%s", log)
	}
	d.stop(t)
}

// TestDesiredUnread: what is written and cannot be read now is neither given up nor
// written over; nothing is decided until it can be.
func TestDesiredUnread(t *testing.T) {
	t.Parallel()
	fake := &brokertest.Fake{}
	config, dir := writeConfig(t, "[mqtt]\nurl = \""+fake.Listen(t)+"\"\n")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	file := sha256.Sum256(text)
	if err := os.Mkdir(filepath.Join(dir, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	written := desired.NewStore(filepath.Join(dir, "store"))
	version := func(n int64) string { return fmt.Sprintf("%s[health]\ninterval = \"%ds\"\n", text, 50+n) }
	good := desired.State{Newest: 3, Base: hex.EncodeToString(file[:]), Good: &desired.Version{Number: 3, Text: version(3)}}
	path := filepath.Join(dir, "store", "config", "desired.json")
	if err := errors.Join(written.Write(good), written.Close(), os.Rename(path, path+".good"), os.Symlink("desired.json", path)); err != nil {
		t.Fatal(err) // a link to itself: nobody can read it
	}
	d := startDaemon(t, config)
	eventually(t, "unread", d.said("config.unread"))
	desire := func(n int64) {
		b, err := json.Marshal(&topics.DesiredConfig{Version: n, Expected: n - 1, Config: version(n)})
		if err != nil {
			t.Error(err)
		}
		fake.Push("yuanlu/v1/t-1/dn/config", b, true)
	}
	if code, _, why := yl(t, "", "config", "revert", "--config", config); code == 0 || !strings.Contains(why, "too many levels of symbolic links") {
		t.Errorf("config revert: %d %s", code, why)
	}
	desire(1)
	eventually(t, "connected", func() bool { return strings.Contains(d.log.String(), " mqtt.connected") })
	if link, err := os.Readlink(path); err != nil || link != "desired.json" || strings.Count(d.log.String(), " config.unread ") != 1 {
		t.Errorf("it was written over: %v\n%s", err, d.log)
	}
	for _, one := range fake.Published() {
		if strings.HasSuffix(one.Topic, "/up/config") {
			t.Errorf("said without knowing: %s", one.Payload)
		}
	}
	if err := os.Rename(path+".good", path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "version 4", func() bool { desire(4); return strings.Contains(d.log.String(), "config.applied version=4") })
	if log := d.log.String(); !strings.Contains(log, "config.in_force origin=backoffice version=3") || strings.Contains(log, "config.state_lost") {
		t.Errorf("log:\n%s", log)
	}
	d.stop(t)
}

// TestDesiredCountedAnew: where numbers have run to their end, config revert opens the
// way for the next version, without a daemon as well.
func TestDesiredCountedAnew(t *testing.T) {
	t.Parallel()
	config, dir := writeConfig(t, "")
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	written := desired.NewStore(store)
	if err := errors.Join(written.Write(desired.State{Newest: desired.MaxVersion, Refused: &desired.Refusal{Number: desired.MaxVersion, Problems: []desired.Problem{{Message: "x"}}}}), written.Close()); err != nil {
		t.Fatal(err)
	}
	if code, out, why := yl(t, "", "config", "revert", "--config", config); code != 0 || !strings.Contains(out, "was in force already\nversions are counted anew: the next one may be any up to 100000000000000") {
		t.Errorf("config revert: %d %s%s", code, out, why)
	}
	if s, err := desired.Read(store); err != nil || s.Newest != 0 || s.Answer() != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if code, out, _ := yl(t, "", "config", "revert", "--config", config); code != 0 || strings.Contains(out, "anew") {
		t.Errorf("config revert again: %d %s", code, out)
	}
}

// TestDesiredWhichOneWaits: the greatest version counts, and of one version what came
// last; one that is too far ahead keeps none from being heard.
func TestDesiredWhichOneWaits(t *testing.T) {
	const far = 5 + desired.MostJump + 1
	for _, tc := range []struct {
		came []int64
		want int // index of the one that waits
	}{
		{[]int64{6}, 0}, {[]int64{6, 7}, 1}, {[]int64{7, 6}, 0}, {[]int64{7, 7}, 1}, {[]int64{far, 7}, 1},
		{[]int64{7, far}, 0}, {[]int64{far, far + 1}, 1}, {[]int64{desired.MaxVersion, 6, far}, 1},
	} {
		g := &governor{poke: make(chan struct{}, 1), state: desired.State{Newest: 5}}
		for i, v := range tc.came {
			g.take(topics.DesiredConfig{Version: v, Config: fmt.Sprint(i)}, "")
		}
		if g.message == nil || g.message.Config != fmt.Sprint(tc.want) {
			t.Errorf("of %v waits %+v, want number %d", tc.came, g.message, tc.want)
		}
	}
}
