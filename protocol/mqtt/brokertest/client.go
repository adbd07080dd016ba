package brokertest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/protocol/topics"
)

// Client is an MQTT client of a test, in the place of a terminal or of another consumer. It
// connects again by itself and keeps what it receives.
type Client struct {
	t      testing.TB
	client paho.Client

	mu       sync.Mutex
	received []Received // guarded by mu
}

// Received is one received message.
type Received struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// NewClient connects to a broker as id and subscribes to filters.
func NewClient(t testing.TB, url, id string, change func(*paho.ClientOptions), filters ...string) *Client {
	t.Helper()
	c := &Client{t: t}
	o := paho.NewClientOptions().AddBroker(url).SetClientID(id).SetAutoReconnect(true).SetMaxReconnectInterval(100 * time.Millisecond).
		SetConnectRetry(true).SetConnectRetryInterval(50 * time.Millisecond).SetOrderMatters(true)
	if change != nil {
		change(o)
	}
	ready := make(chan struct{}, 100)
	o.SetOnConnectHandler(func(m paho.Client) {
		for _, f := range filters {
			m.Subscribe(f, 1, c.receive).WaitTimeout(10 * time.Second)
		}
		ready <- struct{}{}
	})
	c.client = paho.NewClient(o)
	c.client.Connect()
	t.Cleanup(func() { c.client.Disconnect(20) })
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s cannot connect to %s", id, url)
	}
	return c
}

func (c *Client) receive(_ paho.Client, m paho.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, Received{m.Topic(), m.Payload(), m.Retained()})
}

// Received returns all that was received so far.
func (c *Client) Received() []Received {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Received(nil), c.received...)
}

// Publish publishes with QoS 1 and waits for the PUBACK, at most 10 s.
func (c *Client) Publish(topic string, retain bool, payload []byte) error {
	token := c.client.Publish(topic, 1, retain, payload)
	if !token.WaitTimeout(10 * time.Second) {
		return fmt.Errorf("no PUBACK for %s", topic)
	}
	return token.Error()
}

// Send publishes with QoS 1 and does not wait.
func (c *Client) Send(topic string, payload []byte) { c.client.Publish(topic, 1, false, payload) }

// Acked returns the greatest sequence acknowledged in a stream so far, and what was
// refused there.
func (c *Client) Acked(stream string) (seq int64, refused []int64) {
	for _, h := range c.Received() {
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
