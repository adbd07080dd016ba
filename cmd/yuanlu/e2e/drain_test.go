package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// What a drain of 100 000 cases may take of memory, in KiB (issue 5).
const drainMost = 32 << 10

// drainQueue is a store with n queued cases, made once and copied for each test, and
// the messages of the first of them.
type drainQueue struct {
	store    string
	n        int
	room     int64 // bytes that may wait with a sequence; what is beyond gets its own when there is room
	payloads [][]byte
}

// TestE2EDrain100kQueuedCases: after a long outage. Order is kept, nothing comes twice
// but as a further attempt, memory stays under its bound; the rate and the CPU time
// stand beside those of the same publishes by the MQTT library alone. A tenth of the
// cases, all of them with YUANLU_SOAK=1.
func TestE2EDrain100kQueuedCases(t *testing.T) {
	q := drainQueue{store: filepath.Join(t.TempDir(), "queued"), n: 10_000, room: 1 << 30}
	if os.Getenv("YUANLU_SOAK") != "" {
		q.n = 100_000
	}
	q.seed(t)
	t.Run("acknowledged as they come", func(t *testing.T) { q.drain(t, consumerOptions{every: 64}, 0) })
	t.Run("acknowledged at the end", func(t *testing.T) { q.drain(t, consumerOptions{every: q.n, check: true}, 0) })
	t.Run("cut in the middle", func(t *testing.T) { q.drain(t, consumerOptions{every: 64, check: true}, 3) })
	t.Run("more than there is room for", func(t *testing.T) {
		small := drainQueue{store: filepath.Join(t.TempDir(), "queued"), n: q.n / 5, room: 1 << 20}
		small.seed(t)
		small.drain(t, consumerOptions{every: 64, check: true}, 1)
	})
}

// seed fills the store: a sale and its refund to another card for each case.
func (q *drainQueue) seed(t *testing.T) {
	ctx := context.Background()
	db, err := ledger.Open(ctx, ledger.Options{Dir: q.store, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()),
		OutboxMaxBytes: q.room, Synchronous: "OFF"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for from := 0; from < q.n; from += 256 {
		var as []refund.Arrival
		for i := from; i < min(from+256, q.n); i++ {
			for _, r := range queuedCase(t, i) {
				as = append(as, refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(r, db.Keys()), Received: time.Now(), ClockSynced: true}}})
			}
		}
		if _, err := db.Apply(ctx, as); err != nil {
			t.Fatal(err)
		}
	}
	st, err := db.OutboxStat(ctx)
	if err != nil || st.Waiting+st.Unsequenced != int64(q.n) || st.LastSeq != st.Waiting || (st.Unsequenced > 0) == (q.room == 1<<30) {
		t.Fatalf("seeded %+v (%v)", st, err)
	}
	first, _, err := db.Due(ctx, time.Now(), 256, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range first {
		q.payloads = append(q.payloads, topics.AppendEvent(nil, &topics.Fields{ID: n.ID, Source: "urn:yuanlu:terminal:t-e2e", Type: n.Type, Subject: n.Subject,
			Stream: n.Stream, Time: n.Time, Sequence: n.Sequence, Attempt: 1, ClockSynced: true, Data: n.Data}))
	}
}

// queuedCase is a sale and a refund of it to another card.
func queuedCase(t *testing.T, i int) (pair [2]refund.Record) {
	for n, line := range []string{
		fmt.Sprintf(`{"v":1,"kind":"sale","outcome":"approved","merchant_id":"898000000000001","terminal_id":"10000001","channel":"card","entry":"chip","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"%06d","batch":"000007","rrn":"26082%07d","party":{"scheme":"pan","id":"6200000000000005"}}`, i, i),
		fmt.Sprintf(`{"v":1,"kind":"refund","outcome":"approved","merchant_id":"898000000000001","terminal_id":"10000001","channel":"card","entry":"swipe","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"%06d","batch":"000008","rrn":"26083%07d","original":{"rrn":"26082%07d","date":"0822"},"party":{"scheme":"pan","id":"6205500000000000004"}}`, i, i, i),
	} {
		var err error
		if pair[n], err = refund.ParseRecord([]byte(line), refund.Reject); err != nil {
			t.Fatal(err)
		}
	}
	return pair
}

// drain has the agent empty a copy of the queue, its connection cut so many times on
// the way, and compares.
func (q *drainQueue) drain(t *testing.T, o consumerOptions, cuts int) {
	// Without max_queued_messages mosquitto throws away what a slow subscriber has not
	// taken yet; what then happens is another test's matter.
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true, Config: []string{"log_type none", "max_queued_messages 0"}})
	url, cable := broker.URL(), (*cable)(nil)
	if cuts > 0 {
		cable = newCable(t, fmt.Sprintf("127.0.0.1:%d", broker.Port))
		url = cable.url()
	}
	st := newStation(t, settings{broker: url, port: filepath.Join(t.TempDir(), "no-port")})
	st.reconfigure(`ack_timeout = "2s"`, fmt.Sprintf(`max_bytes = "%dKiB"`, q.room>>10))
	if out, err := exec.Command("cp", "-r", q.store, st.store).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := newConsumer(t, broker.URL(), st.id, o)
	before := q.floor(t, broker, q.n/2)
	st.start()
	eventually(t, time.Minute, "the first case", func() bool { return c.count() > 0 })
	begin, from := look(t, st.cmd.Process.Pid), c.count()
	for cut := range cuts {
		eventually(t, 5*time.Minute, "a part of the queue", func() bool { return c.count() > q.n*(cut+1)/(cuts+1) })
		cable.cut()
	}
	peak := int64(0)
	eventually(t, 10*time.Minute, "all cases at the consumer", func() bool {
		peak = max(peak, procField(fmt.Sprintf("/proc/%d/status", st.cmd.Process.Pid), "VmRSS:"))
		return c.count() == q.n
	})
	took, sent := c.took(), look(t, st.cmd.Process.Pid)
	eventually(t, 2*time.Minute, "all acknowledged", func() bool { return outbox(t, st) == outboxStat{int64(q.n), int64(q.n), int64(q.n), 0} })
	end := look(t, st.cmd.Process.Pid)
	peak = max(peak, end.hwm)
	after := q.floor(t, broker, q.n/2)
	st.stop()
	c.check(q.n, cuts)
	if n := st.said("outbox.unavailable") + st.said("outbox.sent_unsaved"); n > 0 {
		t.Errorf("the outbox failed %d times", n)
	}
	if peak > drainMost {
		t.Errorf("%d KiB resident, want under %d", peak, drainMost)
	}
	rate, alone := float64(q.n)/took.Seconds(), float64(q.n/2*2)/(before.took+after.took).Seconds()
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(q.n-from) }
	t.Logf("%d cases of %d bytes: %.0f/s, paho alone %.0f/s: %.2f of it; CPU a case: agent %.0f µs sending and %.0f µs until all was acknowledged, paho alone %.0f µs; resident at most %.1f MiB (%.1f when all was sent); %d came again",
		q.n, len(q.payloads[0]), rate, alone, rate/alone, each(sent.cpu-begin.cpu), each(end.cpu-begin.cpu), float64((before.cpu+after.cpu).Microseconds())/float64(q.n),
		float64(peak)/1024, float64(sent.rss)/1024, c.repeats())
}

// reconfigure replaces texts of the configuration file.
func (st *station) reconfigure(pairs ...string) {
	st.t.Helper()
	b, err := os.ReadFile(st.config)
	if err == nil {
		err = os.WriteFile(st.config, []byte(strings.NewReplacer(pairs...).Replace(string(b))), 0o600)
	}
	if err != nil {
		st.t.Fatal(err)
	}
}

// floorRun is what the library alone needed.
type floorRun struct{ took, cpu time.Duration }

const floorEnv = "YUANLU_DRAIN_FLOOR"

// floor publishes n of the messages by the library alone, in a process of its own.
func (q *drainQueue) floor(t *testing.T, broker *brokertest.Broker, n int) floorRun {
	t.Helper()
	file := filepath.Join(t.TempDir(), "payloads")
	b, err := json.Marshal(q.payloads)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestDrainFloor$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", floorEnv, broker.URL(), n, file))
	out, err := cmd.CombinedOutput()
	var ns int64
	if _, after, ok := strings.Cut(string(out), "floor-ns="); err != nil || !ok {
		t.Fatalf("the library alone: %v: %s", err, out)
	} else if _, err := fmt.Sscan(after, &ns); err != nil {
		t.Fatal(err)
	}
	return floorRun{time.Duration(ns), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// TestDrainFloor is that process: 16 in flight, nothing else.
func TestDrainFloor(t *testing.T) {
	var url, file string
	var n int
	if _, err := fmt.Sscan(os.Getenv(floorEnv), &url, &n, &file); err != nil {
		t.Skip("not the child of a drain test")
	}
	b, err := os.ReadFile(file)
	var payloads [][]byte
	if err == nil {
		err = json.Unmarshal(b, &payloads)
	}
	if err != nil {
		t.Fatal(err)
	}
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(url, "mqtt://", "tcp://", 1)).SetClientID("alone").SetAutoReconnect(false))
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	begin := time.Now()
	var flight []mqtt.Token
	for i := range n + 16 {
		if i >= 16 {
			if flight[0].Wait(); flight[0].Error() != nil {
				t.Fatal(flight[0].Error())
			}
			flight = flight[1:]
		}
		if i < n {
			flight = append(flight, client.Publish("yuanlu/v1/t-alone/up/case", 1, false, payloads[i%len(payloads)]))
		} else {
			flight = append(flight, &mqtt.DummyToken{})
		}
	}
	fmt.Printf("floor-ns=%d\n", time.Since(begin).Nanoseconds())
	client.Disconnect(50)
}

type consumerOptions struct {
	every int  // acknowledges when it has so many more, and when nothing more comes
	check bool // checks every message against its schema
}

// consumer takes cases in their order and acknowledges them cumulatively.
type consumer struct {
	t        *testing.T
	o        consumerOptions
	client   mqtt.Client
	schemas  *topics.Validator
	terminal string

	mu          sync.Mutex
	stream      string
	attempts    []int // by sequence
	last, acked int64
	again, same int // came again; of those, without being another attempt
	faults      []string
	first, end  time.Time
}

func newConsumer(t *testing.T, url, terminal string, o consumerOptions) *consumer {
	t.Helper()
	c := &consumer{t: t, o: o, terminal: terminal, attempts: []int{0}}
	var err error
	if c.schemas, err = topics.NewValidator(); err != nil {
		t.Fatal(err)
	}
	c.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(url, "mqtt://", "tcp://", 1)).SetClientID("consumer").SetOrderMatters(true))
	if token := c.client.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	// Also what the library alone publishes is taken: the broker's work is the same.
	if token := c.client.Subscribe("yuanlu/v1/+/up/case", 1, c.receive); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { c.acknowledgeRest(ctx) })
	t.Cleanup(func() {
		cancel()
		ended.Wait()
		c.client.Disconnect(50)
	})
	return c
}

func (c *consumer) receive(_ mqtt.Client, m mqtt.Message) {
	if !strings.HasSuffix(m.Topic(), c.terminal+"/up/case") {
		return
	}
	seq, _ := strconv.ParseInt(textMember(m.Payload(), "sequence"), 10, 64)
	attempt, _ := strconv.Atoi(textMember(m.Payload(), "attempt"))
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.o.check {
		if err := c.schemas.Check("case-event.v1", m.Payload()); err != nil {
			c.fault("sequence %d: %v", seq, err)
		}
	}
	switch {
	case seq == c.last+1:
		if c.last == 0 {
			c.stream, c.first = textMember(m.Payload(), "stream"), now
		}
		c.last, c.end = seq, now
		c.attempts = append(c.attempts, attempt)
	case seq < 1 || seq > c.last:
		c.fault("sequence %d after %d", seq, c.last)
		return
	default:
		c.again++
		if attempt == c.attempts[seq] {
			c.same++
		} else if attempt != c.attempts[seq]+1 {
			c.fault("sequence %d: attempt %d after %d", seq, attempt, c.attempts[seq])
		}
		c.attempts[seq] = attempt
	}
	if c.last-c.acked >= int64(c.o.every) {
		c.acknowledge()
	}
}

// textMember is the first member of this name, a text or a number.
func textMember(b []byte, name string) string {
	_, rest, _ := bytes.Cut(b, []byte(`"`+name+`":`))
	rest = bytes.TrimPrefix(rest, []byte(`"`))
	if end := bytes.IndexAny(rest, `",}`); end > 0 {
		return string(rest[:end])
	}
	return ""
}

// acknowledge is called with mu held.
func (c *consumer) acknowledge() {
	c.acked = c.last
	c.client.Publish("yuanlu/v1/"+c.terminal+"/dn/ack", 1, false, fmt.Sprintf(`{"stream":%q,"acked_seq":%d}`, c.stream, c.last))
}

// acknowledgeRest acknowledges what came when nothing more does.
func (c *consumer) acknowledgeRest(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.mu.Lock()
		if late := c.o.every > int(c.last) && c.last > c.acked; !late && c.last > c.acked && time.Since(c.end) > 200*time.Millisecond {
			c.acknowledge()
		}
		c.mu.Unlock()
	}
}

func (c *consumer) fault(format string, args ...any) {
	if len(c.faults) < 20 {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

func (c *consumer) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.last)
}

func (c *consumer) repeats() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.again
}

// took is the time from the first case to the last.
func (c *consumer) took() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end.Sub(c.first)
}

// check fails the test for what may not happen: what was in flight at a cut comes again
// as the same attempt, nothing else does.
func (c *consumer) check(n, cuts int) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		c.t.Error(f)
	}
	if c.last != int64(n) || c.same > 16*cuts {
		c.t.Errorf("%d of %d cases; %d came again as the same attempt after %d cuts", c.last, n, c.same, cuts)
	}
}

// cable carries connections to the broker and can be cut.
type cable struct {
	t      *testing.T
	to     string
	listen net.Listener

	mu    sync.Mutex
	ends  []net.Conn
	pumps sync.WaitGroup
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{t: t, to: to, listen: l}
	c.pumps.Go(c.run)
	t.Cleanup(func() {
		l.Close()
		c.cut()
		c.pumps.Wait()
	})
	return c
}

func (c *cable) url() string { return "tcp://" + c.listen.Addr().String() }

func (c *cable) run() {
	for {
		near, err := c.listen.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			near.Close()
			continue
		}
		c.mu.Lock()
		c.ends = append(c.ends, near, far)
		c.mu.Unlock()
		pump := func(to, from *net.TCPConn) {
			_, _ = to.ReadFrom(from) // spliced in the kernel
			to.Close()
			from.Close()
		}
		c.pumps.Go(func() { pump(far.(*net.TCPConn), near.(*net.TCPConn)) })
		c.pumps.Go(func() { pump(near.(*net.TCPConn), far.(*net.TCPConn)) })
	}
}

// cut ends all connections at once.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, end := range c.ends {
		end.Close()
	}
	c.ends = nil
}
