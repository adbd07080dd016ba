package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// desk is a small back office: it subscribes to everything, keeps every byte that
// came, acknowledges cases by their sequence and notes what may not happen.
type desk struct {
	t        testing.TB
	terminal string
	mu       sync.Mutex
	client   mqtt.Client
	traffic  []byte                    // all topics and payloads
	cases    map[string]caseEvent      // the newest event of each
	opened   map[string]int64          // the sequence of its case.opened
	first    map[string]caseEvent      // the one of the lowest sequence
	byID     map[string]string         // event id → its bytes but attempt
	got      map[string]map[int64]bool // stream → sequences received
	whole    map[string]int64          // stream → all up to this were received
	faults   []string
	again    int // events received more than once
	mute     bool
	arrived  chan time.Time // nil, or the moment of each new case event
}

// caseEvent is what the desk needs of a case event.
type caseEvent struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Sequence string `json:"sequence"`
	Stream   string `json:"stream"`
	Attempt  int    `json:"attempt"`
	sequence int64  // Sequence, read
	Data     struct {
		CaseID   string `json:"case_id"`
		Severity string `json:"severity"`
		Decision string `json:"decision"`
		Verdict  struct {
			Recipient string `json:"recipient"`
			Reason    string `json:"reason"`
		} `json:"verdict"`
		Refund struct {
			TerminalID string `json:"terminal_id"`
			Batch      string `json:"batch"`
			Stan       string `json:"stan"`
		} `json:"refund"`
	} `json:"data"`
}

// newDesk is a back office at a broker; more are further addresses of it.
func newDesk(t testing.TB, url, terminal string, more ...string) *desk {
	d := &desk{t: t, terminal: terminal, cases: map[string]caseEvent{}, opened: map[string]int64{}, first: map[string]caseEvent{}, byID: map[string]string{}, got: map[string]map[int64]bool{}, whole: map[string]int64{}}
	o := mqtt.NewClientOptions().AddBroker(strings.Replace(url, "mqtt://", "tcp://", 1)).SetClientID("desk-" + terminal).
		SetCleanSession(false).SetAutoReconnect(true).SetMaxReconnectInterval(200 * time.Millisecond).SetConnectRetry(true).
		SetConnectRetryInterval(100 * time.Millisecond).SetOrderMatters(true)
	if len(more) > 0 { // one of them may take a connection and say nothing
		o.SetConnectTimeout(3 * time.Second).SetKeepAlive(5 * time.Second).SetPingTimeout(3 * time.Second)
	}
	for _, one := range more {
		o.AddBroker(one)
	}
	o.SetOnConnectHandler(func(c mqtt.Client) {
		c.Subscribe("yuanlu/#", 1, d.receive)
	})
	d.client = mqtt.NewClient(o)
	d.client.Connect()
	t.Cleanup(func() { d.client.Disconnect(50) })
	return d
}

func (d *desk) receive(c mqtt.Client, m mqtt.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.traffic = append(d.traffic, m.Topic()...)
	d.traffic = append(d.traffic, m.Payload()...)
	if !strings.HasSuffix(m.Topic(), "/up/case") {
		return
	}
	var e caseEvent
	if err := json.Unmarshal(m.Payload(), &e); err != nil {
		d.fault("not JSON: %v", err)
		return
	}
	seq, err := strconv.ParseInt(e.Sequence, 10, 64)
	if err != nil {
		d.fault("sequence %q", e.Sequence)
		return
	}
	e.sequence = seq
	bytes := strings.Replace(string(m.Payload()), fmt.Sprintf(`"attempt":%d`, e.Attempt), "", 1)
	if before, ok := d.byID[e.ID]; ok {
		if d.again++; before != bytes {
			d.fault("event %s came again with other bytes", e.ID)
		}
	} else {
		d.byID[e.ID] = bytes
		d.receiveSequence(e.Stream, seq)
		if e.Type != "yuanlu.case.followed.v1" && e.Type != "yuanlu.case.tally.v1" {
			d.receiveCase(&e)
		}
	}
	if !d.mute {
		ack := fmt.Sprintf(`{"stream":%q,"acked_seq":%d}`, e.Stream, d.whole[e.Stream])
		c.Publish("yuanlu/v1/"+d.terminal+"/dn/ack", 1, false, ack)
	}
}

// receiveCase takes an event about a case's own verdict. A broker that changes its leader
// may deliver one behind those that were published after it: the sequence has the order.
func (d *desk) receiveCase(e *caseEvent) {
	id, seq := e.Data.CaseID, e.sequence
	if e.Type == "yuanlu.case.opened.v1" {
		if before, again := d.opened[id]; again {
			d.fault("case %s opened twice (sequences %d and %d)", id, before, seq)
		}
		d.opened[id] = seq
	}
	if first, known := d.first[id]; !known || e.Stream == first.Stream && seq < first.sequence {
		d.first[id] = *e
	}
	if newest, known := d.cases[id]; !known || e.Stream != newest.Stream || seq > newest.sequence {
		d.cases[id] = *e
	}
	if d.arrived != nil {
		d.arrived <- time.Now()
	}
}

// receiveSequence keeps what has come. A broker that restarts drops what it has
// acknowledged, so a later event may come first: only what is whole is acknowledged.
func (d *desk) receiveSequence(stream string, seq int64) {
	if d.got[stream] == nil {
		d.got[stream] = map[int64]bool{}
	}
	if d.got[stream][seq] {
		d.fault("sequence %d stands in two events", seq)
	}
	d.got[stream][seq] = true
	for d.got[stream][d.whole[stream]+1] {
		d.whole[stream]++
	}
}

// watch returns the moment of each new case event from now on.
func (d *desk) watch() <-chan time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arrived = make(chan time.Time, 10_000)
	return d.arrived
}

func (d *desk) fault(format string, args ...any) {
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.byID)
}

func (d *desk) snapshot() map[string]caseEvent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.cases)
}

func (d *desk) bytes() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]byte(nil), d.traffic...)
}

// check fails the test for everything that may not happen.
func (d *desk) check() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.faults {
		d.t.Errorf("desk: %s", f)
	}
	for id, first := range d.first {
		if first.Type != "yuanlu.case.opened.v1" {
			d.t.Errorf("desk: case %s begins with %s, sequence %d", id, first.Type, first.sequence)
		}
	}
	for stream, got := range d.got {
		if int64(len(got)) != d.whole[stream] {
			d.t.Errorf("desk: %d events of stream %s, whole up to %d", len(got), stream, d.whole[stream])
		}
	}
}
