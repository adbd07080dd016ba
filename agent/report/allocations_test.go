package report_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// What one case of a drain may allocate, the MQTT library included. The figures are those of
// this test, rounded up; a tenth more is a change that has to be wanted.
const (
	caseAllocs = 46
	caseBytes  = 5900
)

type sentCount struct {
	report.Outbox
	sent atomic.Int64
}

func (c *sentCount) Sent(ctx context.Context, stream string, entries []int64, retry time.Time) error {
	defer c.sent.Add(int64(len(entries)))
	return c.Outbox.Sent(ctx, stream, entries, retry)
}

// TestE2EAllocationsOfADrain: 1 500 queued cases of a real store to mosquitto.
func TestE2EAllocationsOfADrain(t *testing.T) {
	const n = 1500
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true, Config: []string{"log_type none", "max_queued_messages 0"}})
	db := openLedger(t)
	wrongRefunds(t, db, 0, n)
	run := func() (allocs, bytes float64) {
		if _, err := db.Resend(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		out := &sentCount{Outbox: db}
		r, err := report.New(report.Options{Terminal: still{out: out}, Names: names,
			Dial: func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
				return mqtt.Dial(ctx, mqtt.Options{URL: broker.URL(), ClientID: terminal, WillTopic: topic, WillPayload: will})
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		go func() { defer close(ended); _ = r.Run(ctx) }()
		eventually(t, time.Minute, "all cases sent", func() bool { return out.sent.Load() >= n })
		runtime.ReadMemStats(&after)
		cancel()
		<-ended
		return float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n
	}
	run() // statements are prepared and memory is made once
	allocs, bytes := run()
	t.Logf("%.1f allocations and %.0f bytes a case", allocs, bytes)
	if allocs > 1.1*caseAllocs || bytes > 1.1*caseBytes {
		t.Errorf("a case allocates %.1f times, %.0f bytes; want at most a tenth over %d and %d", allocs, bytes, caseAllocs, caseBytes)
	}
}
