package desktest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/protocol/topics"
)

// Client is an MQTT client of a test: a terminal, or anybody. It comes back by
// itself and keeps what it hears.
type Client struct {
	t      testing.TB
	client mqtt.Client

	mu    sync.Mutex
	heard []Heard // guarded by mu
}

// Heard is one received message.
type Heard struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// NewClient connects to a broker as id and hears filters.
func NewClient(t testing.TB, url, id string, change func(*mqtt.ClientOptions), filters ...string) *Client {
	t.Helper()
	c := &Client{t: t}
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID(id).SetAutoReconnect(true).SetMaxReconnectInterval(100 * time.Millisecond).
		SetConnectRetry(true).SetConnectRetryInterval(50 * time.Millisecond).SetOrderMatters(true)
	if change != nil {
		change(o)
	}
	ready := make(chan struct{}, 100)
	o.SetOnConnectHandler(func(m mqtt.Client) {
		for _, f := range filters {
			m.Subscribe(f, 1, c.hear).WaitTimeout(10 * time.Second)
		}
		ready <- struct{}{}
	})
	c.client = mqtt.NewClient(o)
	c.client.Connect()
	t.Cleanup(func() { c.client.Disconnect(20) })
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s cannot connect to %s", id, url)
	}
	return c
}

func (c *Client) hear(_ mqtt.Client, m mqtt.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, Heard{m.Topic(), m.Payload(), m.Retained()})
}

// Heard is all that was heard so far.
func (c *Client) Heard() []Heard {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Heard(nil), c.heard...)
}

// Say publishes with QoS 1 and waits, at most a moment.
func (c *Client) Say(topic string, retain bool, payload []byte) error {
	token := c.client.Publish(topic, 1, retain, payload)
	if !token.WaitTimeout(10 * time.Second) {
		return fmt.Errorf("no PUBACK for %s", topic)
	}
	return token.Error()
}

// Send publishes with QoS 1 and does not wait.
func (c *Client) Send(topic string, payload []byte) { c.client.Publish(topic, 1, false, payload) }

// Acked is the greatest sequence acknowledged in a stream so far, and what was
// refused there.
func (c *Client) Acked(stream string) (seq int64, refused []int64) {
	for _, h := range c.Heard() {
		var a topics.Ack
		if !strings.HasSuffix(h.Topic, "/dn/ack") || json.Unmarshal(h.Payload, &a) != nil || a.Stream != stream {
			continue
		}
		if a.AckedSeq != nil {
			seq = max(seq, *a.AckedSeq)
		}
		for _, n := range a.Nack {
			refused = append(refused, n.Seq)
		}
	}
	return seq, refused
}

// Eventually waits until ok, or fails the test after limit.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	end := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end:
			t.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}
