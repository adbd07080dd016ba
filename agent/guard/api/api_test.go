package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard"
	"yuanlu/agent/refund"
)

// service is a guard.Service that answers what a test wants.
type service struct {
	mu      sync.Mutex // guards the rest
	fail    *guard.Refusal
	asked   []guard.Request
	release guard.Release
	keys    []ask.Key
	arrived []ask.Key
	late    bool          // it judges nothing
	none    bool          // there is no such hold
	waiting chan struct{} // Look waits until its context ends, after a value here
	slow    chan struct{} // Release and Cancel wait until it is closed; nil: they do not
	atWork  int           // how many of these do or did
}

func (s *service) err() error {
	if s.fail != nil {
		return s.fail
	}
	return nil
}

func held(k ask.Key, state ask.State) ask.Held {
	return ask.Held{Key: k, State: state, Level: ask.HoldLevel, By: "s-1"}
}

func reply(k ask.Key) guard.Reply {
	remaining, h := int64(650), held(k, ask.Open)
	return guard.Reply{Answer: ask.Answer{Ask: k.ID, Action: ask.Hold, Recipient: refund.Different, Evidence: refund.Strong, Remaining: &remaining,
		Candidates: []refund.Candidate{{Seq: 1, At: "2026-08-22T10:15:30+08:00", Amount: 1000, Channel: refund.ChannelCard}},
		Findings:   []refund.Finding{{Code: refund.CodeRecipientMismatch, Severity: refund.Critical, Text: refund.Text{EN: "x", ZH: "某"}}}},
		Hold: &h, Left: 299500 * time.Millisecond, Until: time.Date(2026, 8, 23, 1, 5, 0, 0, time.UTC)}
}

func (s *service) Ask(_ context.Context, r guard.Request) (guard.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
	if s.late {
		return guard.Reply{Answer: ask.Unchecked(&r.Ask)}, nil
	}
	return reply(ask.Key{Merchant: r.Ask.Record.MerchantID, Terminal: r.Ask.Record.TerminalID, ID: r.Ask.ID}), s.err()
}

func (s *service) Release(ctx context.Context, k ask.Key, r guard.Release) (ask.Held, error) {
	s.work(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.release = append(s.keys, k), r
	return held(k, ask.Released), s.err()
}

func (s *service) Cancel(ctx context.Context, k ask.Key, by string) (ask.Held, error) {
	s.work(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.release.By = append(s.keys, k), by
	if s.none {
		return ask.Held{}, s.err()
	}
	return held(k, ask.Cancelled), s.err()
}

func (s *service) Look(ctx context.Context, k ask.Key, wait time.Duration) (guard.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, k)
	if s.waiting != nil && wait > 0 {
		s.mu.Unlock()
		s.waiting <- struct{}{}
		<-ctx.Done()
		s.mu.Lock()
		return guard.Reply{}, ctx.Err()
	}
	return reply(k), s.err()
}

func (s *service) Arrived(k ask.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived = append(s.arrived, k)
}

// hasArrived waits until as many answers with a hold have reached their clients: that is reported after
// the client has read its answer.
func (b *bench) hasArrived(n int) bool {
	b.t.Helper()
	count := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.arrived)
	}
	b.until(func() bool { return count() >= n })
	return count() == n
}

// bench is a running API with a client.
type bench struct {
	*service
	t      *testing.T
	client http.Client
	log    *lockedLog
	socket string
	o      Options // of the API
	api    *Server
}

type lockedLog struct {
	mu sync.Mutex // guards the rest
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	b := &bench{service: &service{}, t: t, log: &lockedLog{}, socket: filepath.Join(t.TempDir(), "guard.sock")}
	o := Options{Service: b.service, Socket: b.socket, Links: []string{"pos", "two"}, Merchant: "M1", Zone: time.FixedZone("", 8*3600),
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&o)
	}
	s := New(o)
	b.o, b.api = o, s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", b.socket)
	}}
	b.client.Timeout = 30 * time.Second
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Error("the API does not stop")
		}
	})
	b.until(func() bool {
		_, err := os.Stat(b.socket)
		return err == nil && strings.Contains(b.log.String(), "guard.listening")
	})
	return b
}

// until waits for something that another goroutine does.
func (b *bench) until(done func() bool) {
	b.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(end) {
			b.t.Fatal("it did not happen")
		}
		<-time.After(5 * time.Millisecond)
	}
}

// call sends one request and checks its answer against the description of the API.
func (b *bench) call(method, path, body string, change ...func(*http.Request)) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, "http://guard"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(r)
	}
	rsp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rsp.Body.Close()
	data, err := io.ReadAll(rsp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	name := "Refusal"
	if rsp.StatusCode == http.StatusOK {
		name = "Answer"
		if plain, _, _ := strings.Cut(path, "?"); strings.HasSuffix(plain, "/release") || strings.HasSuffix(plain, "/cancel") {
			name = "State"
		}
	}
	if err := valid(b.t, name, data); err != nil {
		b.t.Errorf("%s %s: %d %s: %v", method, path, rsp.StatusCode, data, err)
	}
	return rsp.StatusCode, string(data)
}

// valid checks a body against a schema of the description.
func valid(t *testing.T, name string, body []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(OpenAPI()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("openapi.json#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

const refundAsk = `{"kind":"refund","merchant_id":"M2","terminal_id":"T1","operator":"01","amount":350,"currency":"CNY","channel":"card","party":{"scheme":"pan","id":"6205500000000000004"},"ask":{"id":"a-17"}}`

func TestEndpoints(t *testing.T) {
	b := start(t, nil)
	if err := valid(t, "Ask", []byte(refundAsk)); err != nil {
		t.Error(err)
	}
	code, body := b.call("POST", "/v1/asks", refundAsk)
	want := `{"ask":"a-17","action":"hold","text":{"en":"The money would go to somebody else.\nOn hold: correct it, or have it released.","zh":"收款方不是原付款方\n已暂停：请更正，或请主管放行"},"recipient":"different","reason":"","evidence":"strong","remaining":650,"candidates":[{"seq":1,"at":"2026-08-22T10:15:30+08:00","amount":1000,"remaining":null,"channel":"card","order_no":"","rrn":""}],"findings":[{"code":"recipient_mismatch","severity":"critical","text":{"en":"x","zh":"某"}}],"hold":{"state":"open","level":"hold","left_s":300,"until":"2026-08-23T09:05:00+08:00"},"practice":false}`
	if code != 200 || body != want {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := b.call("GET", "/v1/asks/T1/a-17", ""); code != 200 {
		t.Error(code)
	}
	if code, body := b.call("POST", "/v1/asks/T1/a-17/release", `{"by":"s-1","pin":"628401","reason":2,"text":"t"}`); code != 200 || body != `{"ask":"a-17","state":"released","by":"s-1","error":""}` {
		t.Error(code, body)
	}
	if b.release.By != "s-1" || b.release.PIN.Reveal() != "628401" || b.release.Reason != "2" || b.release.Text != "t" {
		t.Errorf("%+v", b.release)
	}
	if code, _ := b.call("POST", "/v1/asks/T1/a-17/cancel", ""); code != 200 || b.release.By != "" {
		t.Error(code)
	}
	if code, _ := b.call("POST", "/v1/asks/T9/x/cancel?merchant_id=M9", `{"by":"01"}`); code != 200 || b.release.By != "01" {
		t.Error(code)
	}
	if code, _ := b.call("GET", "/v1/asks/T9/x", ""); code != 200 {
		t.Error(code)
	}
	if got := fmt.Sprint(b.keys); got != "[{M2 T1 a-17} {M2 T1 a-17} {M2 T1 a-17} {M9 T9 x} {M1 T9 x}]" {
		t.Error(got)
	}
	if !b.hasArrived(6) || b.asked[0].Link != "pos" || b.asked[0].InTurn || b.asked[0].Received.IsZero() {
		t.Error(b.asked)
	}
	if log := b.log.String(); strings.Contains(log, "628401") || strings.Contains(log, "6205500000000000004") {
		t.Error("a secret is in the log")
	}
	if info, err := os.Stat(b.socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Error(info.Mode(), err)
	}
}

// TestRefusals: every status of the page, in the form of the description.
func TestRefusals(t *testing.T) {
	b := start(t, nil)
	order := `{"by":"s-1","pin":"628401","reason":"consent"}`
	for code, status := range map[string]int{"guard_off": 403, "id_reused": 409, "store": 503, "unknown_ask": 404, "ended": 409, "no_operator": 403,
		"office_first": 409, "locked": 429, "wrong_pin": 403, "same_person": 403, "form": 400} {
		t.Run(code, func(t *testing.T) {
			b.fail = &guard.Refusal{Code: code}
			for _, c := range [][2]string{{"/v1/asks", refundAsk}, {"/v1/asks/T1/a/release", order}, {"/v1/asks/T1/a/cancel", ""}} {
				if got, body := b.call("POST", c[0], c[1]); got != status || !strings.Contains(body, `"code":"`+code+`"`) {
					t.Error(c[0], got, body)
				}
			}
			if got, _ := b.call("GET", "/v1/asks/T1/a", ""); got != status {
				t.Error(got)
			}
		})
	}
	b.fail = nil
	before := len(b.asked)
	for name, c := range map[string]struct {
		method, path, body, field string
		status                    int
	}{
		"no JSON":             {"POST", "/v1/asks", "{", "", 400},
		"no kind":             {"POST", "/v1/asks", `{"merchant_id":"M","terminal_id":"T","ask":{"id":"a"}}`, "kind", 400},
		"a member of records": {"POST", "/v1/asks", strings.Replace(refundAsk, "{", `{"outcome":"approved",`, 1), "outcome", 400},
		"an unknown link":     {"POST", "/v1/asks", strings.Replace(refundAsk, "{", `{"link":"three",`, 1), "link", 400},
		"too long":            {"POST", "/v1/asks", strings.Repeat(" ", mostBody) + refundAsk, "body", 400},
		"wait of a minute":    {"GET", "/v1/asks/T/a?wait_s=60", "", "wait_s", 400},
		"an unknown member":   {"POST", "/v1/asks/T/a/release", `{"628401":"pin"}`, "body", 400},
		"a PIN as a number":   {"POST", "/v1/asks/T/a/release", `{"pin":628401}`, "pin", 400},
		"another path":        {"GET", "/v1/holds", "", "path", 404},
		"another method":      {"DELETE", "/v1/asks", "", "path", 404},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := b.call(c.method, c.path, c.body)
			if status != c.status || c.field != "" && !strings.Contains(body, `"field":"`+c.field+`"`) {
				t.Error(status, body)
			}
			if strings.Contains(body, "628401") {
				t.Error("a PIN is in the answer")
			}
		})
	}
	if status, body := b.call("POST", "/v1/asks", refundAsk, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); status != 400 {
		t.Error(status, body)
	}
	if len(b.asked) != before {
		t.Error("something refused was asked")
	}
	if strings.Contains(b.log.String(), "628401") {
		t.Error("a PIN is in the log")
	}
}

// TestWhatTells: who was answered that his ask was not judged, or that there is no such hold, knows
// nothing of a hold; who was refused a release does.
func TestWhatTells(t *testing.T) {
	tally := &guard.Tally{}
	b := start(t, func(o *Options) { o.Tally = tally })
	b.late = true
	if code, body := b.call("POST", "/v1/asks", refundAsk); code != 200 || !strings.Contains(body, "unchecked") || !b.hasArrived(0) {
		t.Error(code, body)
	}
	b.call("POST", "/v1/asks", "{")
	if code, _ := b.call("POST", "/v1/asks/T1/a/release", `{"by":"s-1","pin":"1","reason":1}`); code != 200 || !b.hasArrived(1) {
		t.Error(code)
	}
	b.fail = &guard.Refusal{Code: guard.CodeWrongPIN}
	if code, _ := b.call("POST", "/v1/asks/T1/a/release", `{"by":"s-1","pin":"1","reason":1}`); code != 403 || !b.hasArrived(2) {
		t.Error(code)
	}
	b.none = true
	if code, _ := b.call("POST", "/v1/asks/T1/a/cancel", ""); code != 403 || !b.hasArrived(2) {
		t.Error(code)
	}
	if _, refused := tally.Counts(); len(refused) != 1 || refused[guard.CodeForm] != 1 {
		t.Error(refused) // what the guard refuses it counts itself
	}
}

// TestTooMany: 50 asks a second, then 429; other requests go on.
func TestTooMany(t *testing.T) {
	p := pace{left: mostAsks}
	now := time.Now()
	n := 0
	for range 100 {
		if p.take(now) {
			n++
		}
	}
	if n != mostAsks || p.take(now.Add(19*time.Millisecond)) || !p.take(now.Add(40*time.Millisecond)) {
		t.Error(n)
	}
	b := start(t, nil)
	seen := map[int]int{}
	for range 3 * mostAsks {
		status, _ := b.call("POST", "/v1/asks", refundAsk)
		if seen[status]++; status == 429 {
			break
		}
	}
	if status, _ := b.call("GET", "/v1/asks/T1/a-17", ""); status != 200 || seen[200] < mostAsks {
		t.Error(status, seen)
	}
}

// TestLoopback: with the token, by the address itself, from no page.
func TestLoopback(t *testing.T) {
	const token = "0123456789abcdef-token"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := start(t, func(o *Options) { o.Listen, o.Token = "127.0.0.1:0", file })
	b.until(func() bool { return strings.Contains(b.log.String(), "network=tcp") })
	_, rest, _ := strings.Cut(b.log.String(), "network=tcp address=")
	address, _, _ := strings.Cut(rest, "\n")
	b.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}}
	with := func(host, authorization, origin string) int {
		status, _ := b.call("POST", "/v1/asks", refundAsk, func(r *http.Request) {
			r.Host = host
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
		})
		return status
	}
	for _, c := range []struct {
		host, authorization, origin string
		want                        int
	}{
		{address, "Bearer " + token, "", 200}, {address, "", "", 401}, {address, "Bearer " + token + "x", "", 401}, {address, token, "", 401},
		{"localhost", "Bearer " + token, "", 401}, {address, "Bearer " + token, "http://" + address, 401},
	} {
		if got := with(c.host, c.authorization, c.origin); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if strings.Contains(b.log.String(), token) {
		t.Error("the token is in the log")
	}
}

// TestStuckClients: clients that send nothing, half a request, or read nothing take a place
// for 5 s at most; requests that wait leave places for asks.
func TestStuckClients(t *testing.T) {
	b := start(t, func(o *Options) {})
	b.waiting = make(chan struct{}, mostConns)
	for _, text := range []string{"", "POST /v1/asks HTTP/1.1\r\nHost: x\r\n", "POST /v1/asks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"} {
		conn, err := net.Dial("unix", b.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waits sync.WaitGroup
	for range mostWaits {
		waits.Go(func() {
			r, err := http.NewRequestWithContext(ctx, "GET", "http://guard/v1/asks/T1/a-17?wait_s=30", nil)
			if err != nil {
				return
			}
			if rsp, err := b.client.Do(r); err == nil {
				_ = rsp.Body.Close()
			}
		})
	}
	for range mostWaits {
		<-b.waiting
	}
	if status, _ := b.call("GET", "/v1/asks/T1/a-17?wait_s=30", ""); status != 200 { // one more does not wait
		t.Error(status)
	}
	if status, _ := b.call("POST", "/v1/asks", refundAsk); status != 200 {
		t.Error(status)
	}
	cancel()
	waits.Wait()
}

// TestTokenOfOthers: with a token that others may read the API does not listen there, and the error names the mode.
func TestTokenOfOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("0123456789abcdef-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Listen: "127.0.0.1:0", Token: file, Log: slog.New(slog.DiscardHandler)})
	for mode, want := range map[os.FileMode]string{0o600: "", 0o400: "", 0o640: "want 0600", 0o604: "want 0600"} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		l, _, err := s.loopback(t.Context())
		if err == nil {
			_ = l.Close()
		}
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) || strings.Contains(got, "abcdef") {
			t.Errorf("%04o: %v", mode, err)
		}
	}
}

// TestGroupOfTheSocket: by number or name; one that there is not is an error.
func TestGroupOfTheSocket(t *testing.T) {
	for name, want := range map[string]int{"7": 7, "root": 0} {
		if got, err := groupOf(name); err != nil || got != want {
			t.Errorf("%s: %d %v", name, got, err)
		}
	}
	if _, err := groupOf("no such group"); err == nil {
		t.Error("a group that there is not was found")
	}
}

func TestSocketInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guard.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Socket: path, Log: slog.New(slog.DiscardHandler)})
	if _, _, err := s.socket(t.Context()); err == nil {
		t.Error("a file was taken for a socket")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Error(string(data), err)
	}
}

// TestOpenAPI: the document is JSON, states its version, and every schema compiles.
func TestOpenAPI(t *testing.T) {
	var doc struct {
		OpenAPI    string                                `json:"openapi"`
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(OpenAPI(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) != 4 {
		t.Fatal(err, doc.OpenAPI, len(doc.Paths))
	}
	for name := range doc.Components.Schemas {
		t.Run(name, func(t *testing.T) { _ = valid(t, name, []byte("{}")) })
	}
}

func FuzzOrder(f *testing.F) {
	for _, s := range []string{`{"by":"s-1","pin":"628401","reason":2,"text":"t"}`, `{"reason":"other"}`, `{}`, `[]`, `{"by":"a","by":"b"}`, `{"pin":null}`, `{"by":"\ud800"}`} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, release bool) {
		var v guard.Release
		field, ok := readOrder(data, &v, release)
		if ok != (field == "") {
			t.Errorf("%q, %v", field, ok)
		}
		if ok && !json.Valid(data) {
			t.Error("what is no JSON was taken")
		}
	})
}
