package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// small is a fleet whose day takes two seconds.
func small(t *testing.T, url string) Options {
	return Options{Terminals: 12, Seed: 7, Brokers: []string{url}, Root: "yuanlu", Prefix: "f", Begin: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), Days: 1,
		Day: 2 * time.Second, Cases: 3, Health: time.Second, Retry: 300 * time.Millisecond, JitterFirst: 20 * time.Millisecond, JitterMost: 100 * time.Millisecond,
		Settle: 30 * time.Second, Line: t.Logf}
}

func TestPlanIsMadeOfTheSeed(t *testing.T) {
	o := small(t, "")
	o.Days = 30
	one, two := plan(&o, 3), plan(&o, 3)
	if !reflect.DeepEqual(one, two) {
		t.Error("the same seed makes other days")
	}
	o.Seed++
	if reflect.DeepEqual(one, plan(&o, 3)) {
		t.Error("another seed makes the same days")
	}
	kinds, opened := map[happening]int{}, map[*incident]bool{}
	for i, m := range one {
		kinds[m.what]++
		if i > 0 && m.at < one[i-1].at {
			t.Fatalf("moment %d is before the one before it", i)
		}
		if m.what == opens {
			opened[m.of] = true
		}
		if m.of != nil && !opened[m.of] {
			t.Errorf("moment %d: %d of a case that was not opened", i, m.what)
		}
	}
	if kinds[tallies] != 30 {
		t.Errorf("%d tallies in 30 days", kinds[tallies])
	}
	for what := opens; what <= restarts; what++ {
		if kinds[what] == 0 {
			t.Errorf("nothing of kind %d in 30 days", what)
		}
	}
}

// office is a back office that acknowledges, but for what lies above hold.
type office struct {
	c    *brokertest.Client
	mu   sync.Mutex
	seen int
	next map[string]int64 // by terminal and stream: the next sequence that is wanted
	had  map[string]map[int64]int
	bad  []string
	hold bool
}

// look takes what came since the last time.
func (o *office) look() {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.c.Received()
	due := map[string]string{}
	for _, m := range all[o.seen:] {
		var e struct {
			Stream, Sequence string
			Attempt          int
		}
		if json.Unmarshal(m.Payload, &e) != nil {
			continue
		}
		terminal := strings.Split(m.Topic, "/")[2]
		at := terminal + " " + e.Stream
		seq, err := strconv.ParseInt(e.Sequence, 10, 64)
		if err != nil {
			o.bad = append(o.bad, err.Error())
		}
		if o.had[at] == nil {
			o.had[at] = map[int64]int{}
		}
		if o.had[at][seq]++; e.Attempt == 1 && o.had[at][seq] == 1 && seq != int64(len(o.had[at])) {
			o.bad = append(o.bad, fmt.Sprintf("%s: sequence %d came as number %d", at, seq, len(o.had[at])))
		}
		for o.had[at][o.next[at]+1] > 0 {
			o.next[at]++
		}
		due["yuanlu/v1/"+terminal+"/dn/ack"] = fmt.Sprintf(`{"stream":%q,"acked_seq":%d}`, e.Stream, o.next[at])
	}
	o.seen = len(all)
	for topic, ack := range due {
		if !o.hold {
			o.c.Send(topic, []byte(ack))
		}
	}
}

func (o *office) run(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		o.look()
	}
}

func (o *office) holding(hold bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hold = hold
}

// TestEveryMessageIsByTheContract: the broker checks each message against topic table and schemas, and the back office
// that the sequences come in order. For the first second it acknowledges nothing, so that all is sent again.
func TestEveryMessageIsByTheContract(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Config: []string{"log_type none"}})
	back := &office{c: brokertest.NewClient(t, b.URL(), "office", nil, "yuanlu/v1/+/up/case"), next: map[string]int64{}, had: map[string]map[int64]int{}, hold: true}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { back.run(ctx) })
	timer := time.AfterFunc(time.Second, func() { back.holding(false) })
	r, err := Run(t.Context(), small(t, b.URL()))
	timer.Stop()
	stop()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if !r.Good() || r.Waiting > 0 {
		t.Errorf("%d wait, %q", r.Waiting, r.Differ)
	}
	if len(back.bad) > 0 {
		t.Errorf("out of order: %q", back.bad)
	}
	made := 0
	for at, n := range back.next {
		if n != int64(len(back.had[at])) {
			t.Errorf("%s: %d sequences came, without a gap up to %d", at, len(back.had[at]), n)
		}
		made += int(n)
	}
	if made != r.All.Acked || r.All.Repeated == 0 || r.All.Acked < 50 {
		t.Errorf("the back office had %d, the fleet counts %+v", made, r.All)
	}
	if b.Checked() < r.All.Up {
		t.Errorf("%d messages were looked at, %d were sent", b.Checked(), r.All.Up)
	}
	var text strings.Builder
	if err := r.Table(&text); err != nil || !strings.Contains(text.String(), "no difference") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// TestOptions: what cannot be run is refused before anything is dialled.
func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"none": func(o *Options) { o.Terminals = 0 }, "no broker": func(o *Options) { o.Brokers = nil }, "no days": func(o *Options) { o.Days = 0 },
		"another host": func(o *Options) { o.Brokers = []string{"tcp://192.0.2.1"} }, "jitter": func(o *Options) { o.JitterMost = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := small(t, "tcp://127.0.0.1:1")
			change(&o)
			if err := o.Check(); err == nil {
				t.Error("taken")
			}
		})
	}
}

// desk answers as a yuanlu-desk that has taken what a fleet made.
type desk struct {
	events, streams, cases []object
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := object{"next": nil}
	switch r.URL.Path {
	case "/v1/events":
		body["events"] = d.events
	case "/v1/gaps":
		body["streams"] = d.streams
	case "/v1/cases":
		body["cases"] = d.cases
	}
	_, _ = w.Write(encode(body)) // the test notices
}

// lived is a fleet of one terminal that has made events, and the desk that has them.
func lived(t *testing.T) (*fleet, *desk) {
	o := small(t, "")
	f := &fleet{o: o, began: time.Now()}
	one := newTerminal(f, 0)
	f.terminals = []*terminal{one}
	for len(one.ahead) > 0 {
		m := one.ahead[0]
		one.ahead = one.ahead[1:]
		if m.what != restarts && m.what != cutOff && m.what != renewed {
			one.one(t.Context(), &m, f.began)
		}
	}
	d := &desk{}
	for _, e := range append(append([]*entry{}, one.cases...), one.events...) {
		e.attempt = 1
		d.events = append(d.events, object{"terminal": one.id, "event": json.RawMessage(one.envelope(e))})
	}
	d.streams = []object{{"terminal": one.id, "stream": one.stream, "settled": one.seq, "highest": one.seq, "reused": 0, "gaps": []int{}}}
	for _, c := range one.open {
		state := "open"
		if c.state == "" {
			state = "cleared"
		}
		d.cases = append(d.cases, object{"terminal": one.id, "case_id": c.id, "state": state, "severity": c.state})
	}
	one.cases, one.events = nil, nil
	return f, d
}

// TestComparisonNotices: each way in which a desk can be wrong is a difference.
func TestComparisonNotices(t *testing.T) {
	for name, spoil := range map[string]func(*desk){
		"":                   func(*desk) {},
		"an event is lost":   func(d *desk) { d.events = d.events[1:] },
		"one is there twice": func(d *desk) { d.events = append(d.events, d.events[0]) },
		"one is another":     func(d *desk) { d.events[0] = altered(d.events[0]) },
		"one is a stranger": func(d *desk) {
			d.events = append(d.events, object{"terminal": "f-00000", "event": object{"id": "X"}})
		},
		"a stream has a gap":        func(d *desk) { d.streams[0]["gaps"] = []int{1} },
		"a stream ends too soon":    func(d *desk) { d.streams[0]["settled"] = 1 },
		"a stream is not known":     func(d *desk) { d.streams = nil },
		"a case has an older state": func(d *desk) { d.cases[0]["severity"], d.cases[0]["state"] = "none", "none" },
		"a case is not known":       func(d *desk) { d.cases = d.cases[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			f, d := lived(t)
			spoil(d)
			server := httptest.NewServer(d)
			defer server.Close()
			f.o.Desk = server.URL
			r := f.report()
			if err := f.compare(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if r.Good() != (name == "") {
				t.Errorf("%+v %q", r.Desk, r.Differ)
			}
		})
	}
}

// altered is an event with another sum.
func altered(row object) object {
	text := string(encode(row["event"]))
	return object{"terminal": row["terminal"], "event": json.RawMessage(strings.Replace(text, `"CNY"`, `"USD"`, 1))}
}
