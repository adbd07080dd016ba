package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// TestE2ECommands asks a real daemon, on a real broker and a simulated terminal, for
// every command: once as it should be, then with whatever somebody might send, without
// keys and with payloads that yuanlu-desk signs.
func TestE2ECommands(t *testing.T) {
	for _, signed := range []bool{false, true} {
		t.Run(map[bool]string{false: "unsigned", true: "signed"}[signed], func(t *testing.T) {
			t.Parallel()
			broker := brokertest.Start(t, brokertest.Options{Unchecked: true}) // what is sent breaks the contract on purpose
			c := newCommander(t, broker.URL(), "t-e2e")
			extra := "\n[time]\ntrust = \"always\"\n"
			if signed {
				extra += c.keygen()
			}
			fw := newFirmware(t, "e-sign", 91)
			st := newStation(t, settings{port: fw.link, broker: broker.URL(), extra: extra})
			newDesk(t, broker.URL(), st.id).mute = signed // cases are acknowledged in one of the two
			st.startOnline()
			c.online(1)
			fw.day(30, time.Millisecond)
			begin := time.Now()
			for _, part := range []struct {
				what string
				do   func()
			}{
				{"every command", func() { everyCommand(t, c, st, fw) }}, {"hostile arguments", func() { hostileArguments(t, c) }},
				{"hostile messages", func() { hostileMessages(t, c) }}, {"a lost connection", func() { answersOutlive(t, c, broker) }},
				{"restart", func() { restarts(t, c, st) }},
			} {
				part.do()
				t.Logf("%s: after %v", part.what, time.Since(begin).Round(time.Millisecond))
			}
			st.stop()
			if signed {
				return
			}
			texts := map[string][]byte{"log": []byte(st.log.String()), "MQTT traffic": c.bytes}
			searchForSecrets(t, fw.term.Secrets(), []string{st.store}, texts)
		})
	}
}

// online waits until the terminal has said what it is n times.
func (c *commander) online(n int) {
	c.t.Helper()
	eventually(c.t, 30*time.Second, "online", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.infos >= n && (c.state.State == topics.StateOnline || c.state.State == topics.StateDegraded)
	})
}

func everyCommand(t *testing.T, c *commander, st *station, fw *firmware) {
	var names []string
	for _, one := range topics.Commands() {
		names = append(names, one.Name)
	}
	if !slices.Equal(c.info.Commands, names) {
		t.Errorf("up/info lists %v, want %v", c.info.Commands, names)
	}
	c.ok("ping", "ping-1", "", nil)
	var stat struct {
		LastSeq int64 `json:"last_seq"`
	}
	eventually(t, 20*time.Second, "a case", func() bool { return outbox(t, st).LastSeq > 0 })
	if c.ok("outbox-stat", "stat-1", "{}", &stat); stat.LastSeq == 0 {
		t.Error("outbox-stat knows no case")
	}
	c.ok("case-resend", "resend-1", `{"from_seq":1}`, nil)
	before := c.infos
	c.ok("rebirth", "rebirth-1", "", nil)
	c.online(before + 1)
	logCommands(t, c)
	linkCommands(t, c, st, fw)

	var self struct {
		Verdict string
		Lines   []struct{ Name, Level, Text, Remedy string }
	}
	c.ok("selftest", "self-1", `{"lang":"zh"}`, &self)
	text := fmt.Sprint(self)
	for _, want := range []string{"数据库", "磁盘", "链路 pos", "时钟", "服务器", "内应答", "完整"} {
		if !strings.Contains(text, want) {
			t.Errorf("selftest says nothing of %s: %v", want, text)
		}
	}
	all := c.said("self-1")
	if len(all) != 14 || all[0].Status != topics.RspAccepted || all[1].Status != topics.RspProgress {
		t.Errorf("selftest: %v", all)
	}
	bundleCommand(t, c, st, fw)
}

func logCommands(t *testing.T, c *commander) {
	var level struct{ Level, Configured, Until string }
	if c.ok("log-level", "level-1", `{"level":"debug","for_s":60}`, &level); level.Level != "debug" || level.Configured != "info" || level.Until == "" {
		t.Errorf("log-level: %+v", level)
	}
	var tail struct {
		Lines   []struct{ Time, Level, Code, Fields string }
		LeftOut int `json:"left_out"`
	}
	if c.ok("log-tail", "tail-1", `{"lines":500,"level":"debug"}`, &tail); len(tail.Lines) < 10 || tail.Lines[0].Time > tail.Lines[len(tail.Lines)-1].Time {
		t.Errorf("log-tail: %d lines, %d left out", len(tail.Lines), tail.LeftOut)
	}
	if c.ok("log-tail", "tail-2", `{"lines":5,"cases":true}`, &tail); len(tail.Lines) == 0 || len(tail.Lines) > 5 || !strings.HasPrefix(tail.Lines[0].Code, "case.") {
		t.Errorf("log-tail of cases: %+v", tail)
	}
	var got struct {
		Digest, Origin string
		Settings       []struct {
			Name, Value string
			Default     bool
		}
	}
	c.ok("config-get", "get-1", "", &got)
	if text := fmt.Sprint(got.Settings); got.Digest != c.info.Config.Digest || got.Origin != "file" ||
		!strings.Contains(text, `{terminal.id "t-e2e" false}`) || !strings.Contains(text, `{log.level "info" true}`) {
		t.Errorf("config-get: %+v", got)
	}
}

func linkCommands(t *testing.T, c *commander, st *station, fw *firmware) {
	before := st.said("link.online")
	var link struct{ Link, State string }
	if c.ok("link-reopen", "reopen-1", `{"link":"pos"}`, &link); link.State != "online" {
		t.Errorf("link-reopen: %+v", link)
	}
	eventually(t, 10*time.Second, "the port open again", func() bool { return st.said("link.online") > before })
	type info struct {
		File    string
		Bytes   int64
		Running bool
		Reason  string
	}
	var one info
	if c.ok("capture-start", "cap-1", `{"link":"pos","max_bytes":1000000,"for_s":60}`, &one); !one.Running {
		t.Errorf("capture-start: %+v", one)
	}
	c.refused("capture-start", "cap-2", `{"link":"pos"}`, "error busy")
	fw.day(10, time.Millisecond)
	eventually(t, 10*time.Second, "captured", func() bool {
		i, err := os.Stat(one.File)
		return err == nil && i.Size() > 500
	})
	var ended struct{ Captures []info }
	if c.ok("capture-stop", "cap-3", `{"link":"pos"}`, &ended); len(ended.Captures) != 1 || ended.Captures[0].Reason != "stopped" || ended.Captures[0].Bytes == 0 {
		t.Errorf("capture-stop: %+v", ended)
	}
	c.refused("capture-stop", "cap-4", "", "error not_found")
}

func bundleCommand(t *testing.T, c *commander, st *station, fw *firmware) {
	var r struct {
		File, SHA256 string
		Bytes        int64
		Failed       []string
	}
	c.ok("support-bundle", "bundle-1", `{"captures":true}`, &r)
	if all := c.said("bundle-1"); len(all) < 10 || all[0].Status != topics.RspAccepted || all[1].Status != topics.RspProgress {
		t.Errorf("support-bundle: %v", all)
	}
	b, err := os.ReadFile(r.File)
	must(t, err)
	sum := sha256.Sum256(b)
	info, err := os.Stat(r.File)
	must(t, err)
	if _, err := os.Stat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) {
		// A machine without systemd has no unit: both parts are named as missing.
		if got := strings.Join(r.Failed, " "); got != "unit.txt journal.txt" {
			t.Errorf("support-bundle: missing %q, want both parts of the unit", got)
		}
		r.Failed = nil
	}
	if hex.EncodeToString(sum[:]) != r.SHA256 || int64(len(b)) != r.Bytes || info.Mode().Perm() != 0o600 || len(r.Failed) > 0 || !strings.HasPrefix(r.File, st.store) {
		t.Errorf("support-bundle: %+v, %v", r, info.Mode())
	}
	searchBundles(t, fw, b)
	// The verb makes the same while the daemon runs.
	out := filepath.Join(t.TempDir(), "b.tar.gz")
	st.out("support-bundle", "--captures", "--out", out)
	b, err = os.ReadFile(out)
	must(t, err)
	searchBundles(t, fw, b)
}

// searchBundles unpacks a bundle: it has its parts, and no identity in any form.
func searchBundles(t *testing.T, fw *firmware, packed []byte) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	must(t, err)
	texts := map[string][]byte{}
	names := ""
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		b, err := io.ReadAll(in)
		must(t, err)
		texts[h.Name] = b
		names += " " + strings.TrimPrefix(h.Name, "yuanlu-support-t-e2e/")
	}
	for _, want := range []string{"version.json", "doctor.txt", "system.json", "links.json", "config.toml", "status.json", "log.txt", "log-file.txt",
		"outbox-stat.json", "outbox-list.json", "store.json", "captures.json", "captures/pos-", "manifest.json"} {
		if !strings.Contains(names, want) {
			t.Errorf("the bundle has no %s:%s", want, names)
		}
	}
	searchForSecrets(t, fw.term.Secrets(), nil, texts)
}

// hostileArguments returns every command arguments of every other, and values of every
// kind: what it does not know is refused by name, and nothing happens.
func hostileArguments(t *testing.T, c *commander) {
	all := []string{
		`{"x":1}`, `{"":null}`, `{"link":"../../etc/passwd"}`, `{"link":"nolink"}`, `{"link":null}`, `{"link":["pos"]}`, `{"level":"loud"}`,
		`{"level":"info","for_s":-1}`, `{"level":"info","for_s":14401}`, `{"level":"info","for_s":1.5}`, `{"lines":1e9}`, `{"lines":"5; reboot"}`,
		`{"lang":"fr"}`, `{"captures":"yes"}`, `{"from_seq":-5}`, `{"from_seq":9223372036854775808}`, `{"link":"pos","max_bytes":0}`,
		`{"link":"pos","for_s":86401}`, `{"Link":"pos"}`, `{"link":"pos\u0000"}`, fmt.Sprintf(`{"link":%q}`, strings.Repeat("a", 5000)),
		strings.Repeat(`{"a":`, 60) + `1` + strings.Repeat(`}`, 60),
	}
	if c.keyFile != "" {
		all = all[2:4] // each costs a process that signs
	}
	for _, spec := range topics.Commands() {
		for i, args := range all {
			c.refused(spec.Name, fmt.Sprintf("h-%s-%d", spec.Name, i), args, "rejected args")
		}
	}
	a := c.ask("link-reopen", "h-names", `{"link":"nolink"}`)
	if a.Error == nil || !strings.Contains(a.Error.Message, "args.link") || !strings.Contains(a.Error.Message, "pos") {
		t.Errorf("an unknown link: %v", a)
	}
	c.refused("dance", "h-dance", `{}`, "rejected unknown_command")
}

// hostileMessages are commands that are not to be done: expired, from the future, said
// again, and no commands at all.
func hostileMessages(t *testing.T, c *commander) {
	c.send("log-level", c.payload("log-level", "m-old", time.Now().Add(-2*time.Minute), 60, `{"level":"error"}`), false)
	if a := c.await("m-old", 1); a.Status != topics.RspExpired {
		t.Errorf("expired: %v", a)
	}
	c.send("ping", c.payload("ping", "m-future", time.Now().Add(time.Hour), 60, ""), false)
	if a := c.await("m-future", 1); a.Error == nil || a.Error.Code != "clock" {
		t.Errorf("from the future: %v", a)
	}
	again := c.payload("selftest", "m-again", time.Now(), 600, "")
	c.send("selftest", again, false)
	first := c.await("m-again", 1)
	c.send("selftest", again, false)
	if second := c.await("m-again", 2); first.Status != topics.RspOK || !bytes.Equal(first.Data, second.Data) || !first.TS.Equal(second.TS.Time) {
		t.Errorf("said again: %v, %v", first, second)
	}
	if c.keyFile != "" {
		c.send("ping", []byte(`{"id":"m-unsigned","ts":"`+time.Now().UTC().Format(time.RFC3339)+`","ttl_s":60}`), false)
		if a := c.await("m-unsigned", 1); a.Error == nil || a.Error.Code != "unsigned" {
			t.Errorf("unsigned: %v", a)
		}
		for what, other := range map[string]string{"rebirth": "m-other", "restart": "m-other2"} {
			c.send(what, c.payload("ping", other, time.Now(), 60, ""), false) // signed for another topic
			if a := c.await(other, 1); a.Error == nil || a.Error.Code != "signature" {
				t.Errorf("signed for another topic: %v", a)
			}
		}
	}
	// Many at once: each is answered, few are done.
	for i := range 12 {
		c.send("support-bundle", c.payload("support-bundle", fmt.Sprint("m-many-", i), time.Now(), 60, ""), false)
	}
	done := 0
	for i := range 12 {
		switch a := c.await(fmt.Sprint("m-many-", i), 1); {
		case a.Status == topics.RspOK:
			done++
		case a.Error == nil || a.Error.Code != "busy":
			t.Errorf("one of many: %v", a)
		}
	}
	if done == 0 {
		t.Error("of many none was done")
	}
	for _, junk := range []string{"", "{", "\xff\xfe", `[]`, `"x"`, `{"id":"m-junk"}`, strings.Repeat("[", 70000)} {
		c.send("restart", []byte(junk), false)
	}
	c.ok("ping", "m-alive", "", nil)
}

// answersOutlive: a broker that is restarted costs no answer.
func answersOutlive(t *testing.T, c *commander, broker *brokertest.Broker) {
	again := c.payload("selftest", "o-1", time.Now(), 600, "")
	c.send("selftest", again, false)
	broker.Stop()
	broker.Run()
	for n := 0; ; n++ { // until the terminal is back: it may take its time
		if n == 100 {
			t.Fatalf("no answer after the broker's restart: %v", c.said("o-1"))
		}
		if c.client.IsConnectionOpen() {
			c.send("selftest", again, false)
		}
		if waitFor(time.Second/2, func() bool {
			return len(c.said("o-1")) > 0 && c.said("o-1")[len(c.said("o-1"))-1].Status == topics.RspOK
		}) {
			break
		}
	}
	first := c.await("o-1", 1)
	c.send("selftest", again, false)
	eventually(t, 10*time.Second, "the answer again", func() bool {
		all := c.said("o-1")
		return len(all) > 1 && all[len(all)-1].TS.Equal(first.TS.Time)
	})
}

// restarts: the answer comes first, the process stays, and what asked for it cannot ask
// again.
func restarts(t *testing.T, c *commander, st *station) {
	pid, starts, infos := st.cmd.Process.Pid, st.said("agent.ready"), c.infos
	if err := os.WriteFile(st.config, append([]byte("x = 1\n"), mustRead(t, st.config)...), 0o600); err != nil {
		t.Fatal(err)
	}
	c.refused("restart", "r-config", "", "rejected config")
	must(t, os.WriteFile(st.config, bytes.TrimPrefix(mustRead(t, st.config), []byte("x = 1\n")), 0o600))

	// Retained, it is sent again to every new subscriber; to who has subscribed it is
	// one like any other.
	c.send("ping", c.payload("ping", "r-retained", time.Now(), 600, ""), true)
	c.await("r-retained", 1)
	again := c.payload("restart", "r-1", time.Now().Add(290*time.Second), 600, "") // from a desk whose clock is fast
	c.send("restart", again, false)
	if a := c.await("r-1", 1); a.Status != topics.RspOK || !strings.Contains(string(a.Data), fmt.Sprintf(`"pid":%d`, pid)) {
		t.Fatalf("restart: %v %s", a, a.Data)
	}
	eventually(t, 30*time.Second, "another start", func() bool { return st.said("agent.ready") == starts+1 })
	c.online(infos + 1)
	select {
	case err := <-st.done:
		t.Fatalf("the process has ended: %v", err)
	default:
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("pid %d: %v", pid, err)
	}
	if a := c.await("r-retained", 2); a.Status != topics.RspRejected || a.Error.Code != "retained_command" {
		t.Errorf("retained: %v", a)
	}
	c.send("ping", nil, true)
	c.send("restart", again, false)
	if a := c.await("r-1", 2); a.Status != topics.RspExpired || a.Error.Code != "taken_before" {
		t.Errorf("the same again: %v", a)
	}
	c.refused("restart", "r-2", "", "rejected too_soon")
	c.ok("ping", "r-alive", "", nil)
	if n := st.said("agent.ready"); n != starts+1 {
		t.Errorf("%d starts", n)
	}

	// Nor after a life that ended at once, when nothing speaks against a restart.
	infos = c.infos
	st.kill()
	st.startOnline()
	c.online(infos + 1)
	c.send("restart", again, false)
	if a := c.await("r-1", 3); a.Status != topics.RspExpired || a.Error.Code != "taken_before" {
		t.Errorf("the same after a power cut: %v", a)
	}
	c.ok("ping", "r-alive-2", "", nil)
	if n := st.said("agent.ready"); n != starts+2 {
		t.Errorf("%d starts", n)
	}
	c.send("link-reopen", c.payload("link-reopen", "reopen-1", time.Now(), 600, `{"link":"pos"}`), false)
	if a := c.await("reopen-1", 2); a.Status != topics.RspExpired || a.Error.Code != "taken_before" {
		t.Errorf("an id of the first life: %v", a)
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return b
}
