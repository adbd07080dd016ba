package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics/topicstest"
)

// block is one fenced block of the README.
type block struct{ kind, text string }

// readmeBlocks returns the fenced blocks of one section, in order.
func readmeBlocks(t *testing.T, section string) []block {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("the README has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var all []block
	for _, m := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(rest, -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

func textOf(blocks []block, kind string) string {
	for _, b := range blocks {
		if b.kind == kind {
			return b.text
		}
	}
	return ""
}

// shims makes a folder with the programs that the README names, bound to a broker
// and a user of this test.
func shims(t *testing.T, port int, password string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"mosquitto_pub", "mosquitto_sub", "mosquitto_rr"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("#!/bin/sh\nexec %s -p %d -u backoffice -P %s \"$@\"\n", real, port, password)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "yuanlu-desk"), "yuanlu/cmd/yuanlu-desk").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// Every command that the README has for a back-office developer is run as it stands,
// in its order, against a real broker with the README's access list and a real
// daemon; and its case is what the contract says a case is.
func TestE2EReadmeForTheBackOffice(t *testing.T) {
	t.Parallel()
	blocks := readmeBlocks(t, "For a back-office developer")
	var sample bytes.Buffer
	if err := json.Compact(&sample, []byte(textOf(blocks, "json"))); err != nil {
		t.Fatalf("the case of the README: %v", err)
	}
	if err := topicstest.Received("yuanlu/v1/t-00423/up/case", sample.Bytes()); err != nil {
		t.Errorf("the case of the README: %v", err)
	}
	broker := brokertest.Start(t, brokertest.Options{ACL: textOf(blocks, "acl"), Passwords: map[string]string{"t-00423": "a", "backoffice": "b"}})
	fw := newFirmware(t, "e-sign", 61)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), id: "t-00423"})
	password := filepath.Join(st.dir, "password")
	if err := os.WriteFile(password, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(st.file(), "[delivery]", fmt.Sprintf("password_file = %q\n[time]\ntrust = \"always\"\n[delivery]", password), 1)
	if err := os.WriteFile(st.config, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := &bash{t: t, dir: t.TempDir(), path: shims(t, broker.Port, "b")}
	st.startOnline()
	fw.day(250, time.Millisecond)
	eventually(t, 20*time.Second, "cases sent", func() bool { s := outbox(t, st); return s.SentSeq > 5 && s.SentSeq == s.LastSeq })

	ran := 0
	for _, b := range blocks {
		if b.kind != "sh" {
			continue
		}
		ran++
		text := strings.NewReplacer("/dev/ttyS1", fw.link, "tls://broker.example:8883", broker.URL()).Replace(b.text)
		out := shell.run(text)
		switch {
		case strings.Contains(text, "-C 7"):
			for _, topic := range []string{"up/state ", "up/info ", "up/health ", "up/link/pos/state ", "up/case-summary ", "up/config ", "up/checkpoint "} {
				if !strings.Contains(out, "yuanlu/v1/t-00423/"+topic) {
					t.Errorf("%s is not among what is retained:\n%s", topic, out)
				}
			}
			checkHealth(t, out)
		case strings.Contains(text, `"acked_seq":'`) && strings.Contains(text, "case.json"):
			if strings.Contains(out, "case-resend first") {
				again := make(chan string, 1)
				go func() { again <- shell.run(text) }()
				resend := blocks[slices.IndexFunc(blocks, func(b block) bool { return strings.Contains(b.text, "dn/cmd/case-resend") })].text
				eventually(t, time.Minute, "the oldest case", func() bool { shell.run(resend); return len(again) > 0 })
			}
			eventually(t, 10*time.Second, "the acknowledged cases forgotten", func() bool { return outbox(t, st).AckedSeq > 0 })
		case strings.Contains(text, `"nack"`):
			eventually(t, 10*time.Second, "the refused case put aside", func() bool { return st.said("outbox.nacked") == 1 })
		case strings.Contains(text, "dn/cmd/case-resend"):
			if !strings.Contains(out, `"cases":`) {
				t.Errorf("case-resend answered %s", out)
			}
		case strings.Contains(text, "dn/cmd/ping"):
			if !strings.Contains(out, `"status":"ok"`) || !strings.Contains(out, `"session":`) {
				t.Errorf("the signed ping was answered with %s", out)
			}
		case strings.Contains(text, "dn/config"):
			if !strings.Contains(out, `"status":"applied"`) {
				t.Errorf("the configuration was answered with %s", out)
			}
		}
	}
	if ran < 7 {
		t.Errorf("only %d commands in the README", ran)
	}
	if n := strings.Count(st.log.String(), "dn.refused"); n > 0 {
		t.Errorf("%d payloads of the README were refused", n)
	}
	st.stop()
}

// TestE2EReadmeAcknowledgesNothingThatIsNotThere: where the first case that is seen is not
// the oldest that waits, the README's example acknowledges nothing.
func TestE2EReadmeAcknowledgesNothingThatIsNotThere(t *testing.T) {
	t.Parallel()
	text := ""
	for _, b := range readmeBlocks(t, "For a back-office developer") {
		if b.kind == "sh" && strings.Contains(b.text, "case.json") {
			text = b.text
		}
	}
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true, Passwords: map[string]string{"t-00423": "a", "backoffice": "b"}})
	c := brokertest.NewClient(t, broker.URL(), "t-00423", func(o *mqtt.ClientOptions) { o.SetUsername("t-00423").SetPassword("a") }, "yuanlu/v1/t-00423/dn/ack")
	for _, tc := range []struct {
		seq   int64
		floor int
		want  int64
		said  string
	}{{7, 0, 0, "1 to 6 are not here"}, {1, 0, 1, ""}, {3, 1, 1, "2 to 2 are not here"}, {2, 1, 2, ""}, {2, 5, 2, ""}} {
		dir := t.TempDir()
		shell := &bash{t: t, dir: dir, path: shims(t, broker.Port, "b")}
		for topic, payload := range map[string][]byte{"case": desktest.Case{Terminal: "t-00423", Seq: tc.seq}.JSON(),
			"case-summary": fmt.Appendf(nil, `{"v":1,"stream":"S1","last_seq":7,"acked_seq":%d}`, tc.floor)} {
			if err := c.Publish("yuanlu/v1/t-00423/up/"+topic, true, payload); err != nil { // the case retained, too: it waits here for the shell
				t.Fatal(err)
			}
		}
		if out := shell.run(text); !strings.Contains(out, tc.said) || (tc.said == "") != (out == "") {
			t.Errorf("%d on %d: said %q", tc.seq, tc.floor, out)
		}
		eventually(t, 10*time.Second, "what is acknowledged", func() bool { n, _ := c.Acked("S1"); return n == tc.want })
	}
}

// checkHealth checks that the health among what mosquitto_sub -v has printed says all
// that topics.md lists.
func checkHealth(t *testing.T, out string) {
	t.Helper()
	_, rest, _ := strings.Cut(out, "/up/health ")
	said := map[string]any{}
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&said); err != nil {
		t.Errorf("health: %v", err)
	}
	for _, member := range []string{"verdict", "problems", "clock", "mqtt", "outbox", "links", "records", "refunds", "cases", "memory_bytes", "disk_free_bytes", "interval_s"} {
		if _, ok := said[member]; !ok {
			t.Errorf("health says nothing of %s: %v", member, said)
		}
	}
}

// bash runs commands as somebody who types them one after the other.
type bash struct {
	t         *testing.T
	dir, path string
}

func (b *bash) run(text string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "[ -f vars ] && . ./vars; set +o pipefail\n"+text+"\ndeclare -p stream seq >vars 2>/dev/null || true")
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+b.path+":"+os.Getenv("PATH"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		b.t.Errorf("%v\n%s\nsaid: %s%s", err, text, out.String(), errs.String())
	}
	return out.String()
}
