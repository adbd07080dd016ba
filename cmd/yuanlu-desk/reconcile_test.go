package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/mqtt/brokertest"
)

// trouble is what happens to a reconciled run.
type trouble struct {
	cases               int // at least so many at the desk
	broker, agent, desk int // kills; the broker's are two more for every deaf
	deaf                int // times that the broker throws acknowledgements away
	agentCut, deskCut   int // cables pulled out: packets are dropped, nothing is reset
	seed                uint64
}

// The simulator's truth, through a smart terminal's wire, the agent, mosquitto and
// the desk, while each of them is killed, the network of agent and of desk goes
// half-open, and acknowledgements are lost, repeated, and sent again when newer ones
// have been: at the end the desk has exactly the cases of the truth, every event
// once and in order.
func TestE2EReconciler(t *testing.T) {
	full := os.Getenv("YUANLU_SOAK") != ""
	t.Run("sqlite", func(t *testing.T) {
		do := trouble{cases: 80, broker: 2, deaf: 1, agent: 4, desk: 2, agentCut: 1, seed: 51}
		if full {
			do = trouble{cases: 1000, broker: 40, deaf: 5, agent: 50, desk: 20, agentCut: 4, deskCut: 4, seed: 51}
		}
		place := filepath.Join(t.TempDir(), "desk.db")
		reconcile(t, do, place)
	})
	t.Run("postgres", func(t *testing.T) {
		do := trouble{cases: 25, broker: 1, agent: 1, desk: 1, deskCut: 1, seed: 52}
		if full {
			do = trouble{cases: 1000, broker: 40, deaf: 5, agent: 50, desk: 20, agentCut: 4, deskCut: 4, seed: 52}
		}
		reconcile(t, do, cluster.Socket(t)) // a socket in the file system: it is there from inside the desk's network too
	})
}

// run is one reconciled run.
type run struct {
	t        *testing.T
	agentNet *network
	deskNet  *network
	broker   *brokertest.Broker
	access   string // the broker's access list
	agent    *process
	desk     *process
	dir      string // of the agent
	place    string // the desk's store
	link     string // symbolic link to the terminal's port
	rng      *rand.Rand
	kills    int // of the broker

	mu   sync.Mutex
	sent []scenario.Entry
}

func reconcile(t *testing.T, do trouble, place string) {
	began := time.Now()
	r := &run{t: t, agentNet: newNetwork(t, 0), deskNet: newNetwork(t, 1), dir: t.TempDir(), place: place, rng: rand.New(rand.NewPCG(do.seed, 7))}
	r.link = filepath.Join(r.dir, "pos")
	r.equip()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	played := r.play(ctx, do.seed, time.Time{})
	r.agent.start()
	r.desk.startDesk()
	witness := brokertest.NewClient(t, r.broker.URL(), "witness", nil, "yuanlu/#")
	var again repeated
	var wg sync.WaitGroup
	wg.Go(func() { again.run(ctx, witness) })

	r.trouble(do)
	desktest.Eventually(t, 20*time.Minute, fmt.Sprintf("%d cases", do.cases), func() bool { return r.casesSaid() >= do.cases })
	cancel()
	wg.Wait()
	if err := <-played; err != nil {
		t.Fatal(err)
	}
	secrets := r.confirmAll(do.seed)
	quiet := r.settle()
	ledger := r.truth()
	wrong := r.compare(ledger, do.cases)
	events := r.checkEvents()
	r.checkHeard(witness)
	searchSecrets(t, secrets, r.dir, witness, place, r.agent.log.String(), r.desk.log.String())
	var status struct{ Totals store.Totals }
	if err := r.desk.get("/v1/status", &status); err != nil {
		t.Error(err)
	}
	if status.Totals.Quarantined != 0 || status.Totals.Incomplete != 0 {
		t.Errorf("%+v", status.Totals)
	}
	lost := strings.Count(r.broker.Log(), "Denied PUBLISH from yuanlu-desk-desk")
	if do.deaf > 0 && lost == 0 {
		t.Error("no acknowledgement was lost")
	}
	if code := r.desk.stop(); code != exitOK {
		t.Errorf("the desk ended with %d", code)
	}
	t.Logf("%d refunds and voids in the truth, %d of them wrong, %d cases, %d events in order, %d received again; broker killed %d, agent %d, desk %d times; half-open: agent %d, desk %d times; acknowledgements thrown away %d, repeated %d, sent again after a newer one %d; quiet after %v, %v in all",
		len(ledger), wrong, status.Totals.Cases, events, status.Totals.Repeats, r.kills, do.agent, do.desk, do.agentCut, do.deskCut, lost, again.same, again.older, quiet, time.Since(began).Round(time.Second))
}

// Everything is allowed to everybody, acknowledgements or no acknowledgements.
const (
	hearing = "topic readwrite #\n"
	deaf    = "topic readwrite #\ntopic deny yuanlu/v1/+/dn/ack\n"
)

func (r *run) allow(list string) {
	r.t.Helper()
	if err := os.WriteFile(r.access, []byte(list), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// equip makes broker, key, configurations; nothing but the broker runs yet.
func (r *run) equip() {
	port := brokertest.FreePort(r.t)
	r.access = filepath.Join(r.dir, "access")
	r.allow(hearing)
	r.broker = brokertest.Start(r.t, brokertest.Options{Config: []string{fmt.Sprintf("listener %d 0.0.0.0", port), "allow_anonymous true", "acl_file " + r.access}})
	key, token := filepath.Join(r.dir, "desk.key"), filepath.Join(r.dir, "token")
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
%s`, filepath.Join(r.dir, "store"), r.link, r.agentNet.ours, port, toml)
	for name, content := range map[string]string{config: text, token: "sesame\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	r.agent = newProcess(r.t, func() *exec.Cmd {
		cmd := r.agentNet.command(binary(r.t, "yuanlu"), "run", "--config", config)
		cmd.Env = append(os.Environ(), "LANG=C", "JOURNAL_STREAM=")
		return cmd
	})
	r.desk = newProcess(r.t, func() *exec.Cmd {
		return r.deskNet.command(binary(r.t, "yuanlu-desk"), "serve", "--json", "--listen", r.deskNet.theirs+":0", "--token-file", token,
			"--broker", fmt.Sprintf("tcp://%s:%d", r.deskNet.ours, port), "--allow-plaintext", "--keep-alive", "5s", "--store", r.place, "--sign-key", key)
	})
	r.desk.token = "sesame"
}

// play lets a smart terminal's customers come until ctx ends, or only until a
// virtual moment. What it sent is confirmed only after the agent has stored it, and
// sent again until then, in a next run too.
func (r *run) play(ctx context.Context, seed uint64, until time.Time) <-chan error {
	r.t.Helper()
	term := r.terminal(seed)
	socket, err := wire.Plug("pty", r.link, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	journal, err := terminal.OpenJournal(filepath.Join(r.dir, "truth.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	p, err := terminal.NewPlayer(terminal.PlayerOptions{Terminal: term, Model: "smart", Source: terminal.Customers(term), Socket: socket, Journal: journal,
		Seed: seed, Wait: true, Hold: true, Every: 5 * time.Millisecond, Until: until,
		Sent: func(e *scenario.Entry, o terminal.Outcome) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if o.Confirmed {
				r.sent = append(r.sent, *e)
			}
		}})
	if err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := p.Run(ctx)
		socket.Close()
		ended <- errors.Join(err, journal.Close())
	}()
	return ended
}

func (r *run) terminal(seed uint64) *terminal.Terminal {
	r.t.Helper()
	// A thousand cases are a good year of trade; none of it may be in the future.
	start := time.Now().In(time.FixedZone("", 8*3600)).AddDate(0, 0, -480)
	term, err := terminal.New(terminal.Options{Model: "smart", Seed: seed, Wrong: 0.7, Start: time.Date(start.Year(), start.Month(), start.Day(), 9, 0, 0, 0, start.Location())})
	if err != nil {
		r.t.Fatal(err)
	}
	return term
}

// confirmAll lets the terminal send once more what was under way when it ended, and
// returns every clear identifier that it knows.
func (r *run) confirmAll(seed uint64) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	if err := <-r.play(ctx, seed, time.Unix(1, 0)); err != nil || ctx.Err() != nil {
		r.t.Fatal(err, ctx.Err())
	}
	term := r.terminal(seed)
	journal, err := terminal.OpenJournal(filepath.Join(r.dir, "truth.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer journal.Close()
	for _, e := range journal.Had() {
		if !journal.Confirmed(e.Seq) {
			r.t.Errorf("entry %d was never confirmed", e.Seq)
		}
	}
	if err := terminal.Customers(term).Resume(journal.Had()); err != nil {
		r.t.Fatal(err)
	}
	return term.Secrets()
}

// truths returns what was sent, with its final truth.
func (r *run) truths() []scenario.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := append([]scenario.Entry(nil), r.sent...)
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

// trouble does what is to be done, in a seeded order, and lets some work be done
// between.
func (r *run) trouble(do trouble) {
	var plan []func()
	add := func(n int, what func()) {
		for range n {
			plan = append(plan, what)
		}
	}
	add(do.broker, func() { r.restartBroker(600) })
	add(do.deaf, r.loseAcks)
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
	for net, n := range map[*network]int{r.agentNet: do.agentCut, r.deskNet: do.deskCut} {
		add(n, func() {
			net.cut(true)
			r.pause(6000)
			<-time.After(8 * time.Second) // longer than keep-alive and its answer
			net.cut(false)
		})
	}
	r.rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for i, what := range plan {
		want, before := do.cases*i/(len(plan)+1), r.settled()
		desktest.Eventually(r.t, 10*time.Minute, "work between two kills", func() bool { return r.casesSaid() >= want })
		for end := time.Now().Add(4 * time.Second); r.settled() <= before && time.Now().Before(end); {
			r.pause(200)
		}
		r.pause(900)
		what()
	}
}

func (r *run) restartBroker(away int) {
	r.broker.Kill()
	r.kills++
	r.pause(away)
	r.broker.Run()
}

// loseAcks lets the broker take acknowledgements from the desk, answer that it has
// them, and throw them away, until events come again because of it.
func (r *run) loseAcks() {
	repeats := func() int64 {
		var s struct{ Consumer struct{ Repeats int64 } }
		if r.desk.get("/v1/status", &s) != nil {
			return 0
		}
		return s.Consumer.Repeats
	}
	before := repeats()
	r.allow(deaf)
	r.restartBroker(100)
	desktest.Eventually(r.t, 2*time.Minute, "events again because acknowledgements are lost", func() bool { return repeats() >= before+3 })
	r.allow(hearing)
	r.restartBroker(100)
}

// settled is how far the desk has got with all streams.
func (r *run) settled() (n int64) {
	var gaps struct{ Streams []store.StreamRow }
	if r.desk.get("/v1/gaps?all=1", &gaps) != nil {
		return 0
	}
	for _, s := range gaps.Streams {
		n += s.Settled
	}
	return n
}

// pause waits a random moment, at most so many milliseconds.
func (r *run) pause(most int) { <-time.After(time.Duration(r.rng.IntN(most)+1) * time.Millisecond) }

// repeated sends every acknowledgement that was received twice more, and an older one
// after it: a broker may.
type repeated struct{ same, older int }

func (a *repeated) run(ctx context.Context, c *brokertest.Client) {
	rng := rand.New(rand.NewPCG(9, 9))
	done, seen := 0, map[string]bool{}
	var list []brokertest.Received
	for ctx.Err() == nil {
		received := c.Received()
		for _, h := range received[done:] {
			if h.Topic != "yuanlu/v1/t-1/dn/ack" || seen[string(h.Payload)] {
				continue
			}
			seen[string(h.Payload)] = true
			for range 2 {
				a.same++
				c.Send(h.Topic, h.Payload)
			}
			if len(list) > 0 {
				a.older++
				c.Send(h.Topic, list[rng.IntN(len(list))].Payload)
			}
			list = append(list, h)
		}
		done = len(received)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
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
	// Of one stream, that of the events of cases, of what became of them, and of the tallies.
	if err := db.QueryRow(`SELECT coalesce(max(CAST(value AS INT)), 0) FROM meta WHERE name = 'outbox.last'`).Scan(&last); err != nil {
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
