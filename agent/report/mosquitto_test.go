package report_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// openLedger opens a store in which every wrong refund is a case at once.
func openLedger(t testing.TB) *ledger.DB {
	t.Helper()
	return openLedgerIn(t, filepath.Join(t.TempDir(), "store"))
}

func openLedgerIn(t testing.TB, dir string) *ledger.DB {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Grace: -1,
		Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// wrongRefunds stores n sales, each refunded to another card: n cases.
func wrongRefunds(t testing.TB, db *ledger.DB, from, n int) {
	t.Helper()
	var all []refund.Arrival
	for i := from; i < from+n; i++ {
		for _, line := range []string{
			fmt.Sprintf(`{"v":1,"kind":"sale","outcome":"approved","merchant_id":"898000000000001","terminal_id":"10000001","channel":"card","entry":"chip","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"%06d","batch":"000007","rrn":"26082%07d","party":{"scheme":"pan","id":"6200000000000005"}}`, i, i),
			fmt.Sprintf(`{"v":1,"kind":"refund","outcome":"approved","merchant_id":"898000000000001","terminal_id":"10000001","channel":"card","entry":"swipe","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"%06d","batch":"000008","rrn":"26083%07d","original":{"rrn":"26082%07d","date":"0822"},"party":{"scheme":"pan","id":"6205500000000000004"}}`, i, i, i),
		} {
			r, err := refund.ParseRecord([]byte(line), refund.Reject)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(r, db.Keys()), Received: time.Now(), ClockSynced: true}}})
		}
	}
	if _, err := db.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// desk is a consumer: it validates all it hears and acknowledges cases.
type desk struct {
	check *topics.Validator
	mute  bool // does not acknowledge

	mu       sync.Mutex
	streamID string
	ids      map[string]int
	order    []int64 // sequences as first heard
	other    map[string]int
	bad      []string
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	check, err := topics.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	return &desk{check: check, ids: map[string]int{}, other: map[string]int{}}
}

// run stays connected to the broker until ctx ends.
func (d *desk) run(ctx context.Context, o mqtt.Options) {
	for ctx.Err() == nil {
		conn, err := mqtt.Dial(ctx, o)
		if err == nil {
			acks := make(chan int64, 4096)
			err = conn.Subscribe(ctx, root+"/v1/+/up/#", func(topic string, payload []byte, _ bool) { d.hear(topic, payload, acks) })
			for err == nil {
				select {
				case seq := <-acks:
					err = conn.Publish(ctx, names.Ack(), 1, false, fmt.Appendf(nil, `{"stream":%q,"acked_seq":%d}`, d.stream(), seq))
				case <-conn.Done():
					err = conn.Err()
				case <-ctx.Done():
					err = ctx.Err()
				}
			}
			bye, done := context.WithTimeout(context.Background(), time.Second)
			_ = conn.Close(bye)
			done()
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *desk) stream() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.streamID
}

func (d *desk) hear(topic string, payload []byte, acks chan<- int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	schema := topics.SchemaOfTopic(root, topic)
	if err := d.check.Check(schema, payload); err != nil && len(payload) > 0 {
		d.bad = append(d.bad, err.Error())
	}
	if topic != names.Case() {
		d.other[strings.TrimPrefix(topic, root+"/v1/"+terminal+"/")]++
		return
	}
	var e topics.Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return
	}
	seq, _ := strconv.ParseInt(e.Sequence, 10, 64)
	d.streamID = e.Stream
	if d.ids[e.ID]++; d.ids[e.ID] == 1 {
		d.order = append(d.order, seq)
	}
	if !d.mute && seq == int64(len(d.order)) { // without a gap so far
		select {
		case acks <- seq:
		default:
		}
	}
}

func (d *desk) heard() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ids)
}

// runReporter runs a reporter on db and a broker until the test ends.
func runReporter(t testing.TB, db *ledger.DB, m mqtt.Options, change ...func(*report.Options)) *report.Reporter {
	t.Helper()
	o := report.Options{Terminal: still{db, []health.Link{{LinkHealth: ingest.LinkHealth{Name: "pos", State: "online"}}}}, Names: names, Info: topics.Info{Version: "1"},
		Dial: func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
			o := m
			o.WillTopic, o.WillPayload = topic, will
			return mqtt.Dial(ctx, o)
		},
		Rand: func() float64 { return 0.05 },
	}
	for _, f := range change {
		f(&o)
	}
	r, err := report.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return r
}

// eventually polls until ok or the time is over.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// TestMosquittoComesAndGoes: real broker, real store. The broker is absent at
// the start and killed again and again; every case arrives, in order, once by its
// id, and the outbox forgets what was acknowledged.
func TestMosquittoComesAndGoes(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	b.Kill()
	db, d := openLedger(t), newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.run(ctx, mqtt.Options{URL: b.URL(), ClientID: "desk"}) }()
	defer func() { cancel(); <-ended }()
	r := runReporter(t, db, mqtt.Options{URL: b.URL(), ClientID: terminal})
	wrongRefunds(t, db, 0, 50)
	const rounds, each = 8, 50
	for i := 1; i <= rounds; i++ {
		b.Run()
		wrongRefunds(t, db, i*each, each)
		r.Wake()
		want := i * each / 2 // killed when about half has arrived
		eventually(t, 20*time.Second, "cases at the desk", func() bool { return d.heard() >= want })
		if i < rounds {
			b.Kill()
		}
	}
	total := (rounds + 1) * each
	// What the broker took and lost when it was killed is sent again: case-resend
	// spares the test the half minute of topics.md rule 5. Not too often: each begins with the
	// oldest again, and this desk acknowledges only when it has them all.
	again := time.Time{}
	eventually(t, 30*time.Second, "all cases delivered and forgotten", func() bool {
		st, err := db.OutboxStat(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if time.Since(again) > 5*time.Second {
			if _, err := db.Resend(t.Context(), st.AckedSeq+1); err != nil {
				t.Fatal(err)
			}
			again = time.Now()
			r.Wake()
		}
		<-time.After(20 * time.Millisecond)
		return st.AckedSeq == int64(total) && st.Quarantined == 0
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ids) != total || len(d.bad) != 0 {
		t.Errorf("%d different events, want %d; against the schemas: %v", len(d.ids), total, d.bad)
	}
	for _, topic := range []string{"up/state", "up/info", "up/health", "up/link/pos/state", "up/case-summary"} {
		if d.other[topic] == 0 {
			t.Errorf("nothing on %s; heard %v", topic, d.other)
		}
	}
	if r.Status().Reconnects == 0 {
		t.Error("the broker was killed and nobody reconnected")
	}
}

// TestRule04_AcknowledgedByTheBrokerAndThrownAway: mosquitto says PUBACK to what
// its access list denies. The case is sent, not delivered, and stays.
func TestRule04_AcknowledgedByTheBrokerAndThrownAway(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Passwords: map[string]string{terminal: "a", "desk": "b"},
		ACL: "user " + terminal + "\ntopic write yuanlu/v1/+/up/state\nuser desk\ntopic readwrite yuanlu/#\n"})
	db, d := openLedger(t), newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.run(ctx, mqtt.Options{URL: b.URL(), ClientID: "desk", Password: "b"})
	}()
	defer func() { cancel(); <-ended }()
	wrongRefunds(t, db, 0, 3)
	runReporter(t, db, mqtt.Options{URL: b.URL(), ClientID: terminal, Password: "a"})
	eventually(t, 10*time.Second, "PUBACK for the denied cases", func() bool {
		st, err := db.OutboxStat(t.Context())
		return err == nil && st.SentSeq == 3
	})
	if !b.Logs("Denied PUBLISH") {
		t.Fatalf("mosquitto let it through:\n%s", b.Log())
	}
	if st, _ := db.OutboxStat(t.Context()); st.AckedSeq != 0 || st.Waiting != 3 || d.heard() != 0 {
		t.Errorf("%+v, desk heard %d; want three cases that still wait", st, d.heard())
	}
}

// TestAccessListOfTheContract: the seven lines of topics.md let a
// terminal do its work and nothing on another's topics.
func TestAccessListOfTheContract(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Passwords: map[string]string{terminal: "a", "t-other": "c", "backoffice": "b"}, ACL: `pattern write yuanlu/v1/%u/up/#
pattern read yuanlu/v1/%u/dn/#
pattern read yuanlu/v1/_host/+/state
user backoffice
topic read yuanlu/v1/+/up/#
topic write yuanlu/v1/+/dn/#
topic readwrite yuanlu/v1/_host/#
`})
	db, d := openLedger(t), newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.run(ctx, mqtt.Options{URL: b.URL(), ClientID: "desk", Username: "backoffice", Password: "b"})
	}()
	defer func() { cancel(); <-ended }()
	wrongRefunds(t, db, 0, 5)
	runReporter(t, db, mqtt.Options{URL: b.URL(), ClientID: terminal, Password: "a"})
	eventually(t, 10*time.Second, "delivery", func() bool {
		st, err := db.OutboxStat(t.Context())
		return err == nil && st.AckedSeq == 5
	})
	other, err := mqtt.Dial(t.Context(), mqtt.Options{URL: b.URL(), ClientID: "t-other", Password: "c"})
	if err != nil {
		t.Fatal(err)
	}
	spied := make(chan string, 64)
	if err := other.Subscribe(t.Context(), "yuanlu/#", func(topic string, _ []byte, _ bool) { spied <- topic }); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{names.State(), names.Case(), names.Ack(), names.Cmd("restart"), names.HostState("desk")} {
		if err := other.Publish(t.Context(), topic, 1, false, []byte(`{"stream":"forged"}`)); err != nil {
			t.Fatal(err)
		}
	}
	wrongRefunds(t, db, 5, 1)
	eventually(t, 10*time.Second, "one more case", func() bool { return d.heard() == 6 })
	if len(spied) != 0 {
		t.Errorf("another terminal reads %s", <-spied)
	}
	bye, done := context.WithTimeout(t.Context(), time.Second)
	defer done()
	_ = other.Close(bye)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.bad) != 0 {
		t.Errorf("what another terminal wrote has come through: %v", d.bad)
	}
}
