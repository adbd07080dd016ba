package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// ran is what one run of the program left.
type ran struct {
	code        int
	out, errors string
}

func run1(stdin string, args ...string) ran { return runEnv(nil, stdin, args...) }

func runEnv(env map[string]string, stdin string, args ...string) ran {
	var out, errs bytes.Buffer
	p := &program{args: args, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, env: func(k string) string { return env[k] }, now: time.Now}
	code := p.run(context.Background())
	return ran{code, out.String(), errs.String()}
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := filepath.Join(dir, "open.key")
	if r := run1("", "keygen", "--out", open); r.code != 0 {
		t.Fatal(r)
	}
	key := filepath.Join(dir, "desk.key")
	run1("", "keygen", "--out", key)
	if err := os.Chmod(open, 0o640); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	if out, err := exec.Command("sqlite3", newer, "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL); INSERT INTO meta VALUES('version','9')").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	broker := []string{"serve", "--broker", "tcp://127.0.0.1:1", "--listen", "-"}
	for _, tc := range []struct {
		want int
		args []string
	}{
		{2, nil}, {2, []string{"dance"}}, {0, []string{"help"}}, {0, []string{"serve", "--help"}}, {0, []string{"version"}}, {0, []string{"--version"}},
		{2, []string{"serve"}}, {2, []string{"serve", "--brokr", "x"}}, {2, append(broker, "extra")}, {2, append(broker, "--lang", "fr")},
		{2, append(broker, "--log", "xml")},
		{78, []string{"serve", "--broker", "http://x"}}, {78, []string{"serve", "--broker", "tcp://broker.example:1883"}},
		{78, append(broker, "--cert-file", "x")}, {78, append(broker, "--host", "Über")}, {78, append(broker, "--root", "a/#")},
		{78, append(broker, "--share", "a/b")}, {78, append(broker, "--store", "mysql://x")}, {78, append(broker, "--sign-key", file("no.key", "nothing", 0o600))},
		{77, append(broker, "--sign-key", open)}, {3, append(broker, "--sign-key", filepath.Join(dir, "none"))},
		{73, append(broker, "--store", filepath.Join(dir, "no", "x.db"))}, {73, append(broker, "--store", "postgres://u:sesame@127.0.0.1:1/x?connect_timeout=2")},
		{73, append(broker, "--store", newer)}, {73, append(broker, "--store", file("garbage.db", strings.Repeat("garbage ", 999), 0o600))},
		{2, append(broker, "--listen", "0.0.0.0:0")}, {2, append(broker, "--listen", "nonsense")}, {78, append(broker, "--listen", "127.0.0.1:0", "--token-file", file("empty", "", 0o600))},
		{2, []string{"keygen"}}, {78, []string{"keygen", "--out", filepath.Join(dir, "k"), "--id", "Not So"}},
		{2, []string{"sign"}}, {2, []string{"sign", "--key", key, "--topic", "yuanlu/v1/t-1/up/case"}},
		{2, []string{"sign", "--key", key, "--topic", "yuanlu/v1/t-1/dn/ack", "--terminal", "t-2"}},
		{65, []string{"sign", "--key", key, "--topic", "yuanlu/v1/t-1/dn/ack"}},
		{77, []string{"sign", "--key", open, "--topic", "yuanlu/v1/t-1/dn/ack"}},
		{2, []string{"watch", "--api", "nonsense"}}, {69, []string{"watch", "--api", "http://127.0.0.1:1"}},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			r := run1("not json", tc.args...)
			if r.code != tc.want || strings.Contains(r.errors+r.out, "sesame") || r.code != 0 && r.errors == "" {
				t.Errorf("%v: exit %d, want %d: %s", tc.args, r.code, tc.want, r.errors)
			}
		})
	}
	if _, err := os.Stat("yuanlu-desk.db"); err == nil {
		t.Error("a store was made although the settings were wrong")
	}
	if r := runEnv(map[string]string{"LANG": "zh_CN.UTF-8"}, "", "help"); !strings.Contains(r.out, "参考后台") {
		t.Error(r.out)
	}
}

func TestKeygenAndSign(t *testing.T) {
	key := filepath.Join(t.TempDir(), "desk.key")
	r := run1("", "keygen", "--out", key, "--id", "desk-2026")
	m := regexp.MustCompile(`^\[\[backoffice\.key\]\]\nid = "desk-2026"\npublic_key = "([A-Za-z0-9+/=]{44})"\n$`).FindStringSubmatch(r.out)
	if r.code != 0 || m == nil {
		t.Fatalf("%+v", r)
	}
	public, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if again := run1("", "keygen", "--out", key); again.code == 0 {
		t.Error("a key was written over another")
	}
	if after, err := os.ReadFile(key); err != nil || !bytes.Equal(before, after) {
		t.Error("the key file was touched")
	}
	check, err := topics.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	keys := []topics.Key{{ID: "desk-2026", Public: ed25519.PublicKey(public)}}
	for _, tc := range []struct{ stdin, topic, args, schema string }{
		{`{"id":"c1","ts":"2026-08-23T01:00:00Z","ttl_s":5,"args":{}}`, "yuanlu/v1/t-1/dn/cmd/ping", "--topic yuanlu/v1/t-1/dn/cmd/ping", "cmd.v1"},
		{`{}`, "yuanlu/v1/t-1/dn/cmd/ping", "--terminal t-1 --topic cmd/ping", "cmd.v1"},
		{`{"stream":"S","acked_seq":3}` + "\n", "shop/cn/v1/t-1/dn/ack", "--root shop/cn --terminal t-1 --topic dn/ack", "ack.v1"},
		{`{"version":2,"expected":1,"config":"[terminal]\n"}`, "yuanlu/v1/t-1/dn/config", "--topic yuanlu/v1/t-1/dn/config", "desired-config.v1"},
	} {
		t.Run(tc.stdin, func(t *testing.T) {
			r := run1(tc.stdin, append([]string{"sign", "--key", key}, strings.Fields(tc.args)...)...)
			s, body, err := topics.Open(check, keys, tc.topic, "t-1", []byte(r.out))
			if err != nil || check.Check(tc.schema, body) != nil || strings.Count(r.out, "\n") != 1 {
				t.Errorf("%s: %v %+v", tc.args, err, r)
			}
			if tc.schema == "cmd.v1" && !strings.Contains(string(body), s.ID) {
				t.Errorf("the command's id is not the envelope's: %s %s", s.ID, body)
			}
			if _, _, err := topics.Open(check, keys, tc.topic+"x", "t-1", []byte(r.out)); err == nil {
				t.Error("the signature fits another topic")
			}
		})
	}
	for _, bad := range []string{`{"ttl_s":"long"}`, `[]`, `{"id":"with space"}`, `null`, strings.Repeat("x", 40_000)} {
		t.Run(bad, func(t *testing.T) {
			if r := run1(bad, "sign", "--key", key, "--topic", "yuanlu/v1/t-1/dn/cmd/ping"); r.code != exitData || r.out != "" {
				t.Errorf("%.40s: %+v", bad, r)
			}
		})
	}
}

// The whole program: ready, cases in watch and as JSON, a clean stop with the
// presence offline, and a second start that remembers.
func TestE2EServeAndWatch(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, "--broker", b.URL(), "--store", filepath.Join(dir, "desk.db"), "--listen", "127.0.0.1:0", "--token-file", token)
	d.startDesk()
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#", "yuanlu/v1/_host/desk/state")
	online := func() bool {
		h := c.Received()
		return len(h) > 0 && strings.Contains(string(h[len(h)-1].Payload), `"online":true`)
	}
	desktest.Eventually(t, 10*time.Second, "online published", online)
	for n := range int64(3) {
		if err := c.Publish("yuanlu/v1/t-1/up/case", false, desktest.Case{Seq: n + 1}.JSON()); err != nil {
			t.Fatal(err)
		}
	}
	desktest.Eventually(t, 10*time.Second, "acknowledged", func() bool { n, _ := c.Acked("S1"); return n == 3 })
	if r := run1("", "watch", "--api", d.api); r.code != exitConfig {
		t.Errorf("without a token: %+v", r)
	}
	r := run1("", "watch", "--api", d.api, "--token-file", token, "--all", "--count", "3")
	if r.code != 0 || strings.Count(r.out, "opened") != 3 || !strings.Contains(r.out, "refund 3.50 CNY") || !strings.Contains(r.out, "recipient_mismatch  other card") ||
		strings.Contains(r.out, "\x1b") || !strings.Contains(r.out, "620550*********0004") {
		t.Errorf("%+v", r)
	}
	r = run1("", "watch", "--api", d.api, "--token-file", token, "--after", "1", "--count", "1", "--lang", "zh")
	if r.code != 0 || !strings.Contains(r.out, "立案") || !strings.Contains(r.out, "卡号不同") || !strings.Contains(r.out, "000002") {
		t.Errorf("%+v", r)
	}
	r = run1("", "watch", "--api", d.api, "--token-file", token, "--all", "--count", "2", "--json")
	var row struct {
		N     int64
		Event topics.Event
	}
	if lines := strings.Split(strings.TrimSpace(r.out), "\n"); len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &row) != nil || row.Event.Sequence != "00000000000000000002" {
		t.Errorf("%+v", r)
	}
	begun := time.Now()
	if code := d.stop(); code != exitOK || time.Since(begun) > 5*time.Second {
		t.Errorf("exit %d after %v", code, time.Since(begun))
	}
	desktest.Eventually(t, 10*time.Second, "offline published", func() bool {
		h := c.Received()
		return strings.Contains(string(h[len(h)-1].Payload), `"online":false`)
	})
	d.startDesk()
	desktest.Eventually(t, 10*time.Second, "online published", online)
	if err := c.Publish("yuanlu/v1/t-1/up/case", false, desktest.Case{Seq: 2, Attempt: 2}.JSON()); err != nil {
		t.Fatal(err)
	}
	acks := len(c.Received())
	desktest.Eventually(t, 10*time.Second, "acknowledged again", func() bool { return len(c.Received()) > acks })
	d.kill()
	desktest.Eventually(t, 10*time.Second, "the will", func() bool {
		h := c.Received()
		return strings.Contains(string(h[len(h)-1].Payload), `"online":false`)
	})
}

// What a hostile event would do to a screen, it does not.
func TestWatchShowsNoControlCharacters(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	d := newDesk(t, "--broker", b.URL(), "--store", filepath.Join(t.TempDir(), "desk.db"))
	d.startDesk()
	c := brokertest.NewClient(t, b.URL(), "t-1", nil)
	payload := strings.Replace(string(desktest.Case{Seq: 1}.JSON()), `"en":"other card"`, `"en":"\u001b[2Jgone\u202e\u0007"`, 1)
	desktest.Eventually(t, 10*time.Second, "the desk there", func() bool {
		var s struct{ Ready bool }
		return d.get("/v1/status", &s) == nil && s.Ready
	})
	if err := c.Publish("yuanlu/v1/t-1/up/case", false, []byte(payload)); err != nil {
		t.Fatal(err)
	}
	r := run1("", "watch", "--api", d.api, "--all", "--count", "1")
	if r.code != 0 || strings.ContainsAny(r.out, "\x1b\x07\u202e") || !strings.Contains(r.out, "[2Jgone") {
		t.Errorf("%q", fmt.Sprint(r))
	}
}
