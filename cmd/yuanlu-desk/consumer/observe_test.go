package consumer_test

import (
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/broker"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// A desk that only observes has everything and publishes nothing: what it holds is no
// reason for a terminal to forget.
func TestObservesWithoutAcknowledging(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#", "yuanlu/v1/_host/#")
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, newStore(t), func(o *consumer.Options) { o.Observe = true })
	for n := range int64(3) {
		c.Publish(up+"case", false, desktest.Case{Seq: n + 1}.JSON())
	}
	desktest.Eventually(t, 10*time.Second, "three events", func() bool { return d.totals().Events == 3 })
	d.stop()
	if h := c.Received(); len(h) != 0 {
		t.Errorf("it published %s %s", h[0].Topic, h[0].Payload)
	}
	// The one that answers is recognised by its presence, and acknowledges all.
	start(t, broker.Options{Options: mqtt.Options{URL: b.URL(), ClientID: "desk2", Persistent: true}}, newStore(t), func(o *consumer.Options) { o.StoreID = "A" })
	for n := range int64(3) {
		c.Publish(up+"case", false, desktest.Case{Seq: n + 1, Attempt: 2}.JSON())
	}
	desktest.Eventually(t, 10*time.Second, "acknowledged", ackedIs(c, "S1", 3))
	seen := false
	for _, h := range c.Received() {
		seen = seen || strings.Contains(string(h.Payload), `"online":true`) && strings.Contains(string(h.Payload), `"store":"A"`)
	}
	if !seen {
		t.Errorf("%d messages, none shows that it is there with its store", len(c.Received()))
	}
}
