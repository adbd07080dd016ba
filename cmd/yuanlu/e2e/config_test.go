package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// headquarters is the part of a back office that configures one terminal: it sends
// dn/config, retained, and keeps what up/config and up/event say.
type headquarters struct {
	t        testing.TB
	terminal string
	client   mqtt.Client
	mu       sync.Mutex
	config   reported
	said     []reported
	events   []string // type and data
}

// reported is up/config.
type reported struct {
	Version int64  `json:"version"`
	Origin  string `json:"origin"`
	Newest  int64  `json:"newest"`
	Digest  string `json:"digest"`
	Status  string `json:"status"`
	Desired int64  `json:"desired"`
	Errors  []struct {
		Path    string `json:"path"`
		Line    int    `json:"line"`
		Col     int    `json:"col"`
		Message string `json:"message"`
	} `json:"errors"`
}

func newHeadquarters(t testing.TB, url, terminal string) *headquarters {
	t.Helper()
	return newHeadquartersTLS(t, url, terminal, nil)
}

func newHeadquartersTLS(t testing.TB, url, terminal string, secure *tls.Config) *headquarters {
	t.Helper()
	h := &headquarters{t: t, terminal: terminal}
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID("hq-" + terminal).SetOrderMatters(true).SetAutoReconnect(true).SetMaxReconnectInterval(200 * time.Millisecond)
	if secure != nil {
		o.SetTLSConfig(secure)
	}
	o.SetOnConnectHandler(func(c mqtt.Client) { c.Subscribe("yuanlu/v1/"+terminal+"/up/#", 1, h.receive) })
	h.client = mqtt.NewClient(o)
	if token := h.client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal("headquarters: ", token.Error())
	}
	t.Cleanup(func() { h.client.Disconnect(50) })
	return h
}

func (h *headquarters) receive(_ mqtt.Client, m mqtt.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case strings.HasSuffix(m.Topic(), "/up/config"):
		h.config = reported{}
		if err := json.Unmarshal(m.Payload(), &h.config); err != nil {
			h.t.Error(err)
		}
		h.said = append(h.said, h.config)
	case strings.HasSuffix(m.Topic(), "/up/event"):
		var e struct {
			Type string          `json:"type"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(m.Payload(), &e); err != nil {
			h.t.Error(err)
		}
		h.events = append(h.events, e.Type+" "+string(e.Data))
	}
}

func (h *headquarters) publish(topic string, payload []byte) {
	h.t.Helper()
	token := h.client.Publish("yuanlu/v1/"+h.terminal+"/"+topic, 1, true, payload)
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		h.t.Fatal("publish: ", token.Error())
	}
}

// desire sends a configuration; further members may follow in more.
func (h *headquarters) desire(version, expected int64, toml, more string) {
	h.t.Helper()
	h.publish("dn/config", wish(version, expected, toml, more))
}

func wish(version, expected int64, toml, more string) []byte {
	text, _ := json.Marshal(toml)
	return fmt.Appendf(nil, `{"version":%d,"expected":%d,"config":%s%s}`, version, expected, text, more)
}

func (h *headquarters) reports() reported {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.config
}

// expect waits until up/config says version and status.
func (h *headquarters) expect(limit time.Duration, version int64, status string) reported {
	h.t.Helper()
	if !waitFor(limit, func() bool { r := h.reports(); return r.Version == version && r.Status == status }) {
		h.t.Fatalf("up/config says %+v, want version %d %s", h.reports(), version, status)
	}
	return h.reports()
}

// heard counts the events that begin with name and hold text.
func (h *headquarters) heard(name, text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, e := range h.events {
		if strings.HasPrefix(e, name+" ") && strings.Contains(e, text) {
			n++
		}
	}
	return n
}

// inForce is what config show says.
func (st *station) inForce() (origin string, version int64, note string) {
	st.t.Helper()
	var c struct {
		Origin  string `json:"origin"`
		Version int64  `json:"version"`
		Note    string `json:"note"`
	}
	if err := json.Unmarshal([]byte(st.out("config", "show", "--json")), &c); err != nil {
		st.t.Fatal(err)
	}
	return c.Origin, c.Version, c.Note
}

func (st *station) file() string {
	st.t.Helper()
	text, err := os.ReadFile(st.config)
	if err != nil {
		st.t.Fatal(err)
	}
	return string(text)
}

// TestE2EConfigFromAfar: good and bad changes, the order of versions, the retained
// message at each connection, the technician's file before and behind it all.
func TestE2EConfigFromAfar(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 81)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), extra: "\n[log]\nlevel = \"info\"\n"})
	d := newDesk(t, broker.URL(), st.id)
	h := newHeadquarters(t, broker.URL(), st.id)
	st.startOnline()
	fw.day(20, time.Millisecond)
	if r := h.expect(10*time.Second, 0, "applied"); r.Origin != "file" || r.Newest != 0 {
		t.Errorf("at first: %+v", r)
	}
	own := st.file()

	// The level of the log needs no other life; what is the terminal's own may be left out.
	link := fmt.Sprintf("[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = %q\nbaud = 115200\n", fw.link)
	common := fmt.Sprintf("[mqtt]\nurl = %q\n[delivery]\nack_timeout = \"2s\"\n[case]\npending_grace = \"1s\"\n", broker.URL())
	h.desire(5, 0, link+common+"[log]\nlevel = \"debug\"\n", "")
	if r := h.expect(10*time.Second, 5, "applied"); r.Origin != "backoffice" || r.Newest != 5 {
		t.Errorf("after version 5: %+v", r)
	}
	if st.said("agent.ready") != 1 {
		t.Error("a change of the log's level needs no other life")
	}
	// A new link and a severity need one.
	second := newFirmware(t, "e-sign", 82)
	more := fmt.Sprintf("[[link]]\nname = \"second\"\nwire = \"mispos\"\nport = %q\nbaud = 115200\n", second.link)
	h.desire(6, 5, link+more+strings.Replace(common, "[case]\n", "[case]\nmin_severity = \"low\"\n", 1), "")
	h.expect(15*time.Second, 6, "applied")
	eventually(t, 10*time.Second, "the second link", func() bool { return strings.Contains(st.out("status"), "second") && st.said("link.online") >= 3 })
	fw.day(10, time.Millisecond)

	// Wrong ones: all mistakes at once, each in its place; the version is spent.
	h.desire(7, 6, "[terminal]\nid = \"another\"\n[[link]]\nname = \"pos\"\nwire = \"mispso\"\nport = \"/dev/x\"\nbuad = 9600\n[mqtt]\nallow_plaintext = true\n", "")
	r := h.expect(10*time.Second, 6, "rejected")
	if r.Desired != 7 || r.Newest != 7 || len(r.Errors) != 5 {
		t.Fatalf("errors %+v", r)
	}
	for i, want := range []string{"terminal.id 2:6 terminal.id is changed only in the terminal's own file (it names this terminal to the broker)",
		"link[1].wire 5:8 wire wants one of mispos, cup8583, smart; did you mean \"mispos\"?",
		"link.buad 7:1 unknown name \"buad\" in [link]; did you mean \"baud\"?", "mqtt.url 8:2 the broker may be changed from afar, but not taken away",
		"mqtt.allow_plaintext 9:19 mqtt.allow_plaintext is changed only in the terminal's own file (encryption is not taken away from afar)"} {
		e := r.Errors[i]
		if got := fmt.Sprintf("%s %d:%d %s", e.Path, e.Line, e.Col, e.Message); !strings.HasPrefix(got, want) {
			t.Errorf("error %d is %q, want %q", i+1, got, want)
		}
	}
	eventually(t, 10*time.Second, "config.rejected", func() bool { return h.heard("config.rejected", `"version":7`) == 1 })
	// The order of versions: an old one, the same one and one on another ground do nothing;
	// the last is answered, and not spent.
	lives := st.said("agent.ready")
	h.desire(6, 0, link+common, "")
	h.desire(8, 4, link+common, "")
	if r := h.expectDesired(10*time.Second, 8); r.Version != 6 || !strings.Contains(r.Errors[0].Message, "version 4 is expected to be in force, but it is version 6") {
		t.Errorf("after an unexpected ground: %+v", r)
	}
	// Again at each connection, and after a power cut: nothing happens.
	h.desire(6, 5, link+common, "")
	kick(t, broker.URL(), st)
	st.kill()
	st.startOnline()
	if origin, version, note := st.inForce(); origin != "backoffice" || version != 6 || !strings.Contains(note, "version 8 of the back office was refused") {
		t.Errorf("after a power cut %s %d %q", origin, version, note)
	}
	h.expectDesired(20*time.Second, 8)
	if st.said("agent.ready") != lives+1 || h.heard("config.rejected", `"version":7`) != 1 {
		t.Error("the retained message acted again")
	}
	if st.file() != own {
		t.Error("the technician's file was written to")
	}
	t.Run("technician", func(t *testing.T) { technicianDecides(t, st, h, link+common) })
	fw.day(10, time.Millisecond)
	finish(t, fw, st, d)
}

// expectDesired waits until up/config says that a version was refused.
func (h *headquarters) expectDesired(limit time.Duration, version int64) reported {
	h.t.Helper()
	if !waitFor(limit, func() bool { return h.reports().Desired == version }) {
		h.t.Fatalf("up/config says %+v, want %d refused", h.reports(), version)
	}
	return h.reports()
}

// technicianDecides: the technician at the terminal decides last, by one
// command or by changing the file, and the next version may take over again.
func technicianDecides(t *testing.T, st *station, h *headquarters, toml string) {
	if out := st.out("config", "revert"); !strings.Contains(out, "version 6 of the back office does not count any more") {
		t.Errorf("config revert: %s", out)
	}
	if r := h.expect(15*time.Second, 0, "rejected"); r.Origin != "file" || r.Newest != 7 {
		t.Errorf("after config revert: %+v", r)
	}
	eventually(t, 10*time.Second, "config.local", func() bool { return h.heard("config.local", "config revert on the terminal") == 1 })
	h.desire(9, 0, toml+"[health]\ninterval = \"50s\"\n", "")
	h.expect(15*time.Second, 9, "applied")
	if out := st.out("config", "show"); !strings.Contains(out, "# in force: version 9 of the back office") || !strings.Contains(out, `interval = "50s"`) {
		t.Errorf("config show: %s", out)
	}
	if out := st.out("status"); !strings.Contains(out, "version 9 of the back office") {
		t.Errorf("status: %s", out)
	}
	text := st.file() + "\n[health]\ninterval = \"45s\"\n"
	if err := os.WriteFile(st.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, version, note := st.inForce(); version != 0 || !strings.Contains(note, "was changed after it came") {
		t.Errorf("config show after a change by hand: %d %q", version, note)
	}
	if err := st.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if r := h.expect(15*time.Second, 0, "applied"); r.Origin != "file" || r.Newest != 9 {
		t.Errorf("after a change by hand: %+v", r)
	}
	eventually(t, 10*time.Second, "config.local", func() bool { return h.heard("config.local", "changed by hand") == 1 })
	st.stop()
	h.desire(10, 0, toml, "")
	st.startOnline()
	h.expect(15*time.Second, 10, "applied")
	st.stop()
	if out := st.out("config", "revert"); !strings.Contains(out, "version 10") {
		t.Errorf("config revert without a daemon: %s", out)
	}
	st.startOnline()
	h.expect(15*time.Second, 0, "applied")
}

// TestE2EConfigReturns: a broker that is not there is left again within the trial's
// time, through a power cut, and the cases go on.
func TestE2EConfigReturns(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 83)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), extra: "\n[remote]\ntrial = \"8s\"\n"})
	d := newDesk(t, broker.URL(), st.id)
	h := newHeadquarters(t, broker.URL(), st.id)
	st.startOnline()
	h.expect(10*time.Second, 0, "applied")
	dead := strings.Replace(st.file(), broker.URL(), fmt.Sprintf("tcp://127.0.0.1:%d", brokertest.FreePort(t)), 1)
	fw.day(20, time.Millisecond)
	began := time.Now()
	h.desire(1, 0, dead, "")
	eventually(t, 10*time.Second, "the trial", func() bool { return st.said("agent.ready") == 2 })
	if origin, version, _ := st.inForce(); origin != "backoffice" || version != 1 {
		t.Errorf("on trial: %s %d", origin, version)
	}
	fw.day(20, time.Millisecond)
	r := h.expect(25*time.Second, 0, "rejected")
	took := time.Since(began)
	if r.Desired != 1 || r.Origin != "file" || !strings.HasPrefix(r.Errors[0].Message, "returned: the broker was not reached within 8s; mqtt: network: 127.0.0.1:") {
		t.Errorf("after the return: %+v", r)
	}
	t.Logf("back at the broker %v after a change to a dead one, trial 8s", took.Round(100*time.Millisecond))
	eventually(t, 10*time.Second, "config.reverted", func() bool { return h.heard("config.reverted", `"version":1`) == 1 })
	// The retained message comes at every connection, and starts nothing again.
	kick(t, broker.URL(), st)
	if st.said("config.accepted") != 1 {
		t.Error("the version that was returned from was tried again")
	}
	// A trial goes on after a power cut, and is not begun again: what was charged is gone.
	h.desire(2, 0, dead, `,"trial_s":5`)
	eventually(t, 10*time.Second, "the second trial", func() bool { return st.said("config.in_force") == 4 })
	st.kill()
	st.start()
	if r := h.expectDesired(20*time.Second, 2); !strings.Contains(r.Errors[0].Message, "within 5s") {
		t.Errorf("after a power cut: %+v", r)
	}
	fw.day(20, time.Millisecond)
	finish(t, fw, st, d)
}

// TestE2EConfigAnotherBroker: another broker counts once the terminal can be reached
// there. One whose access list throws away what comes down, although it grants the
// subscription, is left again; one where the desired configuration is retained stays.
func TestE2EConfigAnotherBroker(t *testing.T) {
	t.Parallel()
	broker, next := brokertest.Start(t, brokertest.Options{}), brokertest.Start(t, brokertest.Options{})
	mute := brokertest.Start(t, brokertest.Options{ACL: "topic write yuanlu/#\n"})
	fw := newFirmware(t, "e-sign", 88)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), id: "t-moves"})
	h, deaf, there := newHeadquarters(t, broker.URL(), st.id), newHeadquarters(t, mute.URL(), st.id), newHeadquarters(t, next.URL(), st.id)
	st.startOnline()
	h.expect(20*time.Second, 0, "applied")
	move := func(to string) string { return strings.Replace(st.file(), broker.URL(), to, 1) }
	deaf.desire(1, 0, move(mute.URL()), "")
	h.desire(1, 0, move(mute.URL()), `,"trial_s":6`)
	r := h.expectDesired(40*time.Second, 1)
	if r.Version != 0 || !strings.Contains(r.Errors[0].Message, "the broker was reached, but nothing came from the back office there within 6s") {
		t.Errorf("a broker that lets nothing down: %+v", r)
	}
	there.desire(2, 0, move(next.URL()), "")
	h.desire(2, 0, move(next.URL()), "")
	there.expect(30*time.Second, 2, "applied")
	st.stop()
	if origin, version, note := st.inForce(); origin != "backoffice" || version != 2 || note != "" {
		t.Errorf("in the end %s %d %q", origin, version, note)
	}
}

// TestE2EConfigSigned: with a key only what it has signed counts, and keys change
// only so that the back office always holds one.
func TestE2EConfigSigned(t *testing.T) {
	t.Parallel()
	k1, toml1 := newKey(t, "k1")
	k2, toml2 := newKey(t, "k2")
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 84)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), extra: "\n" + toml1})
	h := newHeadquarters(t, broker.URL(), st.id)
	st.startOnline()
	h.expect(10*time.Second, 0, "applied")
	base := strings.TrimSuffix(st.file(), toml1)
	sign := func(k key, terminal string, payload []byte) []byte {
		t.Helper()
		out, err := topics.Sign(k.private, k.id, "yuanlu/v1/"+st.id+"/dn/config", terminal, rand.Text(), time.Now(), payload)
		if err != nil {
			t.Fatalf("sign: %v", err)
		}
		return out
	}
	// Its body put in the place of another's.
	body := base64.StdEncoding.EncodeToString(wish(1, 0, base+toml1+"\n[log]\nlevel = \"error\"\n", ""))
	forged := regexp.MustCompile(`"body":"[^"]*"`).ReplaceAll(sign(k1, st.id, wish(1, 0, base+toml1, "")), []byte(`"body":"`+body+`"`))
	for what, payload := range map[string][]byte{"unsigned": wish(1, 0, base, ""), "unknown_key": sign(k2, st.id, wish(1, 0, base, "")),
		"other_terminal": sign(k1, "t-other", wish(1, 0, base, "")), "signature": forged} {
		h.publish("dn/config", payload)
		eventually(t, 10*time.Second, what, func() bool { return h.heard("dn.refused", `"code":"`+what+`"`) >= 1 })
	}
	if r := h.reports(); r.Newest != 0 || r.Status != "applied" {
		t.Errorf("refused messages changed something: %+v", r)
	}
	for i, c := range []struct {
		key           key
		toml, refused string
	}{
		{k1, base, "may be changed from afar, but not taken away"},
		{k1, base + toml2, "the key k1 that signed this message must stay"},
		{k1, base + toml1 + toml2, ""},
		{k2, base + toml2, ""},
	} {
		version := int64(i + 1)
		now := h.reports().Version
		h.publish("dn/config", sign(c.key, st.id, wish(version, now, c.toml, "")))
		if c.refused == "" {
			h.expect(15*time.Second, version, "applied")
		} else if r := h.expectDesired(10*time.Second, version); !strings.Contains(r.Errors[0].Message, c.refused) {
			t.Errorf("version %d: %+v", version, r)
		}
	}
	// The old key has been taken away; said again, what it signed is refused.
	h.publish("dn/config", sign(k1, st.id, wish(9, 4, base+toml1, "")))
	eventually(t, 10*time.Second, "the old key", func() bool { return h.heard("dn.refused", `"code":"unknown_key"`) >= 2 })
	if r := h.reports(); r.Version != 4 || r.Newest != 4 {
		t.Errorf("in the end: %+v", r)
	}
	st.stop()
}

// kick has the broker end the terminal's connection, and returns when there is the
// next one: with it comes everything that is retained.
func kick(t *testing.T, url string, st *station) {
	t.Helper()
	connections := func() int { return strings.Count(st.log.String(), " mqtt.connected") }
	before := connections()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(url).SetClientID(st.id).SetAutoReconnect(false))
	if token := c.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal("kick: ", token.Error())
	}
	c.Disconnect(50)
	eventually(t, 40*time.Second, "connected again", func() bool { return connections() > before })
}

// key is a signing key of a back office.
type key struct {
	id      string
	private ed25519.PrivateKey
}

func newKey(t *testing.T, id string) (k key, toml string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key{id, private}, fmt.Sprintf("[[backoffice.key]]\nid = %q\npublic_key = %q\n", id, base64.StdEncoding.EncodeToString(public))
}
