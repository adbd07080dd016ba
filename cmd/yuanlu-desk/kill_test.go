package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt/brokertest"
)

// sender is a terminal that sends what is not acknowledged again and again, in
// order, as the agent does but faster.
type sender struct {
	client *brokertest.Client
	mu     sync.Mutex
	last   int64 // newest sequence
}

func (s *sender) add(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last += n
}

func (s *sender) newest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// run sends until ctx ends.
func (s *sender) run(ctx context.Context) {
	attempt := 0
	for ctx.Err() == nil {
		attempt++
		acked, _ := s.client.Acked("S1")
		for n := acked + 1; n <= min(s.newest(), acked+14); n++ {
			s.client.Send("yuanlu/v1/t-1/up/case", desktest.Case{Seq: n, Attempt: attempt}.JSON())
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// The desk is killed at random moments between receipt, commit and
// acknowledgement. Nothing is lost, nothing is there twice, and at no moment was
// anything acknowledged that the store did not hold.
func TestKillDeskAtRandomMoments(t *testing.T) {
	for name, place := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "desk.db") },
		"postgres": func(t *testing.T) string { return cluster.Database(t) },
	} {
		t.Run(name, func(t *testing.T) { killDesk(t, place(t)) })
	}
}

func killDesk(t *testing.T, place string) {
	kills := 8
	if os.Getenv("YUANLU_SOAK") != "" {
		kills = 120
	}
	b := brokertest.Start(t, brokertest.Options{})
	s := &sender{client: brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.run(ctx) })
	d := newDesk(t, "--broker", b.URL(), "--store", place)
	rng := rand.New(rand.NewPCG(3, 14))
	for range kills {
		d.startDesk()
		s.add(5 + rng.Int64N(30))
		select {
		case <-time.After(time.Duration(rng.IntN(400)) * time.Millisecond):
		case <-ctx.Done():
		}
		d.kill()
		acked, _ := s.client.Acked("S1")
		if have := settled(t, place); have < acked {
			t.Fatalf("%d was acknowledged, %d is stored", acked, have)
		}
	}
	d.startDesk()
	desktest.Eventually(t, 60*time.Second, "everything acknowledged", func() bool { n, _ := s.client.Acked("S1"); return n == s.newest() })
	if code := d.stop(); code != exitOK {
		t.Errorf("exit %d", code)
	}
	db, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, err := db.Totals(t.Context())
	if err != nil || n.Events != s.newest() || n.Cases != s.newest() || n.Incomplete != 0 || n.Quarantined != 0 {
		t.Errorf("%d sent: %+v %v", s.newest(), n, err)
	}
	t.Logf("%d kills, %d events, %d received again", kills, n.Events, n.Repeats)
}

// settled is how far the stream is in the store.
func settled(t *testing.T, place string) int64 {
	t.Helper()
	db, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	list, err := db.Streams(t.Context(), store.StreamFilter{})
	if err != nil || len(list) > 1 {
		t.Fatalf("%+v %v", list, err)
	}
	if len(list) == 0 {
		return 0
	}
	return list[0].Settled
}
