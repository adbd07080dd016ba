package main

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt/brokertest"
)

// Two desks take turns with the events of one stream, so that neither ever has the
// whole of it in its hands, and one of them is killed again and again: what is
// acknowledged is at every moment no more than what their common store holds without
// a gap, and at the end everything.
func TestKillOneOfTwoDesks(t *testing.T) {
	kills := 4
	if os.Getenv("YUANLU_SOAK") != "" {
		kills = 60
	}
	place := cluster.Database(t)
	b := brokertest.Start(t, brokertest.Options{})
	s := &sender{client: brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.run(ctx) })
	args := []string{"--broker", b.URL(), "--store", place, "--share", "desks"}
	desks := []*process{newDesk(t, args...), newDesk(t, args...)}
	for _, d := range desks {
		d.startDesk()
		d.ready()
	}
	rng := rand.New(rand.NewPCG(8, 15))
	took := [2]int64{}
	for i := range kills {
		s.add(10 + rng.Int64N(30))
		select {
		case <-time.After(time.Duration(100+rng.IntN(500)) * time.Millisecond):
		case <-ctx.Done():
		}
		d := desks[i%2]
		var st struct{ Consumer struct{ Stored int64 } }
		if err := d.get("/v1/status", &st); err != nil {
			t.Error(err)
		}
		took[i%2] += st.Consumer.Stored
		d.kill()
		acked, _ := s.client.Acked("S1")
		if have := settled(t, place); have < acked {
			t.Fatalf("%d was acknowledged, %d is stored", acked, have)
		}
		d.startDesk()
		d.ready()
	}
	desktest.Eventually(t, 60*time.Second, "everything acknowledged", func() bool { n, _ := s.client.Acked("S1"); return n == s.newest() })
	for i, d := range desks {
		if code := d.stop(); code != exitOK {
			t.Errorf("desk %d: exit %d", i, code)
		}
	}
	db, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, err := db.Totals(t.Context())
	if err != nil || n.Events != s.newest() || n.Incomplete != 0 || n.Quarantined != 0 {
		t.Errorf("%d sent: %+v %v", s.newest(), n, err)
	}
	if took[0] == 0 || took[1] == 0 {
		t.Errorf("before they were killed the desks stored %v events: they did not take turns", took)
	}
	t.Logf("%d kills, %d events, %d received again", kills, n.Events, n.Repeats)
}

// A desk that would share a name with another and not its store takes and
// acknowledges nothing; when the other is gone it may.
func TestE2EDeskWithAnotherStoreStaysAway(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	one := newDesk(t, "--broker", b.URL(), "--store", cluster.Database(t), "--share", "desks")
	one.startDesk()
	one.ready()
	two := newDesk(t, "--broker", b.URL(), "--store", cluster.Database(t), "--share", "desks")
	two.startDesk()
	desktest.Eventually(t, 10*time.Second, "the other store noticed", func() bool {
		return strings.Contains(two.log.String(), "works on another store") && strings.Contains(two.log.String(), "one PostgreSQL database")
	})
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
	for n := range int64(20) {
		c.Publish("yuanlu/v1/t-1/up/case", false, desktest.Case{Seq: n + 1}.JSON())
	}
	desktest.Eventually(t, 10*time.Second, "all acknowledged", func() bool { n, _ := c.Acked("S1"); return n == 20 })
	for d, want := range map[*process]int64{one: 20, two: 0} {
		var st struct{ Totals store.Totals }
		if err := d.get("/v1/status", &st); err != nil || st.Totals.Events != want || st.Totals.Incomplete != 0 {
			t.Errorf("%+v, want %d events; %v", st.Totals, want, err)
		}
	}
	one.stop()
	two.ready()
}
