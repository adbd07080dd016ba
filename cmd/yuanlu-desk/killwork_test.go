package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/people"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt/brokertest"
)

// clerk sends commands to a desk that is killed, each until it has an answer, under one key.
type clerk struct {
	desks        *address
	client       http.Client
	cookie, csrf string
}

// address is where the desk listens now.
type address struct {
	mu  sync.Mutex
	api string
}

func (a *address) set(api string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.api = api
}

func (a *address) get() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.api
}

// done is the answer to a command.
type done struct {
	Events []casework.Event
}

// do sends a command until it is answered.
func (c *clerk) do(ctx context.Context, key, do, body string) (done, error) {
	for {
		status, text, err := c.post(ctx, "/v1/work/"+do, key, body)
		switch {
		case ctx.Err() != nil:
			return done{}, ctx.Err()
		case err == nil && status == http.StatusOK:
			var d done
			return d, json.Unmarshal(text, &d)
		case err == nil && status < 500:
			return done{}, fmt.Errorf("%s: %d %s", do, status, text)
		}
		select { // no answer: the same key again
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (c *clerk) post(ctx context.Context, path, key, body string) (int, []byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.desks.get()+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Cookie", c.cookie)
	q.Header.Set("X-CSRF-Token", c.csrf)
	q.Header.Set("Idempotency-Key", key)
	rsp, err := c.client.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	return rsp.StatusCode, text, err
}

// The desk is killed at random moments while people work. Every command that was answered is
// there once, none is there half, and none twice.
func TestKillDeskUnderCommands(t *testing.T) {
	for name, place := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "desk.db") },
		"postgres": func(t *testing.T) string { return cluster.Database(t) },
	} {
		t.Run(name, func(t *testing.T) { killUnderCommands(t, place(t)) })
	}
}

// hiredClerks makes the people of the test and logs them in.
func hiredClerks(t *testing.T, place string, desks *address, ids ...string) []*clerk {
	t.Helper()
	db, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.SetUp(t.Context(), []byte(`{"stores":[{"store":"s1","merchant_id":"M1","terminals":[],"cutoff":""}]}`)); err != nil {
		t.Fatal(err)
	}
	var out []*clerk
	for _, id := range ids {
		role, _, _ := strings.Cut(id, "-")
		p := fmt.Sprintf(`{"id":%q,"staff":%q,"roles":[%q],"stores":["*"],"operators":[],"active":true}`, id, id, role)
		if err := db.Hire(t.Context(), time.Now(), []byte(p)); err != nil {
			t.Fatal(err)
		}
		token := people.Token()
		s := store.Session{Hash: people.TokenHash(token), Person: id, CSRF: people.Token(), Made: time.Now()}
		if err := db.Begin(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		out = append(out, &clerk{desks: desks, client: http.Client{Timeout: 20 * time.Second}, cookie: "__Host-yuanlu=" + token, csrf: s.CSRF})
	}
	return out
}

// oneCase opens a case by hand, proposes to close it, and has that approved. It returns its
// number.
func oneCase(ctx context.Context, maker, checker *clerk, n int, name string) (string, error) {
	k := fmt.Sprintf("%s-%d", name, n)
	opened, err := maker.do(ctx, k+"-open", "open", `{"store":"s1","text":"x","refund":{"channel":"card","amount":1,"currency":"CNY","at":"2026-08-24T08:00:00Z","number":"`+k+`"}}`)
	if err != nil || len(opened.Events) == 0 {
		return "", fmt.Errorf("open: %d events, %w", len(opened.Events), err)
	}
	no := opened.Events[len(opened.Events)-1].Case
	if _, err := maker.do(ctx, k+"-propose", "propose", fmt.Sprintf(`{"case":%q,"expect":2,"commands":[{"do":"close","outcome":"test"}],"text":"x"}`, no)); err != nil {
		return no, err
	}
	_, err = checker.do(ctx, k+"-approve", "approve", fmt.Sprintf(`{"case":%q,"expect":4,"proposal":4}`, no))
	return no, err
}

func killUnderCommands(t *testing.T, place string) {
	kills := 20 // a tenth of 200
	if os.Getenv("YUANLU_SOAK") != "" {
		kills = 200
	}
	b := brokertest.Start(t, brokertest.Options{})
	desks := &address{}
	clerks := hiredClerks(t, place, desks, "analyst-1", "checker-1", "analyst-2", "checker-2")
	d := newDesk(t, "--broker", b.URL(), "--store", place)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	worked := make([][]string, 2)
	stop := make(chan struct{})
	for i := range worked {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				no, err := oneCase(ctx, clerks[2*i], clerks[2*i+1], n, fmt.Sprint("pair", i))
				if err != nil {
					t.Errorf("%s: %v", no, err)
					return
				}
				worked[i] = append(worked[i], no)
			}
		})
	}
	rng := rand.New(rand.NewPCG(2, 71))
	for range kills {
		d.startDesk()
		desks.set(d.api)
		select {
		case <-time.After(time.Duration(20+rng.IntN(250)) * time.Millisecond):
		case <-ctx.Done():
		}
		d.kill()
	}
	d.startDesk()
	desks.set(d.api)
	close(stop)
	wg.Wait()
	if code := d.stop(); code != exitOK {
		t.Errorf("exit %d", code)
	}
	holds(t, place, append(worked[0], worked[1]...))
	t.Logf("%d kills, %d and %d cases", kills, len(worked[0]), len(worked[1]))
}

// holds checks the journals: that they can be built again is that each event continues the
// one before it.
func holds(t *testing.T, place string, cases []string) {
	t.Helper()
	db, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wholeOnce(t, db, cases)
	if len(cases) == 0 {
		t.Error("no case was worked: the test shows nothing")
	}
	a, _, err := db.Work(t.Context(), time.Now(), "", fmt.Sprintf(`"show":"C-%d-%06d"`, time.Now().Year(), len(cases)+1))
	if err != nil || a.Refused != casework.NotFound {
		t.Errorf("a case of which no one was answered: %v %v", a.Refused, err)
	}
}

// wholeOnce: the journal of each case has the events of its commands, once.
func wholeOnce(t *testing.T, db *store.Store, cases []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, no := range cases {
		list, err := db.Journal(t.Context(), no, 0)
		if err != nil {
			t.Fatal(err)
		}
		var whats []string
		for _, one := range list {
			var e casework.Event
			if err := json.NewDecoder(bytes.NewReader(one)).Decode(&e); err != nil {
				t.Fatal(err)
			}
			whats = append(whats, e.What)
		}
		if got := strings.Join(whats, " "); got != "opened reported claimed proposed approved closed" || seen[no] {
			t.Errorf("%s: %s", no, got)
		}
		seen[no] = true
	}
}
