package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
)

// TestE2EFloodOfOneTerminal: one terminal sends events of 20 KB as fast as the broker
// takes them, with the queue and the window that mosquitto has by itself. Of another
// terminal every case, sent once, is taken at the first try. (47 of 143 were; the others
// lay behind the flood at the broker until its queue was full.)
func TestE2EFloodOfOneTerminal(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true, Config: []string{"log_type none", "max_queued_messages 1000", "max_inflight_messages 20"}})
	d := newDesk(t, "--broker", b.URL(), "--store", t.TempDir()+"/desk.db")
	d.startDesk()
	d.ready()

	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	var sent int64
	large := strings.Replace(string(desktest.Case{Terminal: "t-9"}.JSON()), `"reason":""`, `"reason":"`+strings.Repeat("x", 20_000)+`"`, 1)
	for i := range 2 {
		c := brokertest.NewClient(t, b.URL(), []string{"flood-a", "flood-b"}[i], nil)
		flood.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if n%20 == 19 { // 20 in flight
					if c.Publish("yuanlu/v1/t-9/up/case", false, []byte(large)) != nil {
						return
					}
				} else {
					c.Send("yuanlu/v1/t-9/up/case", []byte(large))
				}
				if i == 0 {
					sent++
				}
			}
		})
	}
	const cases = 100
	c := brokertest.NewClient(t, b.URL(), "quiet", nil, "yuanlu/v1/t-1/dn/#")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var slowest time.Duration
	for n := int64(1); n <= cases; n++ {
		<-tick.C
		began := time.Now()
		c.Send("yuanlu/v1/t-1/up/case", desktest.Case{Seq: n}.JSON())
		desktest.Eventually(t, 30*time.Second, "the case of the quiet terminal", func() bool { seq, _ := c.Acked("S1"); return seq == n })
		slowest = max(slowest, time.Since(began))
	}
	cancel()
	flood.Wait()
	var st struct{ Consumer consumer.Status }
	if err := d.get("/v1/status", &st); err != nil {
		t.Fatal(err)
	}
	t.Logf("slowest of %d cases acknowledged after %v; flood of %d messages of 20 KB, %d of them shed; %d MiB resident at most",
		cases, slowest, 2*sent, st.Consumer.Shed, d.peak())
}
