package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt/brokertest"
)

// waits collects how long answers took, by kind.
type waits struct {
	mu  sync.Mutex // guards the rest
	all map[string][]time.Duration
}

func (w *waits) add(kind string, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all[kind] = append(w.all[kind], time.Since(since))
}

// String returns count, median and 95th percentile of each kind.
func (w *waits) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for kind, list := range w.all {
		slices.Sort(list)
		out = append(out, fmt.Sprintf("%s %d: p50 %v p95 %v", kind, len(list), list[len(list)/2].Round(time.Millisecond), list[len(list)*95/100].Round(time.Millisecond)))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// look reads a page of the API as a person.
func (c *clerk) look(ctx context.Context, path string) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.desks.get()+path, nil)
	if err != nil {
		return err
	}
	q.Header.Set("Cookie", c.cookie)
	rsp, err := c.client.Do(q)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err == nil && rsp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %.200s", path, rsp.StatusCode, text)
	}
	return err
}

// watch counts what a person's open page is sent, until ctx ends.
func (c *clerk) watch(ctx context.Context, got *atomic.Int64) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.desks.get()+"/v1/stream", nil)
	if err != nil {
		return err
	}
	q.Header.Set("Cookie", c.cookie)
	rsp, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	if rsp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /v1/stream: %d", rsp.StatusCode)
	}
	lines := bufio.NewScanner(rsp.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			got.Add(1)
		}
	}
	if ctx.Err() == nil {
		return fmt.Errorf("the stream has ended: %w", lines.Err())
	}
	return nil
}

// crowd is people at work.
type crowd struct {
	t      *testing.T
	waits  waits
	seen   atomic.Int64 // what their streams were sent
	mu     sync.Mutex   // guards cases
	cases  []string
	thinks time.Duration // between two things that a person does
}

// pair works cases until stop is closed: one opens and proposes, the other approves; both look at
// lists and cases in between.
func (c *crowd) pair(ctx context.Context, stop <-chan struct{}, n int, maker, checker *clerk) error {
	for i := 0; ; i++ {
		for list, one := range map[string]*clerk{"next": maker, "mine": maker, "approve": checker} {
			began := time.Now()
			if err := one.look(ctx, "/v1/work/lists/"+list); err != nil {
				return err
			}
			c.waits.add("list", began)
		}
		began := time.Now()
		no, err := oneCase(ctx, maker, checker, i, fmt.Sprint("crowd", n))
		if err != nil {
			return err
		}
		c.waits.add("three commands", began)
		began = time.Now()
		if err := checker.look(ctx, "/v1/work/cases/"+no); err != nil {
			return err
		}
		c.waits.add("case", began)
		c.mu.Lock()
		c.cases = append(c.cases, no)
		c.mu.Unlock()
		select {
		case <-stop:
			return nil
		case <-time.After(c.thinks):
		}
	}
}

// TestE2EPeopleAtWork: people work cases, each with an open page, while a fleet of terminals reports.
// Every answered command is in its journal once, every event of the fleet is at the desk. With
// YUANLU_SOAK=1 there are 50 people and 2000 terminals for five minutes.
func TestE2EPeopleAtWork(t *testing.T) {
	persons, terminals, day, thinks := 10, 50, 8*time.Second, 200*time.Millisecond
	if os.Getenv("YUANLU_SOAK") != "" {
		persons, terminals, day, thinks = 50, 2000, 5*time.Minute, 3*time.Second
	}
	for name, place := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "desk.db") },
		"postgres": func(t *testing.T) string { return cluster.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Options{Unchecked: terminals > 100, Config: []string{"log_type none"}})
			at, desks := place(t), &address{}
			var ids []string
			for i := range persons / 2 {
				ids = append(ids, fmt.Sprint("analyst-", i), fmt.Sprint("checker-", i))
			}
			clerks := hiredClerks(t, at, desks, ids...)
			d := newDesk(t, "--broker", b.URL(), "--store", at)
			d.startDesk()
			d.ready()
			desks.set(d.api)
			f := startFleet(t, terminals, b.URL(), d.api, "--day", day.String(), "--ramp", (day / 4).String(), "--jitter", "200ms,2s", "--retry", day.String(), "--health", "10s")
			c := &crowd{t: t, waits: waits{all: map[string][]time.Duration{}}, thinks: thinks}
			c.work(clerks, day)
			r := f.wait(day + 5*time.Minute)
			t.Log(r)
			t.Logf("%d people: %d cases, %s; %d changes on their pages; %v", persons, len(c.cases), &c.waits, c.seen.Load(), costOf(t, d.cmd.Process.Pid))
			if r.Desk.Missing != 0 || r.Desk.Twice != 0 || r.Waiting != 0 {
				t.Errorf("%v", r)
			}
			if len(c.cases) < persons/2 || c.seen.Load() == 0 {
				t.Errorf("%d cases, %d changes on the pages", len(c.cases), c.seen.Load())
			}
			if code := d.stop(); code != exitOK {
				t.Errorf("exit %d", code)
			}
			db, err := store.Open(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			wholeOnce(t, db, c.cases)
		})
	}
}

// work lets the people work for a time; the even ones make, the odd ones check.
func (c *crowd) work(clerks []*clerk, long time.Duration) {
	ctx, cancel := context.WithCancel(c.t.Context())
	stop := make(chan struct{})
	var working, watching sync.WaitGroup
	for _, one := range clerks {
		watching.Go(func() {
			if err := one.watch(ctx, &c.seen); err != nil {
				c.t.Error(err)
			}
		})
	}
	for i := 0; i+1 < len(clerks); i += 2 {
		working.Go(func() {
			if err := c.pair(ctx, stop, i/2, clerks[i], clerks[i+1]); err != nil {
				c.t.Error(err)
			}
		})
	}
	select {
	case <-time.After(long):
	case <-ctx.Done():
	}
	close(stop)
	working.Wait()
	cancel()
	watching.Wait()
}
