package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/mqtt/brokertest"
)

// The canaries of this test: a PIN that is wrong, a card and an openid that only an ask names.
const (
	wrongPIN    = "739512846017"
	askedCard   = "6230580000000000070"
	shownOpenID = "oCanary7QpX3zR9bW5nK1mT6vY2"
)

// TestE2EGuardHidesWhatItIsTold: no PIN, right or wrong, and no clear identifier of an ask is in the store, a log, a topic
// (all that a real broker carries), a capture, a bundle, what verbs print, an argument list, or a core file, which the
// daemon and the verbs that ask for a secret do not leave.
func TestE2EGuardHidesWhatItIsTold(t *testing.T) {
	allowCores(t)
	broker := brokertest.Start(t, brokertest.Options{})
	heard := brokertest.NewClient(t, broker.URL(), "hears-all", nil, "#")
	c := newCounterAt(t, 8, terminal.GuardOptions{}, broker.URL())
	c.verb(t, "", 0, "capture", "start", "pos")
	c.play(t, wrongAt("mistype", "bypass", "leave"), 0, wire.Faults{})
	var printed bytes.Buffer
	ask := fmt.Sprintf(`{"kind":"refund","merchant_id":%q,"terminal_id":%q,"operator":"01","amount":100,"currency":"CNY","channel":"card","original":{"rrn":%q},`+
		`"party":{"scheme":"pan","id":%q},"presented":{"scheme":"wechat_openid","id":%q},"ask":{"id":"canary","deadline_ms":5000}}`,
		c.entries[0].Record.MerchantID, c.entries[0].Record.TerminalID, c.entries[0].Record.RRN, askedCard, shownOpenID)
	place := "/v1/asks/" + c.entries[0].Record.TerminalID + "/canary"
	for _, one := range []struct {
		path, body string
		status     int
	}{
		{"/v1/asks", ask, 200}, {"/v1/asks", ask, 200}, {"/v1/asks", strings.NewReplacer(`"CNY"`, `"`+askedCard+`"`, `"canary"`, `"canary-2"`).Replace(ask), 200},
		{"/v1/asks", strings.Replace(ask, `"01"`, `"02"`, 1), 409}, {"/v1/asks", ask[:len(ask)-9], 400},
		{place + "/release", `{"by":"s-1","pin":"` + wrongPIN + `","reason":1}`, 403}, {place + "/release", `{"by":"` + wrongPIN + `x","pin":"` + wrongPIN + `","reason":1}`, 403},
		{place + "/release", `{"by":"s-1","pin":"` + wrongPIN + `","reason":1,"text":"` + askedCard + `"}`, 400}, {place + "/release", `{"by":"s-1","reason":9,"pin":"` + guardPIN + `","` + wrongPIN + `":1}`, 400},
		{place + "/release", `{"by":"s-1","pin":"` + guardPIN + `","reason":"consent"}`, 200},
	} {
		status, body := c.till(t, one.path, one.body)
		if status != one.status {
			t.Errorf("%s: %d %s", one.path, status, body)
		}
		printed.WriteString(body)
	}
	printed.WriteString(c.argumentsAndCores(t))
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"doctor"}, {"hold", "list", "--all"}, {"hold", "show", "canary", "--json"}, {"tail", "-n", "500"}, {"practice"}, {"cases", "list", "--json"}, {"outbox", "list"}} {
		out, _ := c.command(args[0], args[1:]...).CombinedOutput() // whatever its exit status: it is what is printed that counts
		printed.Write(out)
	}
	c.verb(t, "", 0, "capture", "stop")
	bundle := filepath.Join(c.dir, "bundle.tar.gz")
	c.verb(t, "", 0, "support-bundle", "--captures", "--out", bundle)
	eventually(t, 60*time.Second, "all that waits published", func() bool { s := outbox(t, c.station); return s.SentSeq == s.LastSeq })
	var topics bytes.Buffer
	for _, m := range heard.Received() {
		fmt.Fprintf(&topics, "%s %s\n", m.Topic, m.Payload)
	}
	if !strings.Contains(topics.String(), "yuanlu.hold.ended.v1") || !strings.Contains(topics.String(), "hold_bypassed") {
		t.Error("the topics tell of no hold: nothing was searched")
	}
	c.abort(t)
	unpacked := filepath.Join(c.dir, "unpacked")
	if err := os.Mkdir(unpacked, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-xzf", bundle, "-C", unpacked).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	searchForSecrets(t, append(c.term.Secrets(), guardPIN, wrongPIN, askedCard, shownOpenID), []string{c.store, c.dir},
		map[string][]byte{"log": []byte(c.log.String()), "topics": topics.Bytes(), "what is printed": printed.Bytes()})
}

// till sends one request over the socket of the local API.
func (c *counter) till(t *testing.T, path, body string) (status int, answer string) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(c.store, "guard.sock"))
	}}}
	rsp, err := client.Post("http://guard"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rsp.StatusCode, string(b)
}

// argumentsAndCores ends each verb that has read a secret with SIGABRT, in a folder where a core file would be, and
// returns their argument lists, environments and output.
func (c *counter) argumentsAndCores(t *testing.T) string {
	t.Helper()
	var all bytes.Buffer
	for _, one := range []struct {
		secret string
		args   []string
	}{
		{guardPIN, []string{"guard", "pin", "s-1"}}, {wrongPIN, []string{"hold", "release", "canary", "--by", "s-1", "--reason", "1"}},
		{askedCard, []string{"ask", "--refund-of", c.entries[0].Record.RRN, "--amount", "1.00", "--card"}},
	} {
		cmd := c.command(one.args[0], one.args[1:]...)
		cmd.Dir = c.dir
		out := &capture{}
		cmd.Stdout, cmd.Stderr = out, out
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, one.secret); err != nil { // the line has no end yet: the verb has it, and waits
			t.Fatal(err)
		}
		at := fmt.Sprint("/proc/", cmd.Process.Pid)
		eventually(t, 20*time.Second, "the verb waits for its line", func() bool {
			where, _ := os.ReadFile(at + "/limits") // gone: it fails below
			return coreLimit(string(where)) == "0"
		})
		for _, name := range []string{"/cmdline", "/environ"} {
			b, err := os.ReadFile(at + name)
			if err != nil {
				t.Error(err)
			}
			all.Write(b)
		}
		if err := cmd.Process.Signal(syscall.SIGABRT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // of a signal
		in.Close()
		all.WriteString(out.String())
	}
	c.noCore(t)
	return all.String()
}

// allowCores has the processes that this one starts begin with the right to leave a core file, which the runtime then makes.
func allowCores(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_CORE, &before)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: 1 << 30, Max: max(before.Max, 1<<30)})
	}
	if err != nil {
		t.Skip("core files cannot be allowed here: ", err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &before) }) // lower than now
	t.Setenv("GOTRACEBACK", "crash")
}

// coreLimit returns the soft limit of core files in the text of /proc/PID/limits.
func coreLimit(limits string) string {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok {
			return strings.Fields(rest)[0]
		}
	}
	return ""
}

// abort ends the daemon by SIGABRT.
func (c *counter) abort(t *testing.T) {
	t.Helper()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.cmd.Process.Pid))
	if err != nil || coreLimit(string(limits)) != "0" {
		t.Errorf("the daemon may leave a core file: %v", err)
	}
	if err := c.cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	<-c.done
	c.cmd = nil
	c.noCore(t)
}

func (c *counter) noCore(t *testing.T) {
	t.Helper()
	for _, dir := range []string{c.dir, c.store, "."} {
		if cores, err := filepath.Glob(filepath.Join(dir, "core*")); err != nil || len(cores) > 0 {
			t.Errorf("core files: %v %v", cores, err)
		}
	}
}
