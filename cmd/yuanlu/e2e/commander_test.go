package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/protocol/topics"
	"yuanlu/protocol/topics/topicstest"
)

// deskProgram is the path of yuanlu-desk, built once.
var deskProgram = sync.OnceValues(func() (string, error) { return buildTool("yuanlu-desk") })

// commander is the part of a back office that sends commands to one terminal and
// keeps what it answers. Every message from the terminal is held against its schema.
type commander struct {
	t        *testing.T
	terminal string
	keyFile  string // yuanlu-desk sign uses it; "": unsigned
	desk     string // the program
	client   mqtt.Client
	check    *topics.Validator

	news chan struct{} // of size 1: an answer came

	mu      sync.Mutex
	answers []rsp
	info    topics.Info
	infos   int
	state   topics.State
	bytes   []byte // all that came
}

// rsp is an answer with the command that it is to.
type rsp struct {
	cmd string
	topics.Rsp
}

func (r rsp) String() string {
	text := r.ID + " " + r.Status
	if r.Error != nil {
		text += " " + r.Error.Code + " (" + r.Error.Message + ")"
	}
	return text
}

func newCommander(t *testing.T, url, terminal string) *commander {
	t.Helper()
	check, err := topics.NewValidator()
	must(t, err)
	c := &commander{t: t, terminal: terminal, check: check, news: make(chan struct{}, 1)}
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID("cmd-" + terminal).SetOrderMatters(true).SetAutoReconnect(true).SetMaxReconnectInterval(200 * time.Millisecond)
	o.SetOnConnectHandler(func(m mqtt.Client) { m.Subscribe("yuanlu/v1/"+terminal+"/up/#", 1, c.receive) })
	c.client = mqtt.NewClient(o)
	if token := c.client.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal("commander: ", token.Error())
	}
	t.Cleanup(func() { c.client.Disconnect(50) })
	return c
}

// keygen makes a key with yuanlu-desk and returns what the terminal must know of it.
func (c *commander) keygen() (toml string) {
	c.t.Helper()
	bin, err := deskProgram()
	must(c.t, err)
	c.desk, c.keyFile = bin, filepath.Join(c.t.TempDir(), "desk.key")
	out, err := exec.Command(bin, "keygen", "--out", c.keyFile, "--id", "desk-1").Output()
	must(c.t, err)
	return string(out)
}

func (c *commander) receive(_ mqtt.Client, m mqtt.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = append(append(c.bytes, m.Topic()...), m.Payload()...)
	if err := topicstest.Received(m.Topic(), m.Payload()); err != nil {
		c.t.Error(err)
	}
	var into any
	_, last, _ := strings.Cut(m.Topic(), "/up/")
	one := rsp{cmd: strings.TrimPrefix(last, "rsp/")}
	switch {
	case last == "info":
		into, c.infos = &c.info, c.infos+1
	case last == "state":
		into = &c.state
	case strings.HasPrefix(last, "rsp/"):
		into = &one.Rsp
	default:
		return
	}
	if err := json.Unmarshal(m.Payload(), into); err != nil {
		c.t.Error(err)
	}
	if into == any(&one.Rsp) {
		c.answers = append(c.answers, one)
		c.fits(one)
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
}

// fits holds the data of an answer against its schema.
func (c *commander) fits(one rsp) {
	spec, ok := topics.CommandOf(one.cmd)
	schema := spec.DataSchema()
	switch {
	case one.Status == topics.RspProgress && spec.Paged:
		schema = spec.PageSchema()
	case one.Status == topics.RspProgress:
		schema = topics.ProgressSchema
	case one.Status != topics.RspOK || !ok:
		return
	}
	if err := c.check.Check(schema, one.Data); err != nil {
		c.t.Errorf("%s: %v: %s", one.cmd, err, one.Data)
	}
}

func (c *commander) topic(cmd string) string { return "yuanlu/v1/" + c.terminal + "/dn/cmd/" + cmd }

// payload is a command said at a moment; signed where there is a key.
func (c *commander) payload(cmd, id string, at time.Time, ttl int, args string) []byte {
	c.t.Helper()
	body := fmt.Appendf(nil, `{"id":%q,"ts":%q,"ttl_s":%d`, id, at.UTC().Format(time.RFC3339Nano), ttl)
	if args != "" {
		body = append(append(body, `,"args":`...), args...)
	}
	return c.sign(cmd, append(body, '}'))
}

func (c *commander) sign(cmd string, body []byte) []byte {
	c.t.Helper()
	if c.keyFile == "" {
		return body
	}
	sign := exec.Command(c.desk, "sign", "--key", c.keyFile, "--terminal", c.terminal, "--topic", "cmd/"+cmd)
	sign.Stdin = bytes.NewReader(body)
	out, err := sign.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		c.t.Fatalf("yuanlu-desk sign: %v: %s", err, exit.Stderr)
	}
	must(c.t, err)
	return out
}

func (c *commander) send(cmd string, payload []byte, retained bool) {
	c.t.Helper()
	if token := c.client.Publish(c.topic(cmd), 1, retained, payload); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		c.t.Fatal("publish: ", token.Error())
	}
}

// said returns the answers with this id, in order.
func (c *commander) said(id string) (all []rsp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.answers {
		if a.ID == id {
			all = append(all, a)
		}
	}
	return all
}

// await waits for the n-th answer with this id that is no accepted and no progress.
func (c *commander) await(id string, n int) rsp {
	c.t.Helper()
	limit := time.After(25 * time.Second)
	for {
		ends := 0
		for _, a := range c.said(id) {
			if a.Status == topics.RspAccepted || a.Status == topics.RspProgress {
				continue
			}
			if ends++; ends == n {
				return a
			}
		}
		select {
		case <-c.news:
		case <-limit:
			c.t.Fatalf("answer %d to %s did not come: %v", n, id, c.said(id))
		}
	}
}

// ask sends a command and waits for its end; busy and expired are
// asked again.
func (c *commander) ask(cmd, id, args string) rsp {
	c.t.Helper()
	return c.askFor(cmd, id, args, 60)
}

func (c *commander) askFor(cmd, id, args string, ttl int) rsp {
	c.t.Helper()
	for n := 1; ; n++ {
		c.send(cmd, c.payload(cmd, id, time.Now(), ttl, args), false)
		a := c.await(id, n)
		// expired: on a machine that has much to do a second is soon over.
		if a.Error == nil || a.Error.Code != "busy" && a.Error.Code != "expired" || n > 40 {
			return a
		}
		pace(250 * time.Millisecond)
	}
}

// ok is ask for a command that must succeed; data is read into to.
func (c *commander) ok(cmd, id, args string, to any) rsp {
	c.t.Helper()
	a := c.ask(cmd, id, args)
	if a.Status != topics.RspOK {
		c.t.Fatalf("%s %s: %v", cmd, args, a)
	}
	if to != nil {
		must(c.t, json.Unmarshal(a.Data, to))
	}
	return a
}

// refused is ask for one that must be refused with this status and code.
func (c *commander) refused(cmd, id, args, want string) {
	c.t.Helper()
	a := c.askFor(cmd, id, args, 1)
	got := a.Status
	if a.Error != nil {
		got += " " + a.Error.Code
	}
	if got != want || a.Error != nil && a.Error.Message == "" {
		c.t.Errorf("%s %s: %v, want %s", cmd, args, a, want)
	}
}
