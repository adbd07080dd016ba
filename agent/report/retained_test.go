package report_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// retained keeps the newest payload of each topic, as a broker would send it to a
// client that comes now.
type retained struct {
	mu  sync.Mutex
	now map[string]string
	log []string // codes on up/log
}

func watchRetained(t *testing.T, url string) *retained {
	t.Helper()
	r := &retained{now: map[string]string{}}
	c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: url, ClientID: "watcher"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	if err := c.Subscribe(t.Context(), root+"/#", func(topic string, payload []byte, _ bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.now[strings.TrimPrefix(topic, root+"/v1/"+terminal+"/")] = string(payload)
		if strings.Contains(topic, "/up/log/") {
			var l topics.LogLine
			_ = json.Unmarshal(payload, &l)
			r.log = append(r.log, l.Code)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

// member returns a member of the newest payload of a topic, as text.
func (r *retained) member(topic, name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := map[string]any{}
	if json.Unmarshal([]byte(r.now[topic]), &m) != nil {
		return r.now[topic]
	}
	return fmt.Sprint(m[name])
}

// TestPresenceThroughMosquitto: what a broker retains is right after a start, a lost
// connection, a will that comes late and a clean stop, within one health interval.
func TestPresenceThroughMosquitto(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	db := openLedger(t)
	w := watchRetained(t, b.URL())
	var mu sync.Mutex
	var wire net.Conn
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := report.Options{Terminal: still{db, []health.Link{{LinkHealth: ingest.LinkHealth{Name: "pos", State: "online"}}}}, Names: names, Info: topics.Info{Version: "1"}, HealthEvery: time.Second,
		Dial: func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
			return mqtt.Dial(ctx, mqtt.Options{URL: b.URL(), ClientID: terminal, WillTopic: topic, WillPayload: will,
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := (&net.Dialer{}).DialContext(ctx, network, address)
					mu.Lock()
					defer mu.Unlock()
					wire = c
					return c, err
				}})
		},
		Rand: func() float64 { return 0.5 },
	}
	r, err := report.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	everywhere := func(session string) bool {
		for _, topic := range []string{"up/state", "up/info", "up/health", "up/link/pos/state"} {
			if w.member(topic, "session") != session {
				return false
			}
		}
		return true
	}
	eventually(t, 20*time.Second, "online everywhere", func() bool {
		return w.member("up/state", "state") == "online" && everywhere(r.Status().Session)
	})

	first := r.Status().Session
	b.Freeze() // no client can come back before the will is seen
	mu.Lock()
	wire.Close()
	mu.Unlock()
	b.Thaw()
	eventually(t, 20*time.Second, "online again", func() bool {
		s := r.Status().Session
		return s != first && w.member("up/state", "reason") == "reconnect" && everywhere(s)
	})

	// The will of the first connection comes only now: to be ignored by its session,
	// and said over within the interval.
	late, err := mqtt.Dial(t.Context(), mqtt.Options{URL: b.URL(), ClientID: "late"})
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close(context.Background())
	if err := late.Publish(t.Context(), names.State(), 1, true, fmt.Appendf(nil, `{"v":1,"state":"lost","session":%q}`, first)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "online over the late will", func() bool {
		return w.member("up/state", "state") == "online" && w.member("up/state", "session") == r.Status().Session
	})

	// The summary follows the acknowledgements.
	wrongRefunds(t, db, 0, 3)
	r.Wake()
	eventually(t, 20*time.Second, "three cases to acknowledge", func() bool {
		return w.member("up/case-summary", "last_seq") == "3" && w.member("up/case-summary", "oldest_unacked") != "<nil>"
	})
	eventually(t, 20*time.Second, "them sent", func() bool { return stat(t, db).SentSeq == 3 })
	if err := late.Publish(t.Context(), names.Ack(), 1, false, fmt.Appendf(nil, `{"stream":%q,"acked_seq":3}`, db.Stream())); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the summary without anything unacknowledged", func() bool {
		return w.member("up/case-summary", "acked_seq") == "3" && w.member("up/case-summary", "oldest_unacked") == "<nil>" &&
			w.member("up/case-summary", "open") == "map[critical:3 high:0 medium:0]"
	})

	// Log lines are capped, and those about publishing never come.
	for range 50 {
		r.SendLog(topics.LogLine{TS: topics.At(time.Now()), Level: "warn", Code: "link.noise"})
		r.SendLog(topics.LogLine{TS: topics.At(time.Now()), Level: "error", Code: "mqtt.lost"})
	}
	cancel()
	<-ended
	ended <- nil
	eventually(t, 20*time.Second, "offline, and no link online", func() bool {
		return w.member("up/state", "state") == "offline" && w.member("up/link/pos/state", "state") == "offline"
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.log) > 20 || strings.Contains(strings.Join(w.log, " "), "mqtt") {
		t.Errorf("%d lines on up/log: %v", len(w.log), w.log)
	}
}
