package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/metrics"
	"yuanlu/cmd/yuanlu-desk/store"
)

// document is the OpenAPI document with every object closed, so that an answer with a
// member that it does not describe is found.
func document(t *testing.T) (doc map[string]any, schemas *jsonschema.Compiler) {
	t.Helper()
	if err := json.Unmarshal(api.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	var close func(any)
	close = func(x any) {
		switch x := x.(type) {
		case map[string]any:
			if _, ok := x["properties"].(map[string]any); ok && x["type"] == "object" {
				if _, open := x["additionalProperties"]; !open {
					x["additionalProperties"] = false
				}
			}
			for _, y := range x {
				close(y)
			}
		case []any:
			for _, y := range x {
				close(y)
			}
		}
	}
	close(doc)
	schemas = jsonschema.NewCompiler()
	schemas.DefaultDraft(jsonschema.Draft2020)
	schemas.AssertFormat()
	if err := schemas.AddResource("urn:desk", doc); err != nil {
		t.Fatal(err)
	}
	return doc, schemas
}

func escape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

// described is a rig with everything that may be asked, and something to be seen.
func described(t *testing.T) *rig {
	r := newRig(t, "sesame")
	a := api.New(api.Options{Store: r.s, Status: func() any { return consumer.Status{Connected: true, Since: time.Now()} }, Ready: func() bool { return true },
		Token: "sesame", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Metrics: metrics.Handler(metrics.Options{Status: func() consumer.Status { return consumer.Status{Connected: true, Shed: 7} }, Totals: r.s.Totals,
			Proofs:  r.s.LogState,
			Fleet:   func(ctx context.Context) (store.Fleet, error) { return r.s.Fleet(ctx, time.Now()) },
			Version: "1", Log: slog.New(slog.DiscardHandler)})})
	r.api, r.server = a, httptest.NewServer(a)
	t.Cleanup(r.server.Close)
	for n := int64(1); n <= 3; n++ {
		r.publish("t-1/up/case", desktest.Case{Seq: n}.JSON())
	}
	r.publish("t-1/up/case", desktest.Case{Seq: 6}.JSON())
	r.publish("t-1/up/case", []byte(`{"no":"event"}`))
	r.publish("t-1/up/event", desktest.Event("t-1", "e1", "link.lost", map[string]any{"link": "pos", "reason": "gone"}))
	r.publish("t-1/up/state", []byte(`{"v":1,"state":"online","session":"s","since":"2026-08-23T01:00:00Z","reason":"start","ts":"2026-08-23T01:00:00Z"}`))
	r.publish("t-1/up/link/pos/state", []byte(`{"v":1,"name":"pos","state":"online","reason":"","port":"x","frames_good":1,"frames_bad":0}`))
	return r
}

func (r *rig) ask(method, path, body string) (*http.Response, []byte) {
	r.t.Helper()
	q, err := http.NewRequest(method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer sesame")
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	rsp, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rsp.Body.Close()
	if strings.HasPrefix(rsp.Header.Get("Content-Type"), "text/event-stream") {
		return rsp, nil
	}
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return rsp, b
}

// TestOpenAPIDescribesEveryRoute: the document has every route and no other, and real
// answers of each fit its schemas, member by member; so do the answers to what is wrong.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	r := described(t)
	doc, schemas := document(t)
	paths, _ := doc["paths"].(map[string]any)
	var written []string
	for path, item := range paths {
		for method := range item.(map[string]any) {
			written = append(written, strings.ToUpper(method)+" "+path)
		}
	}
	routes := r.api.Routes()
	slices.Sort(written)
	slices.Sort(routes)
	if !slices.Equal(written, routes) {
		t.Errorf("described %v\nanswered  %v", written, routes)
	}
	var q struct{ Quarantine []struct{ N int64 } }
	if _, body := r.ask("GET", "/v1/quarantine", ""); json.Unmarshal(body, &q) != nil || len(q.Quarantine) != 1 {
		t.Fatalf("%s", body)
	}
	kept := fmt.Sprint("/v1/quarantine/", q.Quarantine[0].N)
	asked := map[string]bool{}
	for _, q := range []struct {
		route, path, body string
		want              int
	}{
		{"GET /v1/status", "/v1/status", "", 200}, {"GET /v1/cases", "/v1/cases?limit=2", "", 200}, {"GET /v1/cases", "/v1/cases?limit=x", "", 400},
		{"GET /v1/cases/{id}", "/v1/cases/" + desktest.CaseID(1), "", 200}, {"GET /v1/cases/{id}", "/v1/cases/none", "", 404},
		{"GET /v1/events", "/v1/events", "", 200}, {"GET /v1/events", "/v1/events?order=sequence&terminal=t-1&stream=S1", "", 200},
		{"GET /v1/terminals", "/v1/terminals", "", 200}, {"GET /v1/terminals/{terminal}", "/v1/terminals/t-1", "", 200},
		{"GET /v1/terminals/{terminal}", "/v1/terminals/none", "", 404}, {"GET /v1/gaps", "/v1/gaps", "", 200}, {"GET /v1/gaps", "/v1/gaps?all=1", "", 200},
		{"GET /v1/quarantine", "/v1/quarantine", "", 200}, {"GET /v1/quarantine/{n}", kept, "", 200}, {"GET /v1/quarantine/{n}", "/v1/quarantine/99", "", 404},
		{"POST /v1/gaps/close", "/v1/gaps/close", `{"terminal":"t-1","stream":"S1","to":5,"who":"anna","why":"lost","force":true}`, 200},
		{"POST /v1/gaps/close", "/v1/gaps/close", `{"terminal":"t-1","stream":"none","to":5,"who":"anna","why":"lost"}`, 404},
		{"POST /v1/gaps/close", "/v1/gaps/close", `{`, 400},
		{"POST /v1/quarantine/{n}/discard", kept + "/discard", `{"who":"anna","why":"garbage"}`, 200},
		{"POST /v1/quarantine/{n}/discard", kept + "/discard", `{"who":"anna","why":"garbage"}`, 404},
		{"GET /v1/actions", "/v1/actions", "", 200}, {"GET /v1/alarms", "/v1/alarms?terminal=t-1", "", 200}, {"POST /v1/alarms/{n}/end", "/v1/alarms/99/end", `{"who":"anna","why":"looked into"}`, 404}, {"POST /v1/alarms/{n}/end", "/v1/alarms/99/end", `{"who":"anna"}`, 409},
		{"GET /v1/holds", "/v1/holds?state=all", "", 200}, {"GET /v1/holds", "/v1/holds?state=some", "", 400}, {"GET /v1/prevented", "/v1/prevented?terminal=t-1", "", 200}, {"GET /v1/stream", "/v1/stream", "", 200}, {"GET /v1/openapi.json", "/v1/openapi.json", "", 200},
		{"POST /v1/bills", "/v1/bills?name=a.csv", "交易时间", 200}, {"POST /v1/bills", "/v1/bills?day=1", "x", 400}, {"GET /v1/days/{day}", "/v1/days/2026-08-23", "", 200}, {"GET /v1/days/{day}", "/v1/days/none", "", 404},
		{"GET /healthz", "/healthz", "", 200}, {"GET /metrics", "/metrics", "", 200},
	} {
		t.Run(q.route, func(t *testing.T) {
			method, path, _ := strings.Cut(q.route, " ")
			asked[q.route] = true
			rsp, body := r.ask(method, q.path, q.body)
			if rsp.StatusCode != q.want {
				t.Errorf("%s: %s, want %d\n%s", q.path, rsp.Status, q.want, body)
				return
			}
			kind, _, _ := strings.Cut(rsp.Header.Get("Content-Type"), ";")
			place := fmt.Sprintf("urn:desk#/paths/%s/%s/responses/%d/content/%s/schema", escape(path), strings.ToLower(method), q.want, escape(kind))
			schema, err := schemas.Compile(place)
			if err != nil {
				t.Errorf("%s: %v", q.path, err)
				return
			}
			if kind != "application/json" {
				return
			}
			answer, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
			if err == nil {
				err = schema.Validate(answer)
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", q.path, err, body)
			}
		})
	}
	for _, route := range routes {
		if _, path, _ := strings.Cut(route, " "); !asked[route] && !ofPeople(path) && route != "POST /v1/quarantine/{n}/release" { // needs a message that fits now: TestE2EByHand
			t.Errorf("%s was not asked", route)
		}
	}
}

// TestQueryMembersAreDescribed: what a route takes in its query is what the document lists,
// because a member that the route does not know is refused with the list of the known.
func TestQueryMembersAreDescribed(t *testing.T) {
	r := described(t)
	doc, _ := document(t)
	for path, item := range doc["paths"].(map[string]any) {
		get, ok := item.(map[string]any)["get"].(map[string]any)
		if !ok || ofPeople(path) || path == "/healthz" || path == "/metrics" || path == "/v1/openapi.json" {
			continue
		}
		var names []string
		for _, p := range get["parameters"].([]any) {
			if p := p.(map[string]any); p["in"] == "query" {
				names = append(names, p["name"].(string))
			}
		}
		real := strings.NewReplacer("{id}", desktest.CaseID(1), "{terminal}", "t-1", "{n}", "1", "{day}", "2026-08-23").Replace(path)
		_, body := r.ask("GET", real+"?no_such_member=1", "")
		var e struct{ Error struct{ Message string } }
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatalf("%s: %s", real, body)
		}
		_, list, ok := strings.Cut(e.Error.Message, "want one of ")
		known := strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
		slices.Sort(names)
		slices.Sort(known)
		if !ok || !slices.Equal(names, known) {
			t.Errorf("%s takes %v, the document lists %v (%s)", path, known, names, e.Error.Message)
		}
	}
}

// TestHealthAndMetrics: a probe needs no token and gets an error when the desk does not work;
// the metrics have what is known, and need the token.
func TestHealthAndMetrics(t *testing.T) {
	r := described(t)
	for path, want := range map[string]int{"/healthz": 200, "/metrics": 401} {
		t.Run(path, func(t *testing.T) {
			rsp, err := http.Get(r.server.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			rsp.Body.Close()
			if rsp.StatusCode != want {
				t.Errorf("%s without a token: %s, want %d", path, rsp.Status, want)
			}
		})
	}
	_, body := r.ask("GET", "/metrics", "")
	for _, line := range []string{"yuanlu_desk_connected 1", "yuanlu_desk_shed_total 7", "yuanlu_desk_cases 4", `yuanlu_desk_open_cases{severity="high"} 4`,
		"yuanlu_desk_streams_with_gaps 1", "yuanlu_desk_quarantined 1", "# TYPE yuanlu_desk_messages_total counter",
		`yuanlu_desk_terminals_by_presence{presence="lost"} 0`, `yuanlu_desk_terminals_by_health{verdict="failing"} 0`, "# TYPE process_resident_memory_bytes gauge"} {
		t.Run(line, func(t *testing.T) {
			if !strings.Contains(string(body), "\n"+line+"\n") {
				t.Errorf("no %q among\n%s", line, body)
			}
		})
	}
	away := httptest.NewServer(api.New(api.Options{Store: r.s, Ready: func() bool { return false }, Now: time.Now, Log: slog.New(slog.DiscardHandler)}))
	defer away.Close()
	rsp, err := http.Get(away.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	rsp.Body.Close()
	if rsp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a desk that is not ready: %s", rsp.Status)
	}
}

// ofPeople reports whether a route is for people, with a session: TestWorkIsDescribed.
func ofPeople(path string) bool {
	return strings.HasPrefix(path, "/v1/work/") || strings.HasPrefix(path, "/v1/oidc/") || slices.Contains([]string{"/v1/login", "/v1/logout", "/v1/me", "/v1/password"}, path)
}
