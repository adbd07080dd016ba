package report_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// sevenLines is the access list of topics.md. It grants no right to read one's own
// summary.
const sevenLines = `pattern write yuanlu/v1/%u/up/#
pattern read yuanlu/v1/%u/dn/#
pattern read yuanlu/v1/_host/+/state
user backoffice
topic read yuanlu/v1/+/up/#
topic write yuanlu/v1/+/dn/#
topic readwrite yuanlu/v1/_host/#
`

// runLife runs a reporter on a store until it has sent everything and done is true.
func runLife(t *testing.T, dir string, o mqtt.Options, more int, done func(db *ledger.DB) bool) {
	t.Helper()
	t.Run("", func(t *testing.T) {
		db := openLedgerIn(t, dir)
		stat, _ := db.OutboxStat(t.Context())
		if more > 0 {
			wrongRefunds(t, db, int(stat.LastSeq)+1000*more, more)
		}
		r := runReporter(t, db, o)
		eventually(t, 30*time.Second, "everything sent and what is wanted", func() bool {
			s, err := db.OutboxStat(t.Context())
			return err == nil && r.Status().Connected && s.SentSeq == s.LastSeq && done(db)
		})
	})
}

// TestAStorePutBackIsMetAtTheBroker: real broker, real store. Eight cases are
// acknowledged, then the store of the time of case 3 is put back, and two new cases
// come. With the retained summary readable, or with the seven lines and a back office
// that acknowledges 8, as it must by what it has: a new stream is begun, both cases are
// sent in it, and none is forgotten before it is acknowledged there.
func TestAStorePutBackIsMetAtTheBroker(t *testing.T) {
	for name, tc := range map[string]struct {
		acl  string
		acks bool // the back office acknowledges what it has of the old stream
	}{
		"by the summary":            {acl: sevenLines + "pattern read yuanlu/v1/%u/up/case-summary\n"},
		"by an acknowledgement":     {acl: sevenLines, acks: true},
		"by whichever comes before": {acl: sevenLines + "pattern read yuanlu/v1/%u/up/case-summary\n", acks: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Options{ACL: tc.acl, Passwords: map[string]string{terminal: "a", "backoffice": "b"}})
			office := &acknowledger{t: t, stored: map[string]map[string]bool{}, settled: map[string]int64{}}
			office.connect(mqtt.Options{URL: b.URL(), ClientID: "office", Username: "backoffice", Password: "b"})
			o := mqtt.Options{URL: b.URL(), ClientID: terminal, Password: "a"}
			dir := filepath.Join(t.TempDir(), "store")
			runLife(t, dir, o, 3, func(db *ledger.DB) bool { return stat(t, db).StoredAcked == 3 })
			old := filepath.Join(t.TempDir(), "old")
			if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			var first string
			runLife(t, dir, o, 5, func(db *ledger.DB) bool {
				first = db.Stream()
				return stat(t, db).StoredAcked == 8 && office.summary(8)
			})
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(dir, os.DirFS(old)); err != nil {
				t.Fatal(err)
			}
			office.deaf(!tc.acks)
			runLife(t, dir, o, 2, func(db *ledger.DB) bool {
				s := stat(t, db)
				return s.Stream != first && db.Renewed() != nil && s.LastSeq == 2 && (s.AckedSeq == 2) == tc.acks && s.Waiting >= 0 && office.has(s.Stream) == 2
			})
		})
	}
}

// acknowledger is a back office that stores by id, counts what it has of each stream and
// acknowledges that: where a sequence is used twice it acknowledges the old ones.
type acknowledger struct {
	t    *testing.T
	conn *mqtt.Conn

	mu      sync.Mutex
	stored  map[string]map[string]bool // stream → ids
	settled map[string]int64
	acked   float64 // of the newest summary
	mute    bool
}

func (a *acknowledger) connect(o mqtt.Options) {
	a.t.Helper()
	conn, err := mqtt.Dial(a.t.Context(), o)
	if err != nil {
		a.t.Fatal(err)
	}
	a.conn = conn
	say := make(chan []byte, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case ack := <-say:
				_ = conn.Publish(context.Background(), names.Ack(), 1, false, ack)
			case <-conn.Done():
				return
			}
		}
	}()
	a.t.Cleanup(func() { _ = conn.Close(context.Background()); <-done })
	if err := conn.Subscribe(a.t.Context(), root+"/v1/+/up/#", func(topic string, payload []byte, _ bool) {
		if ack := a.hear(topic, payload); ack != nil {
			say <- ack
		}
	}); err != nil {
		a.t.Fatal(err)
	}
}

func (a *acknowledger) hear(topic string, payload []byte) []byte {
	var m struct {
		ID       string  `json:"id"`
		Stream   string  `json:"stream"`
		Sequence string  `json:"sequence"`
		Acked    float64 `json:"acked_seq"`
	}
	decode(a.t, payload, &m)
	a.mu.Lock()
	defer a.mu.Unlock()
	if topic == names.CaseSummary() {
		a.acked = m.Acked
	}
	if topic != names.Case() {
		return nil
	}
	if a.stored[m.Stream] == nil {
		a.stored[m.Stream] = map[string]bool{}
	}
	a.stored[m.Stream][m.ID] = true
	var seq int64
	_, _ = fmt.Sscanf(strings.TrimLeft(m.Sequence, "0"), "%d", &seq)
	if seq == a.settled[m.Stream]+1 {
		a.settled[m.Stream] = seq
	}
	if a.mute {
		return nil
	}
	return fmt.Appendf(nil, `{"stream":%q,"acked_seq":%d}`, m.Stream, a.settled[m.Stream])
}

func (a *acknowledger) deaf(mute bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mute = mute
}

func (a *acknowledger) has(stream string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.stored[stream])
}

func (a *acknowledger) summary(acked float64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acked == acked
}

// TestOnlyABelievedAcknowledgementBeginsANewStream: where keys are configured, only a signed acknowledgement
// shows that the store was put back; a forged one does nothing.
func TestOnlyABelievedAcknowledgementBeginsANewStream(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true})
	dir, o := filepath.Join(t.TempDir(), "store"), newOffice(t)
	runLife(t, dir, mqtt.Options{URL: b.URL(), ClientID: terminal}, 2, func(*ledger.DB) bool { return true })
	db := openLedgerIn(t, dir)
	first := db.Stream()
	r := runReporter(t, db, mqtt.Options{URL: b.URL(), ClientID: terminal}, func(ro *report.Options) { ro.Keys = o.keys() })
	anybody, err := mqtt.Dial(t.Context(), mqtt.Options{URL: b.URL(), ClientID: "anybody"})
	if err != nil {
		t.Fatal(err)
	}
	defer anybody.Close(context.Background())
	say := func(payload []byte) {
		t.Helper()
		refused := r.Status().Refused
		if err := anybody.Publish(t.Context(), names.Ack(), 1, false, payload); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "it refused", func() bool { return r.Status().Refused == refused+1 })
	}
	eventually(t, 20*time.Second, "a connection", func() bool { return r.Status().Connected })
	quiet(t, db, r)
	beyond := fmt.Appendf(nil, `{"stream":%q,"acked_seq":99}`, first)
	say(beyond)
	say(o.signed(o.stranger, "k1", names.Ack(), terminal, "x", beyond))
	if db.Stream() != first || stat(t, db).AckedSeq != 0 {
		t.Fatalf("a forged acknowledgement was followed: %+v", stat(t, db))
	}
	say(o.good(names.Ack(), "y", beyond))
	eventually(t, 20*time.Second, "a new stream", func() bool { return db.Stream() != first })
	second := db.Stream()
	quiet(t, db, r)
	for range 5 {
		say(o.good(names.Ack(), "y", fmt.Appendf(nil, `{"stream":%q,"acked_seq":99}`, second)))
	}
	if s := stat(t, db); s.Stream != second || s.AckedSeq != 0 || s.LastSeq != 2 {
		t.Errorf("a stream of this life was given up: %+v", s)
	}
}

// TestTheSummaryIsReadOnceInALife: until a broker has taken our own. What comes live is no
// trace: it is ours.
func TestTheSummaryIsReadOnceInALife(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		asked := 0
		f := &brokertest.Fake{}
		f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
			if p.Kind == brokertest.Subscribe && p.Filters[0] == names.CaseSummary() {
				asked++
				_ = c.Default(p)
				f.Push(names.CaseSummary(), []byte(`{"v":1,"stream":"X","last_seq":9,"acked_seq":8,"open":{"critical":0,"high":0,"medium":0},"oldest_unacked":null,"before":["W"]}`), true)
				f.Push(names.CaseSummary(), []byte(`{"v":1,"stream":"Y","last_seq":9,"acked_seq":8,"open":{"critical":0,"high":0,"medium":0},"oldest_unacked":null}`), false)
				f.Push(names.CaseSummary(), []byte(`{"stream":1}`), true)
				return true
			}
			return false
		}
		g := start(t, f)
		pass(5 * time.Second)
		for range 3 {
			f.CloseAll()
			pass(time.Minute)
		}
		want := refund.Trace{By: "case-summary", Stream: "X", LastSeq: 9, AckedSeq: 8, Before: []string{"W"}}
		g.out.mu.Lock()
		met := fmt.Sprint(g.out.traces)
		g.out.mu.Unlock()
		if met != fmt.Sprint([]refund.Trace{want}) || asked != 1 {
			t.Errorf("met %v, asked %d times", met, asked)
		}
		if g.Status().Refused != 1 || !g.sawEvent("dn.refused") {
			t.Errorf("%d refused, want the one that is no summary", g.Status().Refused)
		}
		g.stop()
	})
}

// TestABrokerThatEndsTheConnectionForTheSummary is not asked for it again, and reporting
// goes on. One that only refuses it has nothing amiss.
func TestABrokerThatEndsTheConnectionForTheSummary(t *testing.T) {
	for _, ends := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			f := &brokertest.Fake{}
			f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
				if p.Kind == brokertest.Subscribe && p.Filters[0] == names.CaseSummary() {
					if ends {
						c.Close()
					} else {
						c.Raw([]byte{0x90, 3, byte(p.ID >> 8), byte(p.ID), 0x80})
					}
					return true
				}
				return false
			}
			g := start(t, f)
			g.out.addCase()
			pass(time.Minute)
			states := g.on(names.State())
			if n := len(f.Conns()); n > 2 || len(g.on(names.Case())) == 0 || states[len(states)-1]["state"] != "online" {
				t.Errorf("ends %v: %d connections, %d cases, states %v", ends, n, len(g.on(names.Case())), states)
			}
			g.stop()
		})
	}
}
