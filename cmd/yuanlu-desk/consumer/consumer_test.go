package consumer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"yuanlu/cmd/yuanlu-desk/broker"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/sign"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// desk is a consumer with its store, before a real mosquitto.
type desk struct {
	t     *testing.T
	c     *consumer.Consumer
	s     *store.Store
	conns chan *broker.Conn
	stop  func()
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "desk.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start runs a consumer until the test ends, and returns when it is connected.
func start(t *testing.T, o broker.Options, s *store.Store, change func(*consumer.Options)) *desk {
	t.Helper()
	d := &desk{t: t, s: s, conns: make(chan *broker.Conn, 100)}
	if o.ClientID == "" {
		o.ClientID, o.Persistent = "desk", true
	}
	if o.Lane == nil {
		o.Lane = consumer.Lane("yuanlu")
	}
	co := consumer.Options{Root: "yuanlu", Host: "desk", Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Dial: func(ctx context.Context, topic string, will []byte) (consumer.Broker, error) {
			o.WillTopic, o.WillPayload = topic, will
			c, err := broker.Dial(ctx, o)
			if err != nil {
				return nil, err
			}
			d.conns <- c
			return c, nil
		}}
	if change != nil {
		change(&co)
	}
	var err error
	if d.c, err = consumer.New(co); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.c.Run(ctx) })
	d.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(d.stop)
	desktest.Eventually(t, 20*time.Second, "the desk connected", func() bool { return d.c.Status().Connected })
	return d
}

func (d *desk) totals() store.Totals {
	d.t.Helper()
	n, err := d.s.Totals(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

const up, ackTopic = "yuanlu/v1/t-1/up/", "yuanlu/v1/t-1/dn/ack"

func ackedIs(c *brokertest.Client, stream string, want int64) func() bool {
	return func() bool { seq, _ := c.Acked(stream); return seq == want }
}

func TestAcknowledgesAfterItsCommitAndUpToAGap(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, newStore(t), nil)
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
	for _, n := range []int64{1, 2, 3, 3, 2, 6} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if err := c.Publish(up+"case", false, desktest.Case{Seq: n}.JSON()); err != nil {
				t.Fatal(err)
			}
		})
	}
	desktest.Eventually(t, 10*time.Second, "four events", func() bool { return d.totals().Events == 4 })
	desktest.Eventually(t, 10*time.Second, "3 acknowledged", ackedIs(c, "S1", 3))
	c.Publish(up+"case", false, desktest.Case{Seq: 5}.JSON())
	c.Publish(up+"case", false, desktest.Case{Seq: 4}.JSON())
	desktest.Eventually(t, 10*time.Second, "6 acknowledged", ackedIs(c, "S1", 6))
	last := int64(0)
	for _, h := range c.Received() {
		var a topics.Ack
		if err := json.Unmarshal(h.Payload, &a); err != nil || h.Retained || *a.AckedSeq < last || *a.AckedSeq > 3 && *a.AckedSeq < 6 {
			t.Errorf("acknowledged %s after %d (%v)", h.Payload, last, err)
		}
		last = *a.AckedSeq
	}
}

// Garbage of every kind on every topic: what is good is kept and acknowledged, the
// rest is set apart and, where it names its sequence, refused.
func TestKeepsWhatIsGoodAmongGarbage(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true})
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, newStore(t), nil)
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/+/dn/#")
	rng := rand.New(rand.NewPCG(1, 5))
	names := []string{"case", "event", "state", "health", "info", "config", "case-summary", "link/pos/state", "log/warn", "rsp/ping", "link//state", "zzz"}
	const events = 60
	for n := int64(1); n <= events; n++ {
		for range 3 {
			junk := make([]byte, rng.IntN(200))
			for i := range junk {
				junk[i] = byte(rng.Uint32())
			}
			c.Send(up+names[rng.IntN(len(names))], junk)
			good := desktest.Case{Seq: n}.JSON()
			i := rng.IntN(len(good) - 1)
			c.Send(up+"event", append(append([]byte(nil), good[:i]...), good[i+1:]...))
		}
		payload := desktest.Case{Seq: n}.JSON()
		if n%10 == 0 {
			payload = []byte(strings.Replace(string(payload), `"decision":"alarm"`, `"decision":"maybe"`, 1))
		}
		if err := c.Publish(up+"case", false, payload); err != nil {
			t.Fatal(err)
		}
	}
	desktest.Eventually(t, 30*time.Second, "all acknowledged", ackedIs(c, "S1", events))
	_, refused := c.Acked("S1")
	if len(refused) != events/10 {
		t.Errorf("refused %v", refused)
	}
	if n := d.totals(); n.Cases != events-events/10 || n.Incomplete != 0 || n.Quarantined == 0 {
		t.Errorf("%+v", n)
	}
	if s := d.c.Status(); !s.Connected || s.Reconnects != 0 {
		t.Errorf("%+v", s)
	}
}

// What somebody retained where nothing may be retained is a message like any other
// and does no harm when it comes again and again.
func TestRetainedLeftovers(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true})
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/+/dn/#")
	c.Publish(up+"case", true, desktest.Case{Seq: 1}.JSON())
	c.Publish("yuanlu/v1/t-2/up/case", true, []byte("old garbage"))
	c.Publish(up+"event", true, []byte(`{}`))
	c.Publish(up+"state", true, []byte(`{"v":1,"state":"lost","session":"s0"}`))
	c.Publish("yuanlu/v1/_host/desk/state", true, []byte(`{"online":false,"timestamp":1}`))
	s := newStore(t)
	for range 2 {
		d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, s, nil)
		desktest.Eventually(t, 10*time.Second, "stored", func() bool { n := d.totals(); return n.Events == 1 && n.Quarantined == 2 && n.Terminals == 1 })
		d.stop()
	}
	c.Publish(up+"case", true, nil)
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, s, nil)
	c.Publish(up+"case", false, desktest.Case{Seq: 2}.JSON())
	desktest.Eventually(t, 10*time.Second, "2 acknowledged", ackedIs(c, "S1", 2))
	if one, err := s.Terminal(t.Context(), "t-1", time.Now()); err != nil || one.Presence != store.Unknown || one.State != "lost" {
		t.Errorf("%+v %v", one, err)
	}
	if n := d.totals(); n.Quarantined != 2 {
		t.Errorf("%+v", n)
	}
}

func TestSignsItsAcknowledgements(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	key, err := sign.Generate("desk-1")
	if err != nil {
		t.Fatal(err)
	}
	start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, newStore(t), func(o *consumer.Options) { o.KeyID, o.Key = key.ID, key.Private })
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
	for n := range int64(3) {
		c.Publish(up+"case", false, desktest.Case{Seq: n + 1}.JSON())
	}
	check, err := topics.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	desktest.Eventually(t, 10*time.Second, "a signed acknowledgement of 3", func() bool {
		for _, h := range c.Received() {
			s, body, err := topics.Open(check, []topics.Key{{ID: "desk-1", Public: key.Private.Public().(ed25519.PublicKey)}}, ackTopic, "t-1", h.Payload)
			if err != nil {
				t.Fatalf("%v: %s", err, h.Payload)
			}
			ids[s.ID] = true
			if string(body) == `{"stream":"S1","acked_seq":3}` {
				return true
			}
		}
		return false
	})
	if len(ids) != len(c.Received()) {
		t.Errorf("%d ids in %d payloads", len(ids), len(c.Received()))
	}
}

func TestSaysItsOwnPresence(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	c := brokertest.NewClient(t, b.URL(), "watcher", nil, "yuanlu/v1/_host/+/state")
	newest := func() (s topics.HostState) {
		for _, h := range c.Received() {
			var one topics.HostState
			if json.Unmarshal(h.Payload, &one) == nil && one.Timestamp >= s.Timestamp {
				s = one
			}
		}
		return s
	}
	online := func(want bool) func() bool {
		return func() bool { return newest().Timestamp > 0 && newest().Online == want }
	}
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, newStore(t), nil)
	desktest.Eventually(t, 10*time.Second, "online", online(true))
	// Another desk with our name goes: its will is not the truth.
	c.Publish("yuanlu/v1/_host/desk/state", true, fmt.Appendf(nil, `{"online":false,"timestamp":%d}`, time.Now().Add(time.Minute).UnixMilli()))
	desktest.Eventually(t, 10*time.Second, "online again", func() bool { return newest().Online && newest().Timestamp > time.Now().UnixMilli() })
	d.stop()
	desktest.Eventually(t, 10*time.Second, "offline after a clean stop", online(false))
	late := brokertest.NewClient(t, b.URL(), "late", nil, "yuanlu/v1/_host/desk/state")
	desktest.Eventually(t, 10*time.Second, "the presence retained", func() bool { h := late.Received(); return len(h) > 0 && h[0].Retained })
}

// Two desks share the events of many terminals; each event is stored once, and
// every stream is acknowledged to its end.
func TestSharedSubscription(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	s := newStore(t)
	group := func(o *consumer.Options) { o.Group = "desk" }
	one := start(t, broker.Options{Options: mqtt.Options{URL: b.URL(), ClientID: "d1"}}, s, group)
	two := start(t, broker.Options{Options: mqtt.Options{URL: b.URL(), ClientID: "d2"}}, s, group)
	c := brokertest.NewClient(t, b.URL(), "many", nil, "yuanlu/v1/+/dn/#")
	for n := range int64(40) {
		for _, terminal := range []string{"t-1", "t-2", "t-3"} {
			c.Send("yuanlu/v1/"+terminal+"/up/case", desktest.Case{Terminal: terminal, Stream: "S-" + terminal, Seq: n + 1}.JSON())
		}
	}
	for _, terminal := range []string{"t-1", "t-2", "t-3"} {
		desktest.Eventually(t, 20*time.Second, "all of "+terminal, ackedIs(c, "S-"+terminal, 40))
	}
	if n := one.totals(); n.Events != 120 || n.Repeats != 0 {
		t.Errorf("%+v", n)
	}
	if a, b := one.c.Status().Stored, two.c.Status().Stored; a == 0 || b == 0 {
		t.Errorf("one desk took %d, the other %d", a, b)
	}
}

// What comes while the desk is away waits at the broker.
func TestBrokerKeepsEventsWhileTheDeskIsAway(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	s := newStore(t)
	start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, s, nil).stop()
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
	for n := range int64(50) {
		c.Publish(up+"case", false, desktest.Case{Seq: n + 1}.JSON())
	}
	start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, s, nil)
	desktest.Eventually(t, 10*time.Second, "all acknowledged", ackedIs(c, "S1", 50))
}

func TestBrokerRestarts(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, newStore(t), nil)
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
	for n := range int64(3) {
		b.Kill()
		b.Run()
		desktest.Eventually(t, 20*time.Second, "acknowledged after a restart", func() bool {
			c.Send(up+"case", desktest.Case{Seq: n + 1}.JSON())
			seq, _ := c.Acked("S1")
			return seq == n+1
		})
	}
	if s := d.c.Status(); s.Reconnects != 3 {
		t.Errorf("%+v", s)
	}
}

// failing is a store that fails while it is set to.
type failing struct {
	*store.Store
	err atomic.Pointer[error]
}

func (f *failing) Apply(ctx context.Context, m []store.Message) (store.Answer, error) {
	if err := f.err.Load(); err != nil {
		return store.Answer{}, *err
	}
	return f.Store.Apply(ctx, m)
}

// Without a store nothing is acknowledged to any terminal, and the terminals are made to
// keep their cases.
func TestStoreAway(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	s := newStore(t)
	f := &failing{Store: s}
	down := fmt.Errorf("%w: pulled out", store.ErrUnavailable)
	f.err.Store(&down)
	d := start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, s, func(o *consumer.Options) { o.Store = f })
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#", "yuanlu/v1/_host/desk/state")
	published := func(online bool) func() bool {
		return func() bool {
			h := c.Received()
			return len(h) > 0 && strings.Contains(string(h[len(h)-1].Payload), fmt.Sprintf(`"online":%v`, online))
		}
	}
	c.Publish(up+"case", false, desktest.Case{Seq: 1}.JSON())
	desktest.Eventually(t, 20*time.Second, "offline published", published(false))
	if seq, _ := c.Acked("S1"); seq != 0 || d.c.Status().StoreError == "" {
		t.Errorf("acknowledged %d, %+v", seq, d.c.Status())
	}
	f.err.Store(nil)
	desktest.Eventually(t, 20*time.Second, "acknowledged", ackedIs(c, "S1", 1))
	desktest.Eventually(t, 20*time.Second, "online published", func() bool {
		for _, h := range c.Received()[1:] {
			if strings.Contains(string(h.Payload), `"online":true`) {
				return true
			}
		}
		return false
	})
}

// picky is a store that cannot hold one message, whatever it is.
type picky struct{ *store.Store }

func (p picky) Apply(ctx context.Context, m []store.Message) (store.Answer, error) {
	for i := range m {
		if m[i].Event != nil && m[i].Event.Seq == 3 {
			return store.Answer{}, errors.Join(store.ErrData, errors.New("no room for a three"))
		}
	}
	return p.Store.Apply(ctx, m)
}

func TestMessageThatTheStoreCannotHoldDoesNotStopTheOthers(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{})
	s := newStore(t)
	start(t, broker.Options{Options: mqtt.Options{URL: b.URL()}}, s, func(o *consumer.Options) { o.Store = picky{s} })
	c := brokertest.NewClient(t, b.URL(), "t-1", nil, "yuanlu/v1/t-1/dn/#")
	for n := range int64(6) {
		c.Send(up+"case", desktest.Case{Seq: n + 1}.JSON())
	}
	desktest.Eventually(t, 10*time.Second, "6 acknowledged", ackedIs(c, "S1", 6))
	if _, refused := c.Acked("S1"); len(refused) == 0 || refused[0] != 3 {
		t.Errorf("refused %v", refused)
	}
	list, err := s.Quarantine(t.Context(), store.RefusedFilter{Terminal: "t-1"})
	if err != nil || len(list) != 1 || list[0].Code != "store" {
		t.Errorf("%+v %v", list, err)
	}
}

// The access list of topics.md in mosquitto's syntax.
const accessList = `pattern write yuanlu/v1/%u/up/#
pattern read yuanlu/v1/%u/dn/#
pattern read yuanlu/v1/_host/+/state
user backoffice
topic read yuanlu/v1/+/up/#
topic write yuanlu/v1/+/dn/#
topic readwrite yuanlu/v1/_host/#
`

func TestClientCertificateAndAccessList(t *testing.T) {
	ca := brokertest.NewAuthority(t)
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	server := ca.Server(from, until, "localhost", "127.0.0.1")
	b := brokertest.Start(t, brokertest.Options{ACL: accessList, Authority: ca, Server: server, RequireClientCert: true})
	for _, group := range []string{"", "desk"} {
		t.Run(group, func(t *testing.T) {
			cert := ca.Client("backoffice", from, until)
			o := broker.Options{Options: mqtt.Options{URL: b.URL(), ClientID: "desk" + group, CAFile: ca.CAFile, CertFile: cert.CertFile, KeyFile: cert.KeyFile, Persistent: group == ""}}
			d := start(t, o, newStore(t), func(o *consumer.Options) { o.Group = group })
			mine := ca.Client("t-1", from, until)
			c := brokertest.NewClient(t, strings.Replace(b.URL(), "tls://", "ssl://", 1), "t-1"+group, func(o *paho.ClientOptions) { o.SetTLSConfig(clientTLS(t, ca, mine)) }, "yuanlu/v1/t-1/dn/#")
			c.Publish(up+"case", false, desktest.Case{Seq: 1}.JSON())
			desktest.Eventually(t, 10*time.Second, "acknowledged", ackedIs(c, "S1", 1))
			c.Publish("yuanlu/v1/t-2/up/case", false, desktest.Case{Terminal: "t-2", Seq: 1}.JSON())
			c.Publish(up+"case", false, desktest.Case{Seq: 2}.JSON())
			desktest.Eventually(t, 10*time.Second, "acknowledged", ackedIs(c, "S1", 2))
			if n := d.totals(); n.Events != 2 {
				t.Errorf("another terminal's topic was written: %+v", n)
			}
			d.stop()
		})
	}
	_, err := broker.Dial(t.Context(), broker.Options{Options: mqtt.Options{URL: b.URL(), ClientID: "x"}})
	if !errors.Is(err, broker.ErrDial) {
		t.Errorf("without the authority: %v", err)
	}
}

func clientTLS(t *testing.T, ca *brokertest.Authority, mine brokertest.Certificate) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(ca.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	cert, err := tls.LoadX509KeyPair(mine.CertFile, mine.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
}
