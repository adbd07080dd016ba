package consumer_test

import (
	"fmt"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/broker"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// Whatever is published in our name as offline, however far its timestamp lies
// ahead: our own message comes after it, newer where that is possible, and always one
// that terminals take.
func TestAnswersWhateverIsSaidInItsName(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true})
	check, err := topics.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	const topic = "yuanlu/v1/_host/desk/state"
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, newStore(t), nil)
	c := brokertest.NewClient(t, b.URL(), "watcher", nil, topic)
	last := func() (s topics.HostState, n int) {
		h := c.Received()
		if len(h) == 0 || check.Decode("host-state.v1", h[len(h)-1].Payload, &s) != nil {
			return topics.HostState{}, len(h)
		}
		return s, len(h)
	}
	desktest.Eventually(t, 10*time.Second, "online", func() bool { s, _ := last(); return s.Online })
	ahead := time.Now().Add(400 * 24 * time.Hour).UnixMilli()
	for i, step := range []struct {
		payload string
		least   int64
	}{
		{`{"online":false,"timestamp":0}`, 1},
		{`{"online":false,"timestamp":9223372036854775807}`, 1}, // no terminal takes it
		{`{"online":false,"timestamp":92233720368547758070}`, 1},
		{`{"online":false,"timestamp":1,"Timestamp":9223372036854775807}`, 2},
		{`{"online":false,"timestamp":1,"Online":true}`, 2},
		{`{"online":"no"}`, 1},
		{`offline`, 1},
		{``, 1},
		{fmt.Sprintf(`{"online":false,"timestamp":%d}`, ahead), ahead + 1},
		{fmt.Sprintf(`{"online":false,"timestamp":%d}`, topics.MaxTimestamp-1), topics.MaxTimestamp},
		{fmt.Sprintf(`{"online":false,"timestamp":%d}`, topics.MaxTimestamp), topics.MaxTimestamp},
		{fmt.Sprintf(`{"online":false,"timestamp":%d,"again":1}`, topics.MaxTimestamp), topics.MaxTimestamp},
	} {
		t.Run(step.payload, func(t *testing.T) {
			before, n := last()
			if err := c.Publish(topic, true, []byte(step.payload)); err != nil {
				t.Fatal(err)
			}
			desktest.Eventually(t, 10*time.Second, "the truth after "+step.payload, func() bool {
				s, now := last()
				return now >= n+2 && s.Online && s.Timestamp >= max(step.least, before.Timestamp)
			})
			late := brokertest.NewClient(t, b.URL(), fmt.Sprint("late", i), nil, topic)
			desktest.Eventually(t, 10*time.Second, "the truth retained after "+step.payload, func() bool {
				var s topics.HostState
				h := late.Received()
				return len(h) == 1 && check.Decode("host-state.v1", h[0].Payload, &s) == nil && s.Online
			})
		})
	}
	d.stop()
	desktest.Eventually(t, 10*time.Second, "offline after a clean stop", func() bool { s, _ := last(); return !s.Online && s.Timestamp == topics.MaxTimestamp })
}
