package report_test

import (
	"context"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

const benchMessages = 10_000

// BenchmarkDrain is the drain of 10 000 cases of a real store, of about 3.8 KB, beside the same
// publishes by the library alone (16 in flight), on the same mosquitto, one after the other:
// messages and CPU time of this process (without the broker) for each, and the ratios.
func BenchmarkDrain(b *testing.B) {
	broker := brokertest.Start(b, brokertest.Options{Config: []string{"log_type none"}})
	db := openLedger(b)
	for from := 0; from < benchMessages; from += 500 {
		wrongRefunds(b, db, from, 500)
	}
	due, _, err := db.Due(b.Context(), time.Now(), 1, nil)
	if err != nil || len(due) == 0 {
		b.Fatal(err)
	}
	var ours, alone spent
	for b.Loop() {
		alone.add(func() { pahoAlone(b, broker.URL(), len(due[0].Data)+500) })
		if _, err := db.Resend(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
		out := &counting{Outbox: db}
		ours.add(func() { drainAll(b, out, broker.URL(), func() bool { return out.sent.Load() == benchMessages }) })
	}
	n := float64(b.N * benchMessages)
	b.ReportMetric(n/ours.wall.Seconds(), "msg/s")
	b.ReportMetric(n/alone.wall.Seconds(), "alone-msg/s")
	b.ReportMetric(float64(ours.cpu.Microseconds())/n, "cpu-us/msg")
	b.ReportMetric(float64(alone.cpu.Microseconds())/n, "alone-cpu-us/msg")
	b.ReportMetric(alone.wall.Seconds()/ours.wall.Seconds(), "of-alone")
	b.ReportMetric(0, "ns/op")
}

// spent is what was spent on something, by the clock and by this process.
type spent struct{ wall, cpu time.Duration }

func (s *spent) add(f func()) {
	begin, cpu := time.Now(), cpuTime()
	f()
	s.wall += time.Since(begin)
	s.cpu += cpuTime() - cpu
}

// cpuTime is the CPU time of this process, its threads together.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// counting counts what is sent: asking the ledger every few milliseconds would
// be most of the work.
type counting struct {
	report.Outbox
	sent atomic.Int64
}

func (c *counting) Sent(ctx context.Context, stream string, entries []int64, retry time.Time) error {
	c.sent.Add(int64(len(entries)))
	return c.Outbox.Sent(ctx, stream, entries, retry)
}

func drainAll(b *testing.B, out report.Outbox, url string, empty func() bool) {
	r, err := report.New(report.Options{Terminal: still{out: out}, Names: names,
		Dial: func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
			return mqtt.Dial(ctx, mqtt.Options{URL: url, ClientID: terminal, WillTopic: topic, WillPayload: will})
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Run(ctx) }()
	eventually(b, time.Minute, "drained", empty)
	cancel()
	<-ended
}

// pahoAlone publishes the same number and size with 16 in flight.
func pahoAlone(b *testing.B, url string, size int) {
	client := paho.NewClient(paho.NewClientOptions().AddBroker(url).SetClientID("alone").SetAutoReconnect(false))
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		b.Fatal(token.Error())
	}
	payload := make([]byte, size)
	var flight []paho.Token
	wait := func() {
		if flight[0].Wait(); flight[0].Error() != nil {
			b.Fatal(flight[0].Error())
		}
		flight = flight[1:]
	}
	for range benchMessages {
		if len(flight) == 16 {
			wait()
		}
		flight = append(flight, client.Publish(names.Case(), 1, false, payload))
	}
	for len(flight) > 0 {
		wait()
	}
	client.Disconnect(50)
}

// BenchmarkSubscriberLatency is the way of a case to a subscriber of mosquitto that
// acknowledges it, 50 a second, with mosquitto's own setting of TCP_NODELAY (off) and
// with it on, and our side's always on. It tells whose delay it is.
func BenchmarkSubscriberLatency(b *testing.B) {
	for _, nodelay := range []string{"false", "true"} {
		b.Run("mosquitto-nodelay-"+nodelay, func(b *testing.B) {
			broker := brokertest.Start(b, brokertest.Options{Config: []string{"log_type none", "set_tcp_nodelay " + nodelay}})
			arrived := make(chan time.Time, 1)
			desk := paho.NewClient(paho.NewClientOptions().AddBroker(broker.URL()).SetClientID("desk"))
			if token := desk.Connect(); token.Wait() && token.Error() != nil {
				b.Fatal(token.Error())
			}
			defer desk.Disconnect(50)
			token := desk.Subscribe(names.Case(), 1, func(c paho.Client, _ paho.Message) {
				arrived <- time.Now()
				c.Publish(names.Ack(), 1, false, ack(1))
			})
			if token.Wait() && token.Error() != nil {
				b.Fatal(token.Error())
			}
			conn, err := mqtt.Dial(b.Context(), mqtt.Options{URL: broker.URL(), ClientID: terminal})
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close(context.Background())
			if err := conn.Subscribe(b.Context(), names.DownFilter(), func(string, []byte, bool) {}); err != nil {
				b.Fatal(err)
			}
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			payload := make([]byte, 3800)
			var puback, told []time.Duration
			for range 200 {
				<-tick.C
				begin := time.Now()
				if err := conn.Publish(b.Context(), names.Case(), 1, false, payload); err != nil {
					b.Fatal(err)
				}
				puback = append(puback, time.Since(begin))
				told = append(told, (<-arrived).Sub(begin))
			}
			for what, ds := range map[string][]time.Duration{"puback": puback, "subscriber": told} {
				slices.Sort(ds)
				b.ReportMetric(float64(ds[len(ds)/2].Microseconds()), what+"-p50-us")
				b.ReportMetric(float64(ds[len(ds)*99/100].Microseconds()), what+"-p99-us")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
