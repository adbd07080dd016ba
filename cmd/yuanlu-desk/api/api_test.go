package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// rig is an API over a store.
type rig struct {
	t      *testing.T
	s      *store.Store
	api    *api.API
	server *httptest.Server
	decode *consumer.Decoder
}

func newRig(t *testing.T, token string) *rig {
	t.Helper()
	return newRigAt(t, token, filepath.Join(t.TempDir(), "desk.db"))
}

// cluster is the PostgreSQL of this package's tests.
var cluster = desktest.NewCluster()

func TestMain(m *testing.M) {
	code := m.Run()
	cluster.Close()
	os.Exit(code)
}

func newRigAt(t *testing.T, token, place string) *rig {
	t.Helper()
	s, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	d, err := consumer.NewDecoder("yuanlu")
	if err != nil {
		t.Fatal(err)
	}
	a := api.New(api.Options{Store: s, Status: func() any { return consumer.Status{Connected: true} }, Ready: func() bool { return true },
		Token: token, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	r := &rig{t: t, s: s, api: a, server: httptest.NewServer(a), decode: d}
	t.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
		s.Close()
	})
	return r
}

func (r *rig) publish(topic string, payload []byte) {
	r.t.Helper()
	m, ok := r.decode.Decode("yuanlu/v1/"+topic, payload, false, time.Now())
	if !ok {
		r.t.Fatalf("%s: nothing to store", topic)
	}
	if _, err := r.s.Apply(context.Background(), []store.Message{m}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) get(path string, want int, to any) string {
	r.t.Helper()
	rsp, err := http.Get(r.server.URL + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	if err != nil || rsp.StatusCode != want || rsp.Header.Get("Content-Type") != "application/json" || !json.Valid(b) {
		r.t.Fatalf("GET %s: %s %v %s", path, rsp.Status, err, b)
	}
	if to != nil {
		if err := json.Unmarshal(b, to); err != nil {
			r.t.Fatal(err)
		}
	}
	return string(b)
}

type casesPage struct {
	Cases []store.CaseRow
	Next  *string
}

func TestCasesByPageAndFilter(t *testing.T) {
	r := newRig(t, "")
	for n := range int64(23) {
		severity := []string{"medium", "high", "critical"}[n%3]
		r.publish("t-1/up/case", desktest.Case{Seq: n + 1, Severity: severity}.JSON())
	}
	r.publish("t-2/up/case", desktest.Case{Terminal: "t-2", Seq: 1, Merchant: "M2"}.JSON())
	seen, pages := map[string]bool{}, 0
	for path := "/v1/cases?limit=5"; path != ""; pages++ {
		var p casesPage
		r.get(path, 200, &p)
		for _, c := range p.Cases {
			seen[c.Terminal+c.CaseID] = true
		}
		if path = ""; p.Next != nil {
			path = *p.Next
		}
	}
	if len(seen) != 24 || pages != 5 {
		t.Errorf("%d cases on %d pages", len(seen), pages)
	}
	for query, want := range map[string]int{
		"terminal=t-2": 1, "merchant_id=M2": 1, "severity=critical": 7, "severity=high": 16, "state=open": 24, "state=cleared": 0,
		"recipient=different": 24, "decision=pass": 0, "since=2030-01-01T00:00:00Z": 0, "until=2030-01-01T00:00:00Z": 24, "terminal=t%27%3B--": 0,
	} {
		t.Run(query, func(t *testing.T) {
			var p casesPage
			r.get("/v1/cases?"+query, 200, &p)
			if len(p.Cases) != want {
				t.Errorf("%s: %d, want %d", query, len(p.Cases), want)
			}
		})
	}
	var one store.CaseRow
	r.get("/v1/cases/"+strings.ToLower(desktest.CaseID(2)), 200, &one)
	if one.CaseID != desktest.CaseID(2) || len(one.History) != 1 || len(one.Data) == 0 {
		t.Errorf("%s, %d events", one.CaseID, len(one.History))
	}
	r.get("/v1/cases/"+desktest.CaseID(1), 409, nil)
	r.get("/v1/cases/"+desktest.CaseID(1)+"?terminal=t-2", 200, nil)
	r.get("/v1/cases/NOBODY", 404, nil)
}

// The events of a stream in the order of their sequence, however they came.
func TestEventsBySequence(t *testing.T) {
	r := newRig(t, "")
	for _, n := range []int64{3, 1, 5, 4, 2} {
		r.publish("t-1/up/case", desktest.Case{Seq: n}.JSON())
		r.publish("t-1/up/case", desktest.Case{Seq: n, Stream: "S2"}.JSON())
	}
	var got []int64
	for path := "/v1/events?order=sequence&terminal=t-1&stream=S1&limit=2"; path != ""; {
		var p struct {
			Events []store.EventRow
			Next   *string
		}
		r.get(path, 200, &p)
		for _, e := range p.Events {
			got = append(got, e.Seq)
		}
		if path = ""; p.Next != nil {
			path = *p.Next
		}
	}
	if fmt.Sprint(got) != "[1 2 3 4 5]" {
		t.Errorf("%v", got)
	}
}

func TestQuestionsThatAreWrong(t *testing.T) {
	r := newRig(t, "")
	for path, want := range map[string]int{
		"/v1/cases?limit=0": 400, "/v1/cases?limit=1000": 400, "/v1/cases?limit=x": 400, "/v1/cases?severity=huge": 400, "/v1/cases?state=x": 400,
		"/v1/cases?since=yesterday": 400, "/v1/cases?before=-1": 400, "/v1/cases?typo=1": 400, "/v1/cases?terminal=%00": 400,
		"/v1/cases?terminal=" + strings.Repeat("x", 300): 400, "/v1/stream?kinds=x": 400, "/v1/stream?after=x": 400, "/v1/events?kind=x": 400,
		"/v1/terminals/nobody": 404, "/v1/nothing": 404, "/": 404, "/v1/gaps?all=2": 400,
		"/v1/events?order=sequence": 400, "/v1/events?order=sequence&terminal=t-1": 400, "/v1/events?order=time": 400, "/v1/quarantine/9": 404, "/v1/quarantine/x": 404,
	} {
		t.Run(path, func(t *testing.T) {
			var e struct {
				Error struct{ Code, Message string }
			}
			if body := r.get(path, want, &e); e.Error.Code == "" || e.Error.Message == "" {
				t.Errorf("%s: %s", path, body)
			}
		})
	}
	rsp, err := http.Post(r.server.URL+"/v1/cases", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	rsp.Body.Close()
	if rsp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", rsp.Status)
	}
}

func TestWhoMayAsk(t *testing.T) {
	for _, tc := range []struct {
		token, host, authorization string
		want                       int
	}{
		{"", "", "", 200}, {"", "localhost:1", "", 200}, {"", "[::1]:80", "", 200}, {"", "evil.example", "", 403}, {"", "evil.example:8417", "", 403},
		{"sesame", "", "", 401}, {"sesame", "", "Bearer wrong", 401}, {"sesame", "", "sesame", 401}, {"sesame", "desk.example", "Bearer sesame", 200},
	} {
		t.Run(tc.token, func(t *testing.T) {
			r := newRig(t, tc.token)
			q, err := http.NewRequest(http.MethodGet, r.server.URL+"/v1/status", nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Host = tc.host
			if tc.authorization != "" {
				q.Header.Set("Authorization", tc.authorization)
			}
			rsp, err := http.DefaultClient.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			rsp.Body.Close()
			if rsp.StatusCode != tc.want {
				t.Errorf("%+v: %s", tc, rsp.Status)
			}
		})
	}
}

func TestTerminalsGapsQuarantineStatus(t *testing.T) {
	r := newRig(t, "")
	r.publish("t-1/up/state", []byte(`{"v":1,"state":"online","session":"s"}`))
	r.publish("t-2/up/state", []byte(`{"v":1,"state":"lost","session":"s"}`))
	r.publish("t-1/up/case", desktest.Case{Seq: 4}.JSON())
	r.publish("t-1/up/case", []byte(`nonsense`))
	var terminals struct {
		Terminals []store.TerminalRow
		Next      *string
	}
	r.get("/v1/terminals?limit=1", 200, &terminals)
	if len(terminals.Terminals) != 1 || terminals.Terminals[0].Presence != "online" || terminals.Next == nil {
		t.Fatalf("%+v", terminals)
	}
	r.get(*terminals.Next, 200, &terminals)
	if len(terminals.Terminals) != 1 || terminals.Terminals[0].Presence != "lost" {
		t.Errorf("%+v", terminals)
	}
	for query, want := range map[string]int{"presence=online": 1, "presence=lost": 1, "presence=unknown": 0} {
		t.Run(query, func(t *testing.T) {
			var some struct{ Terminals []store.TerminalRow }
			if r.get("/v1/terminals?"+query, 200, &some); len(some.Terminals) != want {
				t.Errorf("%s: %+v", query, some)
			}
		})
	}
	var gaps struct{ Streams []store.StreamRow }
	r.get("/v1/gaps", 200, &gaps)
	if len(gaps.Streams) != 1 || len(gaps.Streams[0].Gaps) != 1 || gaps.Streams[0].Gaps[0] != (store.Range{First: 1, Last: 3}) || gaps.Streams[0].Since == nil {
		t.Errorf("%+v", gaps)
	}
	var q struct{ Quarantine []store.Refused }
	r.get("/v1/quarantine", 200, &q)
	if len(q.Quarantine) != 1 || q.Quarantine[0].Code != "garbage" {
		t.Errorf("%+v", q)
	}
	var status struct {
		Ready    bool
		Totals   store.Totals
		Consumer consumer.Status
	}
	r.get("/v1/status", 200, &status)
	if !status.Ready || status.Totals.Cases != 1 || !status.Consumer.Connected || status.Totals.Incomplete != 1 {
		t.Errorf("%+v", status)
	}
}

// sse reads server-sent events as "id kind".
func (r *rig) sse(ctx context.Context, path, last string) <-chan string {
	r.t.Helper()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if last != "" {
		q.Header.Set("Last-Event-ID", last)
	}
	rsp, err := http.DefaultClient.Do(q)
	if err != nil || rsp.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatal(rsp, err)
	}
	out := make(chan string, 1000)
	go func() { // ends with ctx
		defer close(out)
		defer rsp.Body.Close()
		id := ""
		for lines := bufio.NewScanner(rsp.Body); lines.Scan(); {
			if v, found := strings.CutPrefix(lines.Text(), "id: "); found {
				id = v
			}
			if v, found := strings.CutPrefix(lines.Text(), "event: "); found {
				out <- id + " " + v
			}
		}
	}()
	return out
}

func want(t *testing.T, from <-chan string, list ...string) {
	t.Helper()
	for _, w := range list {
		select {
		case got := <-from:
			if got != w {
				t.Errorf("got %q, want %q", got, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q never came", w)
		}
	}
}

func TestStream(t *testing.T) {
	r := newRig(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	now := r.sse(ctx, "/v1/stream", "")
	all := r.sse(ctx, "/v1/stream?after=0", "")
	cases := r.sse(ctx, "/v1/stream?after=0&kinds=case", "")
	r.publish("t-1/up/case", desktest.Case{Seq: 3}.JSON()) // 2, and 3: the gap
	r.publish("t-1/up/state", []byte(`{"v":1,"state":"online","session":"s"}`))
	want(t, all, "1 case", "2 case", "3 gap", "4 terminal")
	want(t, now, "2 case", "3 gap", "4 terminal")
	want(t, cases, "1 case", "2 case")
	want(t, r.sse(ctx, "/v1/stream", "2"), "3 gap", "4 terminal")
	// A terminal that changes again is sent again, as it is then.
	r.publish("t-1/up/state", []byte(`{"v":1,"state":"degraded","session":"s"}`))
	r.publish("t-1/up/event", desktest.Event("t-1", "e1", "link.lost", map[string]int{}))
	want(t, all, "5 terminal", "6 event")
	r.api.Stop()
	for range all { // ends
	}
}

// A long backlog comes whole and in order, whatever the mixture.
func TestStreamOfABacklog(t *testing.T) {
	r := newRig(t, "")
	var batch []store.Message
	for n := range int64(700) {
		topic, payload := "t-1/up/case", desktest.Case{Seq: n + 1}.JSON()
		if n%3 == 0 {
			terminal := fmt.Sprintf("t-%d", n)
			topic, payload = terminal+"/up/state", []byte(`{"v":1,"state":"online","session":"s"}`)
		}
		m, _ := r.decode.Decode("yuanlu/v1/"+topic, payload, false, time.Now())
		batch = append(batch, m)
	}
	a, err := r.s.Apply(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all := r.sse(ctx, "/v1/stream?after=0", "")
	for n := range a.N - 1 {
		select {
		case got := <-all:
			if !strings.HasPrefix(got, fmt.Sprint(n+1, " ")) {
				t.Fatalf("got %q at %d", got, n+1)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%d never came", n+1)
		}
	}
}
