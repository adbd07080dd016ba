package report_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

const (
	stream   = "01J8ABCDEFGHJKMNPQRSTVWXYZ"
	root     = "yuanlu"
	terminal = "t-00423"
)

var names = topics.Names{Root: root, Terminal: terminal}

// memory is an outbox in memory with the ledger's rules.
type memory struct {
	now func() time.Time

	mu          sync.Mutex
	entries     []*entry // cases by sequence, then events
	last, acked int64
	unstored    int64 // of acked, not in the store yet
	sent        int64
	offered     int64 // newest sequence given by Due
	heard       int64 // acknowledged, but not Sent yet
	events      int64
	quarantined []string
	aside       []int64        // sequences of quarantined
	traces      []refund.Trace // that were met
	onResend    func(ctx context.Context, from int64) (int, error)
	broken      error
}

type entry struct {
	n    refund.Notice
	due  time.Time
	sent bool
}

func caseData(n int64) []byte {
	return fmt.Appendf(nil, `{"case_id":"01J9ABCDEFGHJKMNPQ%08d","severity":"critical","decision":"alarm","verdict":{"type":"verdict","seq":2,"rev":1,"kind":"refund","recipient":"different","reason":"","evidence":"strong","decision":"alarm","cancelled":false,"original":null,"findings":[]},"refund":{"kind":"refund","link":"pos"},"original":null,"evidence":[]}`, n)
}

func (m *memory) addCase() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	m.put(refund.Notice{Sequence: m.last, Entry: m.last, ID: fmt.Sprintf("id-%d", m.last), Stream: stream, Type: refund.CaseOpened,
		Subject: "case/x", Time: m.now(), ClockSynced: true, Class: refund.NoticeCase, Data: caseData(m.last)})
	return m.last
}

func (m *memory) change(seq int64, f func(n *refund.Notice)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.n.Sequence == seq {
			f(&e.n)
		}
	}
}

func (m *memory) addEvent(typ, subject string, data map[string]any) {
	raw, _ := json.Marshal(data)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events++
	m.put(refund.Notice{Entry: 1<<40 + m.events, ID: fmt.Sprintf("event-%d", m.events), Stream: stream, Type: typ, Subject: subject,
		Time: m.now(), Class: refund.NoticeEvent, Data: raw})
}

func (m *memory) put(n refund.Notice) {
	at, _ := slices.BinarySearchFunc(m.entries, n.Entry, func(e *entry, number int64) int { return cmp.Compare(e.n.Entry, number) })
	m.entries = slices.Insert(m.entries, at, &entry{n: n})
}

func (m *memory) Due(_ context.Context, now time.Time, limit int, _ []refund.Notice, except ...int64) ([]refund.Notice, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []refund.Notice
	var next time.Time
	for _, e := range m.entries {
		if e.due.After(now) {
			if next.IsZero() || e.due.Before(next) {
				next = e.due
			}
		} else if len(due) < limit && !slices.Contains(except, e.n.Entry) {
			due = append(due, e.n)
			m.offered = max(m.offered, e.n.Sequence)
		}
	}
	return due, next, m.broken
}

func (m *memory) Resend(ctx context.Context, from int64) (int, error) {
	if m.onResend != nil {
		return m.onResend(ctx, from)
	}
	return m.resend(from), nil
}

func (m *memory) resend(from int64) (cases int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.n.Class == refund.NoticeCase && e.n.Sequence >= from {
			e.due, cases = time.Time{}, cases+1
		}
	}
	return cases
}

func (m *memory) Attempt(_ string, number int64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.n.Entry == number {
			e.n.Attempt++
			return e.n.Attempt
		}
	}
	return 1
}

func (m *memory) RolledBack(_ context.Context, trace refund.Trace) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.traces = append(m.traces, trace)
	return false, m.broken
}

func (m *memory) Sent(_ context.Context, _ string, entries []int64, retry time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, number := range entries {
		at, ok := slices.BinarySearchFunc(m.entries, number, func(e *entry, number int64) int { return cmp.Compare(e.n.Entry, number) })
		if !ok {
			continue
		}
		e := m.entries[at]
		e.n.Taken, e.due, e.sent = e.n.Taken+1, retry, true
		m.sent = max(m.sent, e.n.Sequence)
		if e.n.Class == refund.NoticeEvent {
			m.entries = slices.Delete(m.entries, at, at+1)
		}
	}
	if m.heard > 0 && m.heard <= m.sent {
		m.forget(m.heard)
	}
	return m.broken
}

func (m *memory) forget(seq int64) {
	m.acked = max(m.acked, seq)
	m.entries = slices.DeleteFunc(m.entries, func(e *entry) bool { return e.n.Class == refund.NoticeCase && e.n.Sequence <= seq })
}

func (m *memory) Acked(_ context.Context, s string, seq int64, _ string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case s != stream:
		return m.acked, refund.ErrOtherStream
	case seq > m.last:
		return m.acked, refund.ErrBeyond
	case seq > m.sent && seq <= m.offered:
		m.heard = max(m.heard, seq)
	}
	m.forget(min(seq, m.sent))
	return m.acked, m.broken
}

func (m *memory) Nacked(_ context.Context, s string, number int64, code, _ string) error {
	m.mu.Lock()
	switch {
	case s != stream:
		defer m.mu.Unlock()
		return refund.ErrOtherStream
	case number > m.last && number < 1<<40:
		defer m.mu.Unlock()
		return refund.ErrBeyond
	case number <= m.acked:
		defer m.mu.Unlock()
		return refund.ErrAcknowledged
	}
	found := false
	var put refund.Notice
	m.entries = slices.DeleteFunc(m.entries, func(e *entry) bool {
		hit := s == stream && e.n.Entry == number
		if hit {
			found, put = true, e.n
		}
		return hit
	})
	if found {
		m.quarantined = append(m.quarantined, fmt.Sprintf("%d %s", number, code))
		if number < 1<<40 {
			m.aside = append(m.aside, number)
		}
	}
	m.mu.Unlock()
	if found {
		m.addEvent("outbox.quarantined", "outbox", map[string]any{"sequence": number, "id": put.ID, "type": put.Type,
			"code": code, "message": "put aside"})
	}
	return m.broken
}

// store says how many acknowledgements the store does not have yet.
func (m *memory) store(unstored int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unstored = unstored
}

func (m *memory) OutboxStat(context.Context) (refund.OutboxStat, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return refund.OutboxStat{Stream: stream, LastSeq: m.last, SentSeq: m.sent, AckedSeq: m.acked, StoredAcked: max(m.acked-m.unstored, 0), Waiting: int64(len(m.entries)),
		Quarantined: int64(len(m.quarantined)), Refused: m.aside, Open: map[refund.Severity]int{refund.Critical: int(m.last)}}, m.broken
}

func (m *memory) waiting() (cases, sent int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.n.Class == refund.NoticeCase {
			cases++
			if e.sent {
				sent++
			}
		}
	}
	return cases, sent
}

// rig is a reporter on a broker with an outbox; it is the terminal whose state is
// published, its clock, its commands and its configuration, too.
type rig struct {
	evidence report.EvidenceLog // nil: none
	*report.Reporter
	out  *memory
	fake *brokertest.Fake
	stop func()

	// These are not changed after the start; nil: the default.
	ready     func() bool
	now       func() time.Time
	synced    func() bool
	names     []string // of the commands that do does
	do        func(context.Context, report.Command) (any, error)
	published func() (topics.Config, bool)
	take      func(topics.DesiredConfig, string)
	reached   func()
	heard     func()

	mu       sync.Mutex
	events   []string
	verdict  string
	problems []health.Problem
	links    []health.Link
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func (g *rig) Now() time.Time {
	if g.now == nil {
		return time.Now()
	}
	return g.now()
}

func (g *rig) Synced() bool { return g.synced == nil || g.synced() }

func (g *rig) Names() []string { return g.names }

func (g *rig) Do(ctx context.Context, c report.Command) (any, error) { return g.do(ctx, c) }

func (g *rig) Report() (c topics.Config, ok bool) {
	if g.published == nil {
		return c, false
	}
	return g.published()
}

func (g *rig) Version() int64                               { return 0 }
func (g *rig) Take(d topics.DesiredConfig, signedBy string) { g.take(d, signedBy) }
func (g *rig) BrokerReached()                               { call(g.reached) }
func (g *rig) BackOfficeReached()                           { call(g.heard) }

func (g *rig) Outbox() report.Outbox { return g.out }

func (g *rig) Evidence() report.EvidenceLog { return g.evidence }

func (g *rig) Glance(context.Context) health.Snapshot {
	s := health.Snapshot{Ready: g.ready == nil || g.ready()}
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Verdict, s.Problems, s.Links = g.verdict, slices.Clone(g.problems), slices.Clone(g.links)
	if g.verdict != health.OK && g.problems == nil {
		s.Problems = []health.Problem{{Code: "link_absent"}}
	}
	return s
}

func (g *rig) Event(typ, subject string, attrs ...slog.Attr) {
	data := map[string]any{}
	for _, a := range attrs {
		data[a.Key] = a.Value.Any()
	}
	g.mu.Lock()
	g.events = append(g.events, typ)
	g.mu.Unlock()
	g.out.addEvent(typ, subject, data)
}

// still is a terminal whose state does not change.
type still struct {
	out   report.Outbox
	links []health.Link
}

func (s still) Outbox() report.Outbox { return s.out }

func (s still) Evidence() report.EvidenceLog { return nil }

func (s still) Glance(context.Context) health.Snapshot {
	return health.Snapshot{Ready: true, Links: s.links}
}

func (s still) Event(string, string, ...slog.Attr) {}

func (g *rig) sawEvent(typ string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.events, typ)
}

// start runs a reporter against a fake broker through memory; best inside a
// synctest bubble.
func start(t *testing.T, fake *brokertest.Fake, change ...func(g *rig, o *report.Options)) *rig {
	t.Helper()
	return startWith(t, fake, func(ctx context.Context, topic string, will []byte) (report.Broker, error) {
		return mqtt.Dial(ctx, mqtt.Options{URL: "tcp://localhost", ClientID: terminal, WillTopic: topic, WillPayload: will,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return fake.Pipe(), nil }})
	}, change...)
}

func startWith(t *testing.T, fake *brokertest.Fake, dial func(context.Context, string, []byte) (report.Broker, error), change ...func(g *rig, o *report.Options)) *rig {
	t.Helper()
	g := &rig{fake: fake, out: &memory{now: time.Now}, verdict: topics.HealthOK, links: []health.Link{{LinkHealth: ingest.LinkHealth{Name: "pos", State: "online", Port: "/dev/ttyS1"}}}}
	o := report.Options{Terminal: g, Dial: dial, Names: names, Info: topics.Info{Version: "1"}, Clock: g}
	for _, f := range change {
		f(g, &o)
	}
	if g.do != nil {
		o.Commands = g
		if g.names == nil {
			g.names = []string{"act", "slow"}
			for _, c := range topics.Commands() {
				g.names = append(g.names, c.Name)
			}
		}
	}
	if g.published != nil || g.take != nil {
		o.Config = g
	}
	r, err := report.New(o)
	if err != nil {
		t.Fatal(err)
	}
	g.Reporter = r
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	g.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
			if fake != nil {
				fake.CloseAll()
				fake.Wait()
				checkAll(t, fake)
			}
		})
	}
	return g
}

// checkAll checks everything a broker has seen, its flags and topics.md rule 2.
func checkAll(t *testing.T, f *brokertest.Fake) {
	t.Helper()
	f.Check(t)
	for _, p := range f.Published() {
		if p.InFlight > 16 {
			t.Errorf("%s: %d in flight, want at most 16", p.Topic, p.InFlight)
		}
	}
}

// on returns the payloads published on one topic.
func (g *rig) on(topic string) (list []map[string]any) {
	for _, p := range g.fake.Published() {
		if p.Topic == topic {
			m := map[string]any{}
			_ = json.Unmarshal(p.Payload, &m)
			list = append(list, m)
		}
	}
	return list
}

// sequences returns the sequence numbers of all case events so far.
func (g *rig) sequences() (list []int) {
	for _, m := range g.on(names.Case()) {
		n := 0
		fmt.Sscanf(strings.TrimLeft(m["sequence"].(string), "0"), "%d", &n)
		list = append(list, n)
	}
	return list
}

// pass lets virtual time pass in a synctest bubble, and everything settle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func ack(seq int64) []byte {
	return fmt.Appendf(nil, `{"stream":%q,"acked_seq":%d}`, stream, seq)
}
