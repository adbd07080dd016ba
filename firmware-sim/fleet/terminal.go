package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"yuanlu/protocol/mqtt"
)

// Bounds of a terminal, as a real one has them.
const (
	window     = 14               // topics.md rule 2: 16 in flight, two of them for presence and answers
	retryMost  = 15 * time.Minute // topics.md rule 5
	goodAfter  = 60 * time.Second // topics.md rule 10: a connection this old resets the back-off
	summaryGap = 2 * time.Second  // least time between two summaries
	byeTime    = 3 * time.Second  // for a clean end
)

// entry is one event that waits: a case event until dn/ack covers it, another until its PUBACK.
type entry struct {
	id, kind, subject, stream string
	seq                       int64 // 0: of up/event
	at                        time.Time
	data                      []byte
	made                      time.Time // by time.Now
	attempt, taken            int       // times put on a connection; PUBACKs
	due                       time.Time
	flying                    bool
	result                    chan error
}

// terminal is one light terminal. All but what mu guards belongs to the goroutine of run.
type terminal struct {
	f                    *fleet
	n                    int
	id, merchant, number string
	rng                  *rand.Rand
	ahead                []moment // what is still to happen
	pace                 jitter

	conn          *mqtt.Conn
	meter         *meter
	dialAt        time.Time
	session       string
	sessions      int
	reason        string
	since         time.Time // of the connection
	lost          time.Time // when the last one ended; zero: there is one, or there was none yet
	nextHealth    time.Time
	nextSummary   time.Time
	flight        []*entry // sent, without PUBACK, in order
	unplugged     bool
	rounds        int64
	stream        string
	streams       int
	before        []string
	seq, acked    int64
	opened        int64
	open          []*incident
	cases, events []*entry
	summed        []byte
	renewing      bool
	count         Count
	truth         Truth
	delays        []time.Duration
	done          bool

	mu      sync.Mutex
	arrived []ack // guarded by mu
	wake    chan struct{}
}

// ack is the payload of dn/ack.
type ack struct {
	Stream string `json:"stream"`
	Acked  *int64 `json:"acked_seq"`
	Nack   []struct {
		Seq int64 `json:"seq"`
	} `json:"nack"`
}

func newTerminal(f *fleet, n int) *terminal {
	t := &terminal{f: f, n: n, id: fmt.Sprintf("%s-%05d", f.o.Prefix, n), merchant: fmt.Sprintf("8983101%08d", n/10), number: fmt.Sprintf("%08d", 10_000_000+n),
		rng: rand.New(rand.NewPCG(f.o.Seed+1, uint64(n))), ahead: plan(&f.o, n), reason: "start", wake: make(chan struct{}, 1)}
	t.pace = jitter{first: f.o.JitterFirst, most: f.o.JitterMost}
	t.truth = Truth{Terminal: t.id}
	t.newStream()
	t.dialAt = f.began.Add(time.Duration(t.rng.Float64() * float64(f.o.Ramp)))
	return t
}

func (t *terminal) topic(rest string) string { return t.f.o.Root + "/v1/" + t.id + "/" + rest }

func (t *terminal) newStream() {
	if t.stream != "" {
		t.before = slices.Insert(t.before, 0, t.stream)
	}
	t.streams++
	t.stream, t.seq, t.acked = idOf("stream", t.f.o.Seed, t.id, t.streams), 0, 0
}

// run lives until ctx ends, and then ends cleanly: it publishes offline and says good-bye.
func (t *terminal) run(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		if t.conn == nil && !now.Before(t.dialAt) {
			t.connect(ctx)
		}
		t.happen(ctx, time.Now())
		t.takeAcks()
		err := error(nil)
		if t.conn != nil {
			err = t.speak(ctx, time.Now())
		}
		if err == nil && t.conn != nil {
			err = t.drain(ctx, time.Now())
		}
		if err != nil {
			t.ended(time.Now())
		}
		t.finished()
		t.wait(ctx)
	}
	t.leave(context.WithoutCancel(ctx))
}

// finished notes, once, that everything has happened and is delivered.
func (t *terminal) finished() {
	if !t.done && len(t.ahead) == 0 && len(t.cases)+len(t.events) == 0 {
		t.done = true
		t.f.delivered.Add(1)
	}
}

// wait returns when there may be something to do.
func (t *terminal) wait(ctx context.Context) {
	next := time.Now().Add(time.Minute)
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	if len(t.ahead) > 0 {
		sooner(t.f.began.Add(t.ahead[0].at))
	}
	var lost <-chan struct{}
	var acked chan error
	if t.conn == nil {
		sooner(t.dialAt)
	} else {
		lost = t.conn.Done()
		sooner(t.nextHealth)
		sooner(t.nextSummary)
		for _, e := range t.cases {
			if !e.flying {
				sooner(e.due)
			}
		}
		if len(t.flight) > 0 {
			acked = t.flight[0].result
		}
	}
	timer := time.NewTimer(max(time.Until(next), time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-t.wake:
	case <-lost:
		t.ended(time.Now())
	case err := <-acked:
		t.puback(err)
	}
}

// connect makes one attempt: births, then what waits.
func (t *terminal) connect(ctx context.Context) {
	t.sessions++
	t.session = idOf("session", t.f.o.Seed, t.id, t.sessions, t.f.began.UnixNano())
	t.meter = &meter{}
	o := t.f.o.MQTT
	o.ClientID, o.Username = t.id, ""
	o.WillTopic, o.WillPayload = t.topic("up/state"), encode(t.state("lost", "lost", time.Time{}))
	o.DialContext = t.meter.dial
	conn, err := t.f.route(t.n, t.sessions).Dial(ctx, o)
	if err != nil {
		t.count.Failed++
		t.f.note(ctx, err)
		t.dialAt = time.Now().Add(t.pace.next(t.rng))
		return
	}
	t.conn, t.since = conn, time.Now()
	t.count.Connects++
	t.f.connected(t.since)
	if !t.lost.IsZero() {
		t.count.Away = max(t.count.Away, t.since.Sub(t.lost))
		t.lost = time.Time{}
	}
	t.summed, t.nextSummary, t.nextHealth = nil, t.since, t.healthAt(t.since)
	err = conn.Subscribe(ctx, t.topic("dn/#"), t.down)
	if err == nil {
		err = t.retain(ctx, t.birth(t.since)...)
	}
	if err != nil {
		t.ended(time.Now())
	}
}

// healthAt is the next regular round: terminals that were started together do not stay together.
func (t *terminal) healthAt(now time.Time) time.Time {
	return now.Add(time.Duration(float64(t.f.o.Health) * (0.9 + 0.2*t.rng.Float64())))
}

// down takes what comes down, in a goroutine of the connection.
func (t *terminal) down(topic string, payload []byte, _ bool) {
	var a ack
	if topic != t.topic("dn/ack") || json.Unmarshal(payload, &a) != nil {
		return
	}
	t.mu.Lock()
	t.arrived = append(t.arrived, a)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// takeAcks forgets what is delivered.
func (t *terminal) takeAcks() {
	t.mu.Lock()
	list := t.arrived
	t.arrived = nil
	t.mu.Unlock()
	now := time.Now()
	for _, a := range list {
		t.count.Down++
		t.count.Refused += len(a.Nack)
		if a.Stream != t.stream {
			continue // of the stream before: all of it is acknowledged
		}
		if a.Acked == nil || *a.Acked <= t.acked {
			continue
		}
		if *a.Acked > t.seq {
			t.count.Beyond++
			continue
		}
		t.acked = *a.Acked
		for len(t.cases) > 0 && t.cases[0].seq <= t.acked {
			e := t.cases[0]
			t.cases = t.cases[1:]
			t.count.Acked++
			t.delays = append(t.delays, now.Sub(e.made))
			t.flight = slices.DeleteFunc(t.flight, func(one *entry) bool { return one == e })
		}
	}
}

// speak publishes what is due of presence.
func (t *terminal) speak(ctx context.Context, now time.Time) error {
	if !now.Before(t.nextHealth) {
		t.rounds++
		t.nextHealth = t.healthAt(now)
		if err := t.retain(ctx, retained{"state", t.state("online", t.reason, now)}, t.health(now), t.link(now)); err != nil {
			return err
		}
	}
	if now.Before(t.nextSummary) {
		return nil
	}
	t.nextSummary = now.Add(time.Hour)
	if r, ok := t.summary(now); ok {
		return t.retain(ctx, r)
	}
	return nil
}

// changed plans a summary.
func (t *terminal) changed(now time.Time) {
	if at := now.Add(summaryGap); at.Before(t.nextSummary) {
		t.nextSummary = at
	}
}

// drain sends what is due: cases in their sequence, then events.
func (t *terminal) drain(ctx context.Context, now time.Time) error {
	var leave []mqtt.Outgoing
	for _, list := range [][]*entry{t.cases, t.events} {
		for _, e := range list {
			if len(t.flight) >= window || e.flying || now.Before(e.due) {
				continue
			}
			e.attempt++
			t.count.Sent++
			t.count.Up++
			if e.attempt > 1 {
				t.count.Repeated++
			}
			e.flying, e.result = true, make(chan error, 1)
			t.flight = append(t.flight, e)
			name := "up/case"
			if e.seq == 0 {
				name = "up/event"
			}
			leave = append(leave, mqtt.Outgoing{Topic: t.topic(name), QoS: 1, Payload: t.envelope(e), Result: e.result})
		}
	}
	if len(leave) == 0 {
		return nil
	}
	return t.conn.Send(ctx, leave...)
}

// puback takes the broker's answer to the oldest in flight: sent, and due again later unless dn/ack comes.
func (t *terminal) puback(err error) {
	e := t.flight[0]
	if err != nil {
		t.ended(time.Now())
		return
	}
	t.flight = t.flight[1:]
	e.flying = false
	e.taken++
	wait := t.f.o.Retry
	for range e.taken - 1 {
		wait = min(2*wait, retryMost)
	}
	e.due = time.Now().Add(wait)
	if e.seq == 0 {
		t.events = slices.DeleteFunc(t.events, func(one *entry) bool { return one == e })
	}
	t.changed(time.Now())
}

// ended puts a connection away that has ended, or ends it without a DISCONNECT.
func (t *terminal) ended(now time.Time) {
	if t.conn == nil {
		return
	}
	t.count.Lost++
	t.hangUp()
	t.count.BytesUp, t.count.BytesDown = t.count.BytesUp+t.meter.out.Load(), t.count.BytesDown+t.meter.in.Load()
	t.pace.was(now.Sub(t.since))
	t.lost, t.reason = now, "reconnect"
	t.dialAt = now.Add(t.pace.next(t.rng))
}

// hangUp closes the network connection and waits for what the client has started.
func (t *terminal) hangUp() {
	t.meter.cut()
	bye, cancel := context.WithTimeout(context.Background(), byeTime)
	defer cancel()
	_ = t.conn.Close(bye) // it is cut: there is nothing to say
	t.conn = nil
	for _, e := range t.flight { // without a PUBACK: at once on the next connection
		e.flying, e.due = false, time.Time{}
	}
	t.flight = nil
}

// leave ends cleanly: offline, the links too, and a DISCONNECT, so that the broker forgets the will.
func (t *terminal) leave(ctx context.Context) {
	if t.conn == nil {
		return
	}
	bye, cancel := context.WithTimeout(ctx, byeTime)
	defer cancel()
	now := time.Now()
	link := t.link(now)
	if body, ok := link.body.(object); ok {
		body["state"], body["reason"] = "offline", "stop"
	}
	err := t.retain(bye, retained{"state", t.state("offline", "stop", now)}, link)
	if err == nil {
		err = t.conn.Close(bye)
	}
	if err != nil {
		t.count.Unclean++
	}
	t.hangUp()
	t.count.BytesUp, t.count.BytesDown = t.count.BytesUp+t.meter.out.Load(), t.count.BytesDown+t.meter.in.Load()
	t.lost = now
}
