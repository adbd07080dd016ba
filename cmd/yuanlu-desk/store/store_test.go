package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// cluster is the PostgreSQL of this package's tests.
var cluster = desktest.NewCluster()

func TestMain(m *testing.M) {
	code := m.Run()
	cluster.Close()
	os.Exit(code)
}

var noon = time.Date(2026, 8, 23, 12, 0, 0, 0, time.UTC)

// rig is a store with a decoder before it.
type rig struct {
	t      *testing.T
	place  string
	s      *store.Store
	decode *consumer.Decoder
	now    time.Time
}

// both runs a test on SQLite and on PostgreSQL.
func both(t *testing.T, do func(*rig)) {
	t.Run("sqlite", func(t *testing.T) { do(newRig(t, filepath.Join(t.TempDir(), "desk.db"))) })
	t.Run("postgres", func(t *testing.T) { do(newRig(t, cluster.Database(t))) })
}

func newRig(t *testing.T, place string) *rig {
	t.Helper()
	d, err := consumer.NewDecoder("yuanlu")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, place: place, decode: d, now: noon}
	r.open()
	t.Cleanup(func() { r.s.Close() })
	return r
}

func (r *rig) open() {
	r.t.Helper()
	s, err := store.Open(r.t.Context(), r.place)
	if err != nil {
		r.t.Fatal(err)
	}
	r.s = s
}

// said is one received message.
type said struct {
	topic    string // behind {root}/v1/
	payload  string
	retained bool
}

func c(e desktest.Case) said {
	terminal := e.Terminal
	if terminal == "" {
		terminal = "t-1"
	}
	return said{terminal + "/up/case", string(e.JSON()), false}
}

// take returns messages to the store in one transaction.
func (r *rig) take(list ...said) store.Answer {
	r.t.Helper()
	var messages []store.Message
	for _, m := range list {
		if one, ok := r.decode.Decode("yuanlu/v1/"+m.topic, []byte(m.payload), m.retained, r.now); ok {
			messages = append(messages, one)
		}
	}
	a, err := r.s.Apply(r.t.Context(), messages)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// acked lists the acknowledgements, "-" if none.
func acked(a store.Answer) string {
	var out []string
	for _, one := range a.Acks {
		text := fmt.Sprintf("%s/%s %d", one.Terminal, one.Stream, one.Seq)
		for _, n := range one.Refused {
			text += fmt.Sprintf(" nack %d %s", n.Seq, n.Code)
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ", ")
}

func (r *rig) want(what string, got, want any) {
	r.t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// gaps lists what is missing, as "first-last" and holes as "(first-last why)".
func (r *rig) gaps() []string {
	r.t.Helper()
	list, err := r.s.Streams(r.t.Context(), store.StreamFilter{})
	if err != nil {
		r.t.Fatal(err)
	}
	out := []string{}
	for _, s := range list {
		for _, g := range s.Gaps {
			out = append(out, fmt.Sprintf("%s %d-%d", s.Stream, g.First, g.Last))
		}
		for _, h := range s.Holes {
			out = append(out, fmt.Sprintf("%s (%d-%d)", s.Stream, h.First, h.Last))
		}
	}
	return out
}

func (r *rig) totals() store.Totals {
	r.t.Helper()
	n, err := r.s.Totals(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestAcknowledgesUpToAGap(t *testing.T) {
	both(t, func(r *rig) {
		for _, step := range []struct {
			seq  []int64
			ack  string
			gaps []string
		}{
			{[]int64{1, 2}, "t-1/S1 2", []string{}},
			{[]int64{5, 6}, "t-1/S1 2", []string{"S1 3-4"}},
			{[]int64{9}, "t-1/S1 2", []string{"S1 3-4", "S1 7-8"}},
			{[]int64{4}, "t-1/S1 2", []string{"S1 3-3", "S1 7-8"}},
			{[]int64{3}, "t-1/S1 6", []string{"S1 7-8"}},
			{[]int64{3}, "t-1/S1 6", []string{"S1 7-8"}},
			{[]int64{8, 7}, "t-1/S1 9", []string{}},
		} {
			var list []said
			for _, n := range step.seq {
				list = append(list, c(desktest.Case{Seq: n}))
			}
			r.want(fmt.Sprint("ack after ", step.seq), acked(r.take(list...)), step.ack)
			r.want(fmt.Sprint("gaps after ", step.seq), r.gaps(), step.gaps)
		}
		n := r.totals()
		if n.Events != 9 || n.Cases != 9 || n.Repeats != 1 || n.Incomplete != 0 {
			t.Errorf("%+v", n)
		}
	})
}

func TestNothingArrivesAtFirstSequenceBeyondOne(t *testing.T) {
	both(t, func(r *rig) {
		r.want("nothing settled, nothing said", acked(r.take(c(desktest.Case{Seq: 3}))), "-")
		r.want("gaps", r.gaps(), []string{"S1 1-2"})
	})
}

func TestStreamsAndTerminalsAreApart(t *testing.T) {
	both(t, func(r *rig) {
		a := r.take(c(desktest.Case{Seq: 1}), c(desktest.Case{Seq: 1, Stream: "S2"}), c(desktest.Case{Seq: 1, Terminal: "t-2"}), c(desktest.Case{Seq: 2, Terminal: "t-2"}))
		r.want("acks", acked(a), "t-1/S1 1, t-1/S2 1, t-2/S1 2")
		// A case read again after an accident is the same case, published in another stream.
		one, err := r.s.Case(t.Context(), desktest.CaseID(1), "t-1")
		if err != nil || len(one) != 1 || one[0].Stream != "S2" || len(one[0].History) != 2 {
			t.Errorf("%+v %v", one, err)
		}
	})
}

func TestRefusesWhatDoesNotFitAndKeepsIt(t *testing.T) {
	both(t, func(r *rig) {
		good := string(desktest.Case{Seq: 2}.JSON())
		for _, step := range []struct{ name, topic, payload, ack, code string }{
			{"schema", "t-1/up/case", strings.Replace(good, `"recipient":"different"`, `"recipient":"odd"`, 1), "t-1/S1 0 nack 2 schema", "schema"},
			{"source", "t-2/up/case", good, "t-2/S1 0 nack 2 source", "source"},
			{"not JSON", "t-1/up/case", "\x00\xff{", "-", "garbage"},
			{"half", "t-1/up/case", good[:len(good)/2], "-", "garbage"},
			{"no object", "t-1/up/case", "[]", "-", "schema"},
			{"no sequence", "t-1/up/case", strings.Replace(good, `"sequence":"00000000000000000002",`, "", 1), "-", "schema"},
			{"sequence too great", "t-1/up/case", strings.Replace(good, `"00000000000000000002"`, `"99999999999999999999"`, 1), "-", "sequence"},
			{"sequence 0", "t-1/up/case", strings.Replace(good, `"00000000000000000002"`, `"00000000000000000000"`, 1), "-", "sequence"},
			{"attempt too great", "t-1/up/case", strings.Replace(string(desktest.Case{Seq: 5, Stream: "S8"}.JSON()), `"attempt":1`, `"attempt":99999999999999999999999`, 1), "t-1/S8 0 nack 5 schema", "schema"},
			{"no time", "t-1/up/case", strings.Replace(string(desktest.Case{Seq: 6, Stream: "S8"}.JSON()), `"time":"2026`, `"time":"today`, 1), "t-1/S8 0 nack 6 schema", "schema"},
			{"no type", "t-1/up/case", strings.Replace(good, "yuanlu.case.opened.v1", "shop.sale", 2), "t-1/S1 0 nack 2 type", "type"},
			{"zero byte", "t-1/up/case", strings.Replace(string(desktest.Case{Seq: 4, Stream: "S9"}.JSON()), `"subject":"`, `"subject":"\u0000`, 1), "t-1/S9 0 nack 4 schema", "schema"},
			{"large", "t-1/up/case", strings.Replace(good, `"subject":"`, `"x":"`+strings.Repeat("x", 70_000)+`","subject":"`, 1), "-", "too_large"},
			{"state", "t-1/up/state", `{"v":1,"state":"flying","session":"s"}`, "-", "schema"},
			{"health", "t-1/up/health", `garbage`, "-", "schema"},
		} {
			before := r.totals()
			a := r.take(said{step.topic, step.payload, false})
			r.want(step.name, acked(a), step.ack)
			list, err := r.s.Quarantine(t.Context(), store.RefusedFilter{Limit: 1})
			if err != nil || len(list) != 1 || list[0].Code != step.code || a.Refused != 1 {
				t.Errorf("%s: quarantine %+v %v", step.name, list, err)
			}
			if after := r.totals(); after.Events != before.Events || after.Quarantined > before.Quarantined+1 {
				t.Errorf("%s: %+v, before %+v", step.name, after, before)
			}
		}
		// The refused sequence is no gap; if the terminal sends it right after all, it is taken.
		r.want("refused, then the first", acked(r.take(c(desktest.Case{Seq: 1}))), "t-1/S1 2")
		a := r.take(said{"t-1/up/case", good, false})
		r.want("right after all", acked(a), "t-1/S1 2")
		if a.New != 1 || r.totals().Events != 2 {
			t.Errorf("%+v %+v", a, r.totals())
		}
		// And garbage with the sequence of a good event does not refuse that one.
		r.want("garbage for a stored one", acked(r.take(said{"t-1/up/case", strings.Replace(good, `"recipient":"different"`, `"recipient":"odd"`, 1), false})), "t-1/S1 2")
	})
}

func TestSameIDWithOtherContentsIsKeptBeside(t *testing.T) {
	both(t, func(r *rig) {
		r.take(c(desktest.Case{Seq: 1}))
		again := r.take(c(desktest.Case{Seq: 1, Attempt: 7}))
		if again.Repeats != 1 || again.Refused != 0 || again.New != 0 {
			t.Errorf("another attempt: %+v", again)
		}
		other := r.take(c(desktest.Case{Seq: 2, ID: desktest.EventID("S1", 1)}))
		r.want("ack", acked(other), "t-1/S1 2")
		list, err := r.s.Quarantine(t.Context(), store.RefusedFilter{Terminal: "t-1"})
		if err != nil || len(list) != 1 || list[0].Code != "altered" {
			t.Errorf("%+v %v", list, err)
		}
		// Another terminal's event with the same id is another event.
		if a := r.take(c(desktest.Case{Seq: 1, Terminal: "t-2"})); a.New != 1 {
			t.Errorf("%+v", a)
		}
		// Two events with one sequence: both are kept, it is counted, said and kept beside.
		if a := r.take(c(desktest.Case{Seq: 1, ID: "E-other"})); a.New != 1 || len(a.Reused) != 1 || a.Reused[0].Seq != 1 || a.Reused[0].Terminal != "t-1" {
			t.Errorf("%+v", a)
		}
		if a := r.take(c(desktest.Case{Seq: 1, ID: "E-other"})); a.Repeats != 1 || len(a.Reused) != 0 {
			t.Errorf("again: %+v", a)
		}
		streams, err := r.s.Streams(t.Context(), store.StreamFilter{Terminal: "t-1", Incomplete: true})
		if err != nil || len(streams) != 1 || streams[0].Reused != 1 {
			t.Errorf("%+v %v", streams, err)
		}
		list, err = r.s.Quarantine(t.Context(), store.RefusedFilter{Terminal: "t-1"})
		if err != nil || len(list) != 2 || list[0].Code != "reused" && list[1].Code != "reused" {
			t.Errorf("%+v %v", list, err)
		}
		// A terminal that knows less of its stream than it was acknowledged hears it again.
		sum := func(last int) said {
			return said{"t-1/up/case-summary", fmt.Sprintf(`{"v":1,"stream":"S1","last_seq":%d,"acked_seq":1,"open":{"critical":0,"high":0,"medium":0},"oldest_unacked":null}`, last), false}
		}
		if a := r.take(sum(1)); len(a.PutBack) != 1 || a.PutBack[0].Seq != 2 || acked(a) != "t-1/S1 2" {
			t.Errorf("%+v", a)
		}
		if a := r.take(sum(2)); len(a.PutBack) != 0 {
			t.Errorf("%+v", a)
		}
		// One that the broker kept is from before: what it lacks is sent, and no store was put back.
		kept := sum(1)
		kept.retained = true
		if a := r.take(kept); len(a.PutBack) != 0 || acked(a) != "t-1/S1 2" {
			t.Errorf("kept by the broker: %+v", a)
		}
		// Of two desks one may take a summary after the other has stored what came behind it: it
		// is older than the event that it lacks.
		r.take(c(desktest.Case{Seq: 3}))
		for ts, alarms := range map[string]int{"2026-08-23T01:00:02.500Z": 0, "2026-08-23T01:00:03.500Z": 1} {
			late := sum(1)
			late.payload = strings.Replace(late.payload, `"v":1,`, `"v":1,"ts":"`+ts+`",`, 1)
			if a := r.take(late); len(a.PutBack) != alarms || acked(a) != "t-1/S1 3" {
				t.Errorf("published at %s: %+v", ts, a)
			}
		}
	})
}

func TestFutureVersionsAreKept(t *testing.T) {
	both(t, func(r *rig) {
		plain := string(desktest.Case{Seq: 1}.JSON())
		unknown := strings.Replace(plain, `"data":{`, `"a_member_of_2031":[1,2.5],"data":{"more":{"x":null},`, 1)
		v2 := strings.ReplaceAll(string(desktest.Case{Seq: 2}.JSON()), "opened.v1", "opened.v2")
		v2 = strings.Replace(v2, `"recipient":"different"`, `"recipient":{"who":"somebody"}`, 1)
		kind := strings.ReplaceAll(string(desktest.Case{Seq: 3, CaseID: desktest.CaseID(1)}.JSON()), "case.opened.v1", "case.annotated.v1")
		a := r.take(said{"t-1/up/case", unknown, false}, said{"t-1/up/case", v2, false}, said{"t-1/up/case", kind, false},
			said{"t-1/up/state", `{"v":3,"state":"dreaming","session":"s1","mood":{"x":1}}`, false},
			said{"t-1/up/event", string(desktest.Event("t-1", "e1", "moon.landed", map[string]int{"x": 1})), false})
		r.want("ack", acked(a), "t-1/S1 3")
		if a.New != 4 || a.Refused != 0 {
			t.Errorf("%+v", a)
		}
		events, err := r.s.Events(t.Context(), store.EventFilter{})
		if err != nil || len(events) != 4 || events[0].Future || !events[1].Future || !events[2].Future || events[3].Future {
			t.Errorf("%+v %v", events, err)
		}
		if string(events[0].Event) != unknown {
			t.Errorf("kept as %s", events[0].Event)
		}
		cases, err := r.s.Cases(t.Context(), store.CaseFilter{})
		if err != nil || len(cases) != 2 || cases[0].CaseID != desktest.CaseID(1) || cases[0].Events != 2 || cases[0].Severity != "high" {
			t.Errorf("%+v %v", cases, err)
		}
		if one, err := r.s.Terminal(t.Context(), "t-1", r.now); err != nil || one.Presence != "dreaming" {
			t.Errorf("%+v %v", one, err)
		}
	})
}

// What the terminal says has been acknowledged is not waited for; what it put
// aside itself neither; both stay visible.
func TestWhatWillNotComeIsNotWaitedFor(t *testing.T) {
	both(t, func(r *rig) {
		summary := func(acked int64) said {
			return said{"t-1/up/case-summary", fmt.Sprintf(`{"v":1,"stream":"S1","last_seq":20,"acked_seq":%d,"open":{"critical":0,"high":0,"medium":0},"oldest_unacked":null}`, acked), true}
		}
		r.want("an empty one", acked(r.take(summary(0))), "-")
		r.take(c(desktest.Case{Seq: 7}))
		r.want("told before", acked(r.take(summary(10), c(desktest.Case{Seq: 11}))), "t-1/S1 11")
		r.want("holes", r.gaps(), []string{"S1 (1-6)", "S1 (8-10)"})
		r.want("it comes after all", acked(r.take(c(desktest.Case{Seq: 9}))), "t-1/S1 11")
		r.want("holes", r.gaps(), []string{"S1 (1-6)", "S1 (8-8)", "S1 (10-10)"})
		r.want("an acknowledgement was lost", acked(r.take(summary(10))), "t-1/S1 11")
		r.want("none was lost", acked(r.take(summary(11))), "-")
		r.take(c(desktest.Case{Seq: 13}))
		a := r.take(said{"t-1/up/event", string(desktest.Event("t-1", "e1", "outbox.quarantined", map[string]any{"sequence": 12})), false})
		r.want("put aside", acked(a), "t-1/S1 13")
		if len(a.GapEnded) != 1 {
			t.Errorf("%+v", a)
		}
	})
}

func TestNewestOfACaseWhateverTheOrder(t *testing.T) {
	both(t, func(r *rig) {
		id := desktest.CaseID(1)
		r.take(c(desktest.Case{Seq: 3, CaseID: id, Kind: "cleared", Severity: "none"}))
		r.take(c(desktest.Case{Seq: 1, CaseID: id, Severity: "critical"}), c(desktest.Case{Seq: 2, CaseID: id, Kind: "revised", Severity: "high"}))
		one, err := r.s.Case(t.Context(), id, "")
		if err != nil || len(one) != 1 {
			t.Fatalf("%+v %v", one, err)
		}
		if got := one[0]; got.State != "cleared" || got.Seq != 3 || got.Events != 3 || got.Recipient != "same" || !got.Opened.Before(got.Changed) {
			t.Errorf("%s %d %d %s %s %s", got.State, got.Seq, got.Events, got.Recipient, got.Opened, got.Changed)
		}
		for filter, n := range map[store.CaseFilter]int{
			{}: 1, {State: "open"}: 0, {State: "cleared"}: 1, {Terminal: "t-1"}: 1, {Terminal: "t-2"}: 0, {MinSeverity: 3}: 0,
			{Merchant: "898000000000001"}: 1, {Decision: "alarm"}: 0, {Recipient: "same"}: 1, {Before: 1}: 0,
			{Since: noon}: 0, {Until: noon}: 1,
		} {
			list, err := r.s.Cases(t.Context(), filter)
			if err != nil || len(list) != n {
				t.Errorf("%+v: %d, want %d (%v)", filter, len(list), n, err)
			}
		}
		if _, err := r.s.Case(t.Context(), "nobody", ""); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// The stream of a terminal in any order, in any batches, with repetitions and
// reopened stores: nothing lost, nothing twice, and no acknowledgement past a gap.
func TestAnyOrderAndRepetition(t *testing.T) {
	both(t, func(r *rig) {
		const events = 120
		rng := rand.New(rand.NewPCG(4, 2026))
		var plan []int64
		for n := int64(1); n <= events; n++ {
			for range 1 + rng.IntN(3) {
				plan = append(plan, n)
			}
		}
		rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
		have, told := map[int64]bool{}, int64(0)
		for len(plan) > 0 {
			n := min(1+rng.IntN(12), len(plan))
			var list []said
			for _, seq := range plan[:n] {
				list = append(list, c(desktest.Case{Seq: seq, Attempt: 1 + rng.IntN(4)}))
				have[seq] = true
			}
			plan = plan[n:]
			if a := r.take(list...); len(a.Acks) > 0 {
				whole := int64(0)
				for have[whole+1] {
					whole++
				}
				if got := a.Acks[0].Seq; got != whole || got < told {
					t.Fatalf("acknowledged %d, complete to %d, before %d", got, whole, told)
				}
				told = a.Acks[0].Seq
			}
			if rng.IntN(8) == 0 {
				r.s.Close()
				r.open()
			}
		}
		if n := r.totals(); told != events || n.Events != events || n.Cases != events || n.Quarantined != 0 {
			t.Errorf("told %d, %+v", told, n)
		}
		r.want("gaps", r.gaps(), []string{})
	})
}

// Several desks on one store get the same events at the same time.
func TestSeveralDesksOnOneStore(t *testing.T) {
	both(t, func(r *rig) {
		other, err := store.Open(t.Context(), r.place)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		const events = 60
		var wg sync.WaitGroup
		for i, s := range []*store.Store{r.s, other} {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 1))
				for _, n := range rng.Perm(events) {
					m, _ := r.decode.Decode("yuanlu/v1/t-1/up/case", desktest.Case{Seq: int64(n) + 1}.JSON(), false, noon)
					if _, err := s.Apply(context.Background(), []store.Message{m}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n := r.totals()
		if n.Events != events || n.Repeats != events || n.Incomplete != 0 {
			t.Errorf("%+v", n)
		}
		list, err := other.Events(t.Context(), store.EventFilter{Limit: store.MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		numbers := map[int64]bool{}
		for _, e := range list {
			numbers[e.N] = true
		}
		if len(numbers) != events {
			t.Errorf("%d numbers for %d events", len(numbers), events)
		}
	})
}

func TestPresence(t *testing.T) {
	state := func(state, session string, retained bool) said {
		return said{"t-1/up/state", fmt.Sprintf(`{"v":1,"state":%q,"session":%q,"ts":"2026-08-23T11:59:30Z"}`, state, session), retained}
	}
	will := func(session string, retained bool) said {
		return said{"t-1/up/state", fmt.Sprintf(`{"v":1,"state":"lost","session":%q}`, session), retained}
	}
	health := said{"t-1/up/health", `{"v":1,"ts":"2026-08-23T12:00:00Z","interval_s":10,"uptime_s":1,"verdict":"ok","problems":[],"clock":{"synced":true},"mqtt":{"connected":true,"reconnects":0},"outbox":{"waiting":0,"acked_seq":0,"quarantined":0,"dropped":0},"links":{},"records":0,"refunds":0,"cases":0}`, false}
	link := said{"t-1/up/link/pos/state", `{"v":1,"name":"pos","state":"online","reason":"","port":"/dev/ttyS1","frames_good":1,"frames_bad":0}`, false}
	cases := []struct {
		name                   string
		said                   []said
		after                  time.Duration
		presence, health, link string
	}{
		{"online", []said{state("online", "s1", false), health, link}, 0, "online", "ok", "online"},
		{"three intervals", []said{state("online", "s1", false), health, link}, 30 * time.Second, "online", "ok", "online"},
		{"older than three intervals", []said{state("online", "s1", false), health, link}, 31 * time.Second, "unknown", "unknown", "unknown"},
		{"sixty seconds where no health was heard", []said{state("online", "s1", false)}, 179 * time.Second, "online", "unknown", ""},
		{"lost", []said{state("online", "s1", false), link, will("s1", false)}, 0, "lost", "unknown", "lost"},
		{"lost of another session", []said{state("online", "s2", false), will("s1", false)}, 0, "online", "unknown", ""},
		{"offline", []said{state("online", "s1", false), state("offline", "s1", false), link}, 0, "offline", "unknown", "unknown"},
		{"lost, and back", []said{state("online", "s1", false), will("s1", false), state("degraded", "s2", false)}, 0, "degraded", "unknown", ""},
		{"left over, half a minute old", []said{state("online", "s1", true)}, 0, "online", "unknown", ""},
		{"left over, and now too old", []said{state("online", "s1", true)}, 160 * time.Second, "unknown", "unknown", ""},
		{"a left over will, whose age nobody knows", []said{will("s1", true)}, 0, "unknown", "unknown", ""},
		{"a will known before, left over", []said{state("online", "s1", false), will("s1", false), will("s1", true)}, 0, "lost", "unknown", ""},
		{"taken back", []said{state("online", "s1", false), {"t-1/up/state", "", false}}, 0, "unknown", "unknown", ""},
		{"link taken back", []said{state("online", "s1", false), link, {"t-1/up/link/pos/state", "", false}}, 0, "online", "unknown", ""},
	}
	both(t, func(r *rig) {
		for i, tc := range cases {
			terminal := fmt.Sprintf("t-p%d", i)
			for _, m := range tc.said {
				m.topic = strings.Replace(m.topic, "t-1", terminal, 1)
				r.take(m)
			}
			one, err := r.s.Terminal(r.t.Context(), terminal, r.now.Add(tc.after))
			if err != nil {
				r.t.Fatal(err)
			}
			link := ""
			if len(one.Links) > 0 {
				link = one.Links[0].Presence
			}
			if one.Presence != tc.presence || one.Health != tc.health || link != tc.link {
				r.t.Errorf("%s: presence %s health %s link %q, want %s %s %q", tc.name, one.Presence, one.Health, link, tc.presence, tc.health, tc.link)
			}
		}
	})
}

func TestOpenSaysWhy(t *testing.T) {
	dir := t.TempDir()
	for place, want := range map[string]error{
		"": store.ErrPlace, "mysql://x": store.ErrPlace, "postgres://u:sesame@[::1": store.ErrPlace,
		filepath.Join(dir, "no", "such", "dir", "x.db"): store.ErrUnavailable, dir: store.ErrUnavailable,
		"postgres://u:sesame@127.0.0.1:1/x": store.ErrUnavailable,
	} {
		t.Run(place, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_, err := store.Open(ctx, place)
			cancel()
			if !errors.Is(err, want) || strings.Contains(fmt.Sprint(err), "sesame") {
				t.Errorf("%q: %v, want %v", place, err, want)
			}
		})
	}
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), garbage); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	path := filepath.Join(dir, "mode.db")
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, name := range []string{path} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

// Pages of cases and events hold everything once.
func TestPages(t *testing.T) {
	both(t, func(r *rig) {
		var list []said
		for n := int64(1); n <= 25; n++ {
			list = append(list, c(desktest.Case{Seq: n}))
		}
		r.take(list...)
		var got []int64
		for before := int64(0); ; {
			page, err := r.s.Cases(t.Context(), store.CaseFilter{Before: before, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, one := range page {
				got = append(got, one.Seq)
			}
			before = page[len(page)-1].N
		}
		if len(got) != 25 || !slices.IsSortedFunc(got, func(a, b int64) int { return int(b - a) }) {
			t.Errorf("%v", got)
		}
	})
}
