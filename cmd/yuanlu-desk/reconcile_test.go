package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"yuanlu/agent/report/brokertest"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/topics"
)

// trouble is what happens to a reconciled run.
type trouble struct {
	cases                      int // at least so many at the desk
	broker, agent, desk, halfs int // kills, and cables pulled out
	seed                       uint64
}

// The simulator's truth, through a smart terminal's wire, the agent, mosquitto and
// the desk, while each of them is killed and the network goes half-open: at the end
// the desk has exactly the cases of the truth, every event once and in order.
func TestE2EReconciler(t *testing.T) {
	full := os.Getenv("YUANLU_SOAK") != ""
	t.Run("sqlite", func(t *testing.T) {
		do := trouble{cases: 100, broker: 4, agent: 5, desk: 3, halfs: 1, seed: 51}
		if full {
			do = trouble{cases: 1000, broker: 50, agent: 50, desk: 20, halfs: 6, seed: 51}
		}
		reconcile(t, do, filepath.Join(t.TempDir(), "desk.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		do := trouble{cases: 40, broker: 1, agent: 2, desk: 2, halfs: 0, seed: 52}
		if full {
			do = trouble{cases: 1000, broker: 50, agent: 50, desk: 20, halfs: 6, seed: 52}
		}
		reconcile(t, do, cluster.Database(t))
	})
}

// run is one reconciled run.
type run struct {
	t      *testing.T
	net    *network
	broker *brokertest.Broker
	agent  *process
	desk   *process
	dir    string // of the agent
	place  string // the desk's store
	link   string // symbolic link to the terminal's port
	rng    *rand.Rand

	mu   sync.Mutex
	said []scenario.Entry
}

func reconcile(t *testing.T, do trouble, place string) {
	began := time.Now()
	r := &run{t: t, net: newNetwork(t), dir: t.TempDir(), place: place, rng: rand.New(rand.NewPCG(do.seed, 7))}
	r.link = filepath.Join(r.dir, "pos")
	r.equip()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	term, played := r.play(ctx, do.seed)
	r.agent.start()
	r.desk.startDesk()
	witness := desktest.NewClient(t, r.broker.URL(), "witness", nil, "yuanlu/#")
	go repeatAcks(ctx, witness)

	r.trouble(do)
	desktest.Eventually(t, 20*time.Minute, fmt.Sprintf("%d cases", do.cases), func() bool { return r.casesSaid() >= do.cases })
	cancel()
	if err := <-played; err != nil {
		t.Fatal(err)
	}
	quiet := r.settle()
	r.compare(do.cases)
	r.check(witness)
	searchSecrets(t, term.Secrets(), r.dir, witness, place, r.agent.log.String(), r.desk.log.String())
	var totals struct{ Totals store.Totals }
	if err := r.desk.get("/v1/status", &totals); err != nil {
		t.Error(err)
	}
	if code := r.desk.stop(); code != exitOK {
		t.Errorf("the desk ended with %d", code)
	}
	t.Logf("%d records, %d cases, %d events, %d received again; broker killed %d, agent %d, desk %d times, network half-open %d times; quiet after %v, %v in all",
		len(r.said), totals.Totals.Cases, totals.Totals.Events, totals.Totals.Repeats, do.broker, do.agent, do.desk, do.halfs, quiet, time.Since(began).Round(time.Second))
}

// equip makes broker, key, configurations; nothing but the broker runs yet.
func (r *run) equip() {
	port := brokertest.FreePort(r.t)
	r.broker = brokertest.Start(r.t, brokertest.Options{Config: []string{fmt.Sprintf("listener %d 0.0.0.0", port), "allow_anonymous true"}})
	key := filepath.Join(r.dir, "desk.key")
	toml, err := exec.Command(binary(r.t, "yuanlu-desk"), "keygen", "--out", key, "--id", "desk-1").Output()
	if err != nil {
		r.t.Fatal(err)
	}
	config := filepath.Join(r.dir, "yuanlu.toml")
	text := fmt.Sprintf(`[terminal]
id = "t-1"
merchant_id = "898000000000001"
[store]
dir = %q
[[link]]
name = "pos"
wire = "smart"
port = %q
[mqtt]
url = "tcp://%s:%d"
allow_plaintext = true
keep_alive = "5s"
[delivery]
ack_timeout = "1s"
[case]
pending_grace = "1s"
[backoffice]
host = "desk"
%s`, filepath.Join(r.dir, "store"), r.link, r.net.address, port, toml)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.agent = newProcess(r.t, func() *exec.Cmd {
		cmd := r.net.command(binary(r.t, "yuanlu"), "run", "--config", config)
		cmd.Env = append(os.Environ(), "LANG=C", "JOURNAL_STREAM=")
		return cmd
	})
	r.desk = newDesk(r.t, "--broker", r.broker.URL(), "--store", r.place, "--sign-key", key)
}

// play lets a smart terminal's customers come until ctx ends. What it said is
// confirmed only after the agent has stored it, and said again until then.
func (r *run) play(ctx context.Context, seed uint64) (*terminal.Terminal, <-chan error) {
	start := time.Now().In(time.FixedZone("", 8*3600)).AddDate(0, 0, -3)
	term, err := terminal.New(terminal.Options{Model: "smart", Seed: seed, Wrong: 0.7, Start: time.Date(start.Year(), start.Month(), start.Day(), 9, 0, 0, 0, start.Location())})
	if err != nil {
		r.t.Fatal(err)
	}
	socket, err := wire.Plug("pty", r.link, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	journal, err := terminal.OpenJournal(filepath.Join(r.dir, "truth.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		socket.Close()
		journal.Close()
	})
	p, err := terminal.NewPlayer(terminal.PlayerOptions{Terminal: term, Model: "smart", Source: terminal.Customers(term), Socket: socket, Journal: journal,
		Seed: seed, Wait: true, Hold: true, Every: 5 * time.Millisecond,
		Said: func(e *scenario.Entry, o terminal.Outcome) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if o.Confirmed {
				r.said = append(r.said, *e)
			}
		}})
	if err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return term, ended
}

// truths gives what was said, with its final truth.
func (r *run) truths() []scenario.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := append([]scenario.Entry(nil), r.said...)
	scenario.Final(list)
	return list
}

func (r *run) casesSaid() (n int) {
	for _, e := range r.truths() {
		if e.Truth != nil && e.Truth.Case {
			n++
		}
	}
	return n
}

// trouble kills what is to be killed, in a seeded order, and lets some work be done
// between.
func (r *run) trouble(do trouble) {
	var plan []func()
	add := func(n int, what func()) {
		for range n {
			plan = append(plan, what)
		}
	}
	add(do.broker, func() {
		r.broker.Kill()
		r.pause(600)
		r.broker.Run()
	})
	add(do.agent, func() {
		r.agent.kill()
		r.pause(300)
		r.agent.start()
	})
	add(do.desk, func() {
		r.desk.kill()
		r.pause(600)
		r.desk.startDesk()
	})
	add(do.halfs, func() {
		r.net.cut(true)
		r.pause(12_000)
		r.net.cut(false)
	})
	r.rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for i, what := range plan {
		want := do.cases * i / (len(plan) + 1)
		desktest.Eventually(r.t, 10*time.Minute, "work between two kills", func() bool { return r.casesSaid() >= want })
		r.pause(900)
		what()
	}
}

// pause waits a random moment, at most so many milliseconds.
func (r *run) pause(most int) { <-time.After(time.Duration(r.rng.IntN(most)+1) * time.Millisecond) }

// repeatAcks says every acknowledgement that was heard once more: a broker may.
func repeatAcks(ctx context.Context, c *desktest.Client) {
	done, said := 0, map[string]bool{}
	for ctx.Err() == nil {
		heard := c.Heard()
		for _, h := range heard[done:] {
			if h.Topic == "yuanlu/v1/t-1/dn/ack" && !said[string(h.Payload)] {
				said[string(h.Payload)] = true
				c.Send(h.Topic, h.Payload)
			}
		}
		done = len(heard)
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// settle waits until the agent has nothing left to deliver.
func (r *run) settle() time.Duration {
	r.t.Helper()
	began := time.Now()
	// Verdicts without an original wait for their grace of one second.
	<-time.After(2500 * time.Millisecond)
	desktest.Eventually(r.t, 3*time.Minute, "everything delivered", func() bool {
		stream, last, waiting := r.outbox()
		var gaps struct{ Streams []store.StreamRow }
		if waiting > 0 || r.desk.get("/v1/gaps?all=1", &gaps) != nil {
			return false
		}
		for _, s := range gaps.Streams {
			if s.Stream == stream {
				return s.Settled == last
			}
		}
		return last == 0
	})
	return time.Since(began).Round(time.Second)
}

// outbox reads the agent's store as a stranger would.
func (r *run) outbox() (stream string, last, waiting int64) {
	r.t.Helper()
	db := r.agentStore()
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM outbox WHERE entry < 1099511627776`).Scan(&waiting); err != nil {
		r.t.Fatal(err)
	}
	if err := db.QueryRow(`SELECT coalesce(sum(events), 0) FROM cases`).Scan(&last); err != nil {
		r.t.Fatal(err)
	}
	if err := db.QueryRow(`SELECT value FROM meta WHERE name = 'stream'`).Scan(&stream); err != nil {
		r.t.Fatal(err)
	}
	return stream, last, waiting
}

func (r *run) agentStore() *sql.DB {
	r.t.Helper()
	path := url.URL{Path: filepath.Join(r.dir, "store", "yuanlu.db")}
	db, err := sql.Open("sqlite", "file:"+path.EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		r.t.Fatal(err)
	}
	return db
}

// caseData is what is compared of a case.
type caseData struct {
	Refund struct {
		Kind       string `json:"kind"`
		TerminalID string `json:"terminal_id"`
		Batch      string `json:"batch"`
		Stan       string `json:"stan"`
		RefundNo   string `json:"refund_no"`
		Amount     int64  `json:"amount"`
	} `json:"refund"`
	Verdict struct {
		Recipient string `json:"recipient"`
		Decision  string `json:"decision"`
	} `json:"verdict"`
}

func number(terminal, batch, stan, refundNo string) string {
	if stan == "" {
		return terminal + "/" + refundNo
	}
	return terminal + "/" + batch + "/" + stan
}

// compare sets the desk's cases against the truth and against the agent's store.
func (r *run) compare(least int) {
	r.t.Helper()
	got := map[string]store.CaseRow{}
	ids := map[string]bool{}
	for path := "/v1/cases?limit=200"; path != ""; {
		var page struct {
			Cases []store.CaseRow
			Next  *string
		}
		if err := r.desk.get(path, &page); err != nil {
			r.t.Fatal(err)
		}
		for _, c := range page.Cases {
			var d caseData
			if err := json.Unmarshal(c.Data, &d); err != nil {
				r.t.Fatal(err)
			}
			n := number(d.Refund.TerminalID, d.Refund.Batch, d.Refund.Stan, d.Refund.RefundNo)
			if before, twice := got[n]; twice {
				r.t.Errorf("%s is two cases: %s and %s", n, before.CaseID, c.CaseID)
			}
			got[n], ids[c.CaseID] = c, true
		}
		if path = ""; page.Next != nil {
			path = *page.Next
		}
	}
	for _, e := range r.truths() {
		if e.Truth == nil || e.Record.Copy != "" {
			continue
		}
		n := number(e.Record.TerminalID, e.Record.Batch, e.Record.Stan, e.Record.RefundNo)
		c, there := got[n]
		switch {
		case e.Truth.Case && !there:
			r.t.Errorf("lost: %s, %s", n, e.Truth.Why)
		case !e.Truth.Case && there && c.State == store.CaseOpen:
			r.t.Errorf("false: %s is a case, %s", n, e.Truth.Why)
		case e.Truth.Case && (c.Recipient != e.Truth.Recipient || c.Decision != e.Truth.Decision):
			r.t.Errorf("%s: recipient %s %s, want %s %s", n, c.Recipient, c.Decision, e.Truth.Recipient, e.Truth.Decision)
		}
	}
	if len(got) < least {
		r.t.Errorf("%d cases, want %d at least", len(got), least)
	}
	db := r.agentStore()
	defer db.Close()
	rows, err := db.Query(`SELECT case_id FROM cases`)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			r.t.Fatal(err)
		}
		if !ids[id] {
			r.t.Errorf("case %s of the agent's store is not at the desk", id)
		}
		delete(ids, id)
	}
	for id := range ids {
		r.t.Errorf("case %s at the desk is not in the agent's store", id)
	}
}

// check looks at every event that the desk holds, and at everything that was ever
// on the broker.
func (r *run) check(witness *desktest.Client) {
	r.t.Helper()
	_, last, _ := r.outbox()
	db, err := store.Open(r.t.Context(), r.place)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	sequences, opened := map[string]bool{}, map[string]string{}
	count, after := int64(0), int64(0)
	for {
		list, err := db.Events(r.t.Context(), store.EventFilter{After: after, Kind: "case", Limit: store.MaxLimit})
		if err != nil {
			r.t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, row := range list {
			var e topics.Event
			if err := json.Unmarshal(row.Event, &e); err != nil {
				r.t.Fatal(err)
			}
			if sequences[e.Sequence] {
				r.t.Errorf("sequence %s twice", e.Sequence)
			}
			sequences[e.Sequence] = true
			if first, ok := opened[e.Subject]; e.Type == "yuanlu.case.opened.v1" {
				if ok {
					r.t.Errorf("%s opened twice", e.Subject)
				}
				opened[e.Subject] = e.Sequence
			} else if ok && e.Sequence < first {
				r.t.Errorf("%s %s before it was opened", e.Subject, e.Type)
			}
			count, after = count+1, row.N
		}
	}
	if count != last {
		r.t.Errorf("the desk has %d case events, the agent told %d", count, last)
	}
	if n, err := db.Totals(r.t.Context()); err != nil || n.Quarantined != 0 || n.Incomplete != 0 {
		r.t.Errorf("%+v %v", n, err)
	}
	v, err := topics.NewValidator()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range witness.Heard() {
		schema := topics.SchemaOfTopic("yuanlu", h.Topic)
		if h.Topic == "yuanlu/v1/t-1/dn/ack" {
			schema = "signed.v1"
		}
		if len(h.Payload) == 0 {
			continue
		}
		if err := v.Check(schema, h.Payload); err != nil {
			r.t.Errorf("%s: %v", h.Topic, err)
		}
	}
}
