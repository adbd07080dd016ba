package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/people"
	"yuanlu/cmd/yuanlu-desk/store"
)

// office is a desk with people; its clock is moved by the test.
type office struct {
	*rig
	log *logged
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// wait lets time pass.
func (o *office) wait(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text []byte
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	return len(b), nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// worker is somebody who is logged in.
type worker struct {
	o            *office
	cookie, csrf string
}

const (
	workCase = "C-2026-000001"
	secret   = "a good long secret"
)

// offices runs a test at a desk on SQLite, and at one on PostgreSQL.
func offices(t *testing.T, do func(*testing.T, *office)) {
	t.Run("sqlite", func(t *testing.T) { do(t, newOffice(t, filepath.Join(t.TempDir(), "desk.db"))) })
	t.Run("postgres", func(t *testing.T) { do(t, newOffice(t, cluster.Database(t))) })
}

// hashOfSecret is made once: it takes a while.
var hashOfSecret = sync.OnceValue(func() string { return people.Hash(secret) })

func newOffice(t *testing.T, place string) *office {
	t.Helper()
	o := &office{rig: newRigAt(t, "sesame", place), now: time.Date(2026, 8, 24, 1, 0, 0, 0, time.UTC)}
	o.log = &logged{}
	a := api.New(api.Options{Store: o.s, Token: "sesame", Now: o.clock, Log: slog.New(slog.NewTextHandler(o.log, nil))})
	o.api, o.server = a, httptest.NewServer(a)
	t.Cleanup(func() {
		o.server.CloseClientConnections()
		o.server.Close()
	})
	if err := o.s.SetUp(t.Context(), []byte(`{"stores":[{"store":"s1","merchant_id":"898000000000001","terminals":[],"cutoff":""},{"store":"s2","merchant_id":"M2","terminals":[],"cutoff":""}]}`)); err != nil {
		t.Fatal(err)
	}
	return o
}

// hire makes a person with a password that need not be changed.
func (o *office) hire(id, role, shop string) {
	o.t.Helper()
	p := fmt.Sprintf(`{"id":%q,"staff":%q,"roles":[%q],"stores":[%q],"operators":[],"active":true}`, id, id, role, shop)
	if err := o.s.Hire(o.t.Context(), o.now, []byte(p)); err != nil {
		o.t.Fatal(err)
	}
	if err := o.s.SetLogin(o.t.Context(), id, store.Login{Hash: hashOfSecret()}); err != nil {
		o.t.Fatal(err)
	}
}

// send asks without a session, or as w where it is not nil; header is "Name: value".
func (o *office) send(w *worker, method, path, body string, header ...string) (*http.Response, string) {
	o.t.Helper()
	q, err := http.NewRequestWithContext(o.t.Context(), method, o.server.URL+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	if w != nil {
		q.Header.Set("Cookie", w.cookie)
		q.Header.Set("X-CSRF-Token", w.csrf)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		q.Header.Set(name, value)
	}
	return o.do(q)
}

// do asks, and follows no redirect.
func (o *office) do(q *http.Request) (*http.Response, string) {
	o.t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	rsp, err := c.Do(q)
	if err != nil {
		o.t.Fatal(err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return rsp, string(b)
}

// bound binds an identity to a person.
func (o *office) bound(id, issuer, sub string) {
	o.t.Helper()
	if err := o.s.Bind(o.t.Context(), store.Identity{Person: id, Issuer: issuer, Subject: sub, By: "test", At: o.clock()}); err != nil {
		o.t.Fatal(err)
	}
}

// want asks and checks the status and a part of the answer.
func (o *office) want(w *worker, status int, part, method, path, body string, header ...string) string {
	o.t.Helper()
	rsp, text := o.send(w, method, path, body, header...)
	if rsp.StatusCode != status || !strings.Contains(text, part) {
		o.t.Errorf("%s %s: %s, want %d with %q\n%s", method, path, rsp.Status, status, part, text)
	}
	return text
}

func (o *office) login(id string) *worker {
	o.t.Helper()
	rsp, text := o.send(nil, "POST", "/v1/login", fmt.Sprintf(`{"login":%q,"password":%q}`, id, secret))
	var in struct{ CSRF string }
	if err := json.Unmarshal([]byte(text), &in); err != nil || rsp.StatusCode != 200 || len(rsp.Cookies()) != 1 {
		o.t.Fatalf("%s %s", rsp.Status, text)
	}
	c := rsp.Cookies()[0]
	if c.Name != "__Host-yuanlu" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		o.t.Errorf("cookie %+v", c)
	}
	return &worker{o, c.Name + "=" + c.Value, in.CSRF}
}

// enter begins a session without the password, which takes a while to look at.
func (o *office) enter(id string) *worker {
	o.t.Helper()
	token, csrf := people.Token(), people.Token()
	if err := o.s.Begin(o.t.Context(), store.Session{Hash: people.TokenHash(token), Person: id, CSRF: csrf, Made: o.clock()}); err != nil {
		o.t.Fatal(err)
	}
	return &worker{o, "__Host-yuanlu=" + token, csrf}
}

func TestLogin(t *testing.T) { offices(t, checkLogin) }

func checkLogin(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	wrong := func(login string) string {
		return o.want(nil, 401, "wrong_login", "POST", "/v1/login", fmt.Sprintf(`{"login":%q,"password":"not the password"}`, login))
	}
	if wrong("ann") != wrong("no-one") {
		t.Error("a wrong password and an unknown login are told apart")
	}
	for range 4 {
		wrong("ann")
	}
	o.want(nil, 429, "too_often", "POST", "/v1/login", fmt.Sprintf(`{"login":"ann","password":%q}`, secret))
	o.wait(15*time.Minute + time.Second)
	w := o.login("ann")
	o.want(w, 200, `"login"`, "POST", "/v1/login", fmt.Sprintf(`{"login":"ann","password":%q}`, secret))
	o.want(w, 200, `"id":"ann"`, "GET", "/v1/me", "")

	o.want(w, 403, "csrf", "POST", "/v1/logout", "{}", "X-CSRF-Token: no")
	o.want(w, 403, "csrf", "POST", "/v1/logout", "{}", "Sec-Fetch-Site: cross-site")
	o.want(w, 403, "csrf", "POST", "/v1/logout", "{}", "Origin: http://elsewhere.example")
	o.want(nil, 401, "login", "GET", "/v1/me", "", "Authorization: Bearer sesame")
	o.want(nil, 401, "login", "POST", "/v1/work/claim", "{}", "Authorization: Bearer sesame")

	other := o.login("ann")
	o.wait(59 * time.Minute)
	o.want(w, 200, "", "GET", "/v1/me", "")
	o.wait(2 * time.Minute)
	o.want(w, 200, "", "GET", "/v1/me", "")
	o.want(other, 401, "login", "GET", "/v1/me", "") // idle for an hour
	o.want(w, 200, "out", "POST", "/v1/logout", "{}")
	o.want(w, 401, "login", "GET", "/v1/me", "")
}

func TestPasswordMustBeChanged(t *testing.T) { offices(t, checkPasswordMustBeChanged) }

func checkPasswordMustBeChanged(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	if err := o.s.SetLogin(t.Context(), "ann", store.Login{Hash: hashOfSecret(), MustChange: true}); err != nil {
		t.Fatal(err)
	}
	w := o.login("ann")
	o.want(w, 403, "password_change", "GET", "/v1/work/lists/next", "")
	for _, bad := range []string{"short", "1qaz2wsx3edc", secret} {
		o.want(w, 422, `"code":"password"`, "POST", "/v1/password", fmt.Sprintf(`{"old":%q,"new":%q}`, secret, bad))
	}
	o.want(w, 401, "wrong_login", "POST", "/v1/password", `{"old":"no","new":"another long secret"}`)
	o.want(w, 200, `"must_change":false`, "POST", "/v1/password", fmt.Sprintf(`{"old":%q,"new":"another long secret"}`, secret))
	o.want(w, 401, "login", "GET", "/v1/me", "") // a new password ends the sessions
}

func TestCommandsOverHTTP(t *testing.T) { offices(t, checkCommandsOverHTTP) }

func checkCommandsOverHTTP(t *testing.T, o *office) {
	for id, role := range map[string]string{"ann": "analyst", "chen": "checker", "aud": "auditor", "adm": "admin"} {
		o.hire(id, role, "*")
	}
	o.hire("lu", "manager", "s2")
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	ann, chen, aud, adm, lu := o.enter("ann"), o.enter("chen"), o.enter("aud"), o.enter("adm"), o.enter("lu")

	claim := `{"case":"` + workCase + `","expect":2}`
	first := o.want(ann, 200, `"what":"claimed"`, "POST", "/v1/work/claim", claim, "Idempotency-Key: k1")
	if again := o.want(ann, 200, `"owner":"ann"`, "POST", "/v1/work/claim", claim, "Idempotency-Key: k1"); again != first {
		t.Errorf("the same key again:\n%s%s", again, first)
	}
	o.want(ann, 409, "key_reused", "POST", "/v1/work/release", claim, "Idempotency-Key: k1")
	o.want(ann, 409, `"code":"stale"`, "POST", "/v1/work/claim", claim)
	o.want(ann, 400, "bad_input", "POST", "/v1/work/claim", `{"case":"`+workCase+`","expect":3,"by":"chen"}`)
	o.want(ann, 400, "bad_input", "POST", "/v1/work/claim", `{"case":"`+workCase+`","expect":3},"x":{}`)
	o.want(ann, 400, "bad_input", "POST", "/v1/work/nothing", `{}`)
	o.want(ann, 413, "too_large", "POST", "/v1/work/note", `{"text":"`+strings.Repeat("x", 64<<10)+`"}`)
	o.want(ann, 415, "content_type", "POST", "/v1/work/claim", claim, "Content-Type: text/plain")
	o.want(ann, 422, "needs_two", "POST", "/v1/work/close", `{"case":"`+workCase+`","expect":3,"outcome":"test"}`)

	// Another shop's manager learns nothing: the answers are the same, byte for byte.
	for _, path := range []string{"/v1/work/cases/%s", "/v1/work/cases/%s/journal", "/v1/work/cases/%s/files/3"} {
		if a, b := o.want(lu, 404, "not_found", "GET", fmt.Sprintf(path, workCase), ""), o.want(lu, 404, "not_found", "GET", fmt.Sprintf(path, "C-2026-000077"), ""); a != b {
			t.Errorf("%s\n%s", a, b)
		}
	}
	o.want(ann, 200, `"en":"other card"`, "GET", "/v1/work/cases/"+workCase, "")
	o.want(ann, 200, `"seq":3`, "GET", "/v1/work/cases/"+workCase+"/journal?after=2", "")
	o.want(ann, 200, `"cases":["`+workCase+`"]`, "GET", "/v1/work/lists/mine", "")
	o.want(ann, 400, "bad_input", "GET", "/v1/work/lists/none", "")
	o.want(lu, 200, `"cases":[]`, "GET", "/v1/work/find?text=C-2026", "")
	o.want(ann, 200, `"closed":0`, "GET", "/v1/work/stats?from=2026-08-01&to=2026-08-31", "")
	o.want(ann, 403, "not_allowed", "GET", "/v1/work/reads", "")
	o.want(aud, 200, `"what":"stats","of":"2026-08-01..2026-08-31"`, "GET", "/v1/work/reads", "")
	o.want(ann, 403, "not_allowed", "GET", "/v1/work/people", "")
	o.want(adm, 200, `"id":"lu"`, "GET", "/v1/work/people", "")

	o.want(ann, 200, `"what":"proposed"`, "POST", "/v1/work/propose", `{"case":"`+workCase+`","expect":3,"commands":[{"do":"close","outcome":"test"}],"text":"x"}`)
	o.want(chen, 200, `"state":"closed"`, "POST", "/v1/work/approve", `{"case":"`+workCase+`","expect":4,"proposal":4}`)

	o.want(adm, 200, "person_set", "POST", "/v1/work/person", `{"person":{"id":"ann","staff":"ann","roles":["cashier"],"stores":["*"],"operators":[],"active":true}}`)
	o.want(ann, 401, "login", "GET", "/v1/me", "") // what she may do is another now
}

func TestFilesOverHTTP(t *testing.T) { offices(t, checkFilesOverHTTP) }

func checkFilesOverHTTP(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	ann := o.enter("ann")
	png := "\x89PNG\r\n\x1a\n<script>alert(1)</script>"
	put := "/v1/work/file?case=" + workCase + "&kind=screenshot&name="
	o.want(ann, 415, "file_type", "POST", put+"x.png", "<html><script>alert(1)</script>", "Content-Type: image/png")
	o.want(ann, 415, "file_type", "POST", put+"x.svg", "<svg/>", "Content-Type: image/svg+xml")
	o.want(ann, 413, "file_size", "POST", put+"x.txt", strings.Repeat("x", 10<<20+1), "Content-Type: text/plain")
	o.want(ann, 200, `"what":"filed"`, "POST", put+"..%2F%22%0Aevil.png"[:0]+"a%22%2F..b.png", png, "Content-Type: image/png")
	o.want(ann, 409, "file_there", "POST", put+"b.png", png, "Content-Type: image/png")
	rsp, body := o.send(ann, "GET", "/v1/work/cases/"+workCase+"/files/3", "")
	h := rsp.Header
	if rsp.StatusCode != 200 || body != png || h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox") || h.Get("Content-Disposition") != "attachment; filename=a__..b.png" {
		t.Errorf("%s %q %v", rsp.Status, body, h)
	}
	o.want(ann, 422, "bad_file", "GET", "/v1/work/cases/"+workCase+"/files/2", "")
}

// recorder is one that takes deadlines.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetWriteDeadline(time.Time) error { return nil }

// TestWorkIsDescribed: real answers of each route of people fit the document.
func TestWorkIsDescribed(t *testing.T) { offices(t, checkWorkIsDescribed) }

func checkWorkIsDescribed(t *testing.T, o *office) {
	o.hire("ann", "analyst", "*")
	o.hire("aud", "auditor", "*")
	o.hire("adm", "admin", "*")
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	p := newProvider(t)
	o.atProvider(p.server.URL)
	ann, aud, adm := o.enter("ann"), o.enter("aud"), o.enter("adm")
	_, schemas := document(t)
	at := "/v1/work/cases/" + workCase
	asked := map[string]bool{"GET /v1/work/cases/{no}/files/{seq}": true} // bytes: TestFilesOverHTTP
	for _, q := range []struct {
		w                       *worker
		route, path, body, kind string
		want                    int
	}{
		{nil, "POST /v1/login", "/v1/login", `{"login":"ann","password":"` + secret + `"}`, "", 200},
		{nil, "POST /v1/login", "/v1/login", `{"login":"ann","password":"no"}`, "", 401},
		{ann, "GET /v1/me", "/v1/me", "", "", 200},
		{ann, "POST /v1/work/{do}", "/v1/work/claim", `{"case":"` + workCase + `","expect":2}`, "", 200},
		{ann, "POST /v1/work/{do}", "/v1/work/claim", `{"case":"` + workCase + `","expect":2}`, "", 409},
		{adm, "POST /v1/work/{do}", "/v1/work/person", `{"person":{"id":"x","staff":"x","roles":["cashier"],"stores":["*"],"operators":[],"active":true}}`, "", 200},
		{ann, "POST /v1/work/file", "/v1/work/file?case=" + workCase + "&name=a&kind=letter", "%PDF-1.4", "application/pdf", 200},
		{ann, "POST /v1/work/bills", "/v1/work/bills?name=a.csv", "no bill", "application/octet-stream", 200},
		{adm, "POST /v1/work/bills", "/v1/work/bills?name=a.csv", "no bill", "application/octet-stream", 403},
		{ann, "POST /v1/work/{do}", "/v1/work/propose", `{"case":"` + workCase + `","expect":4,"commands":[{"do":"close","outcome":"test"}],"text":"x"}`, "", 200},
		{ann, "GET /v1/work/cases/{no}", at, "", "", 200},
		{ann, "GET /v1/work/cases/{no}", at + "7", "", "", 404},
		{ann, "GET /v1/work/cases/{no}/journal", at + "/journal", "", "", 200},
		{ann, "GET /v1/work/lists/{name}", "/v1/work/lists/mine", "", "", 200},
		{ann, "GET /v1/work/find", "/v1/work/find?text=C-2026", "", "", 200},
		{ann, "GET /v1/work/stats", "/v1/work/stats?from=2026-01-01&to=2026-12-31", "", "", 200},
		{aud, "GET /v1/work/reads", "/v1/work/reads", "", "", 200},
		{ann, "GET /v1/work/reads", "/v1/work/reads", "", "", 403},
		{adm, "GET /v1/work/people", "/v1/work/people", "", "", 200},
		{adm, "POST /v1/work/password", "/v1/work/password", `{"person":"ann"}`, "", 409},
		{ann, "POST /v1/work/export", "/v1/work/export", `{"case":"` + workCase + `","for":"court","expect":1}`, "", 409},
		{ann, "GET /v1/work/cases/{no}/packs/{pack}", at + "/packs/E-2026-000001", "", "", 404},
		{adm, "POST /v1/oidc/people", "/v1/oidc/people", `{"person":"aud","sub":"x"}`, "", 200},
		{adm, "POST /v1/oidc/people", "/v1/oidc/people", `{"person":"ann2","sub":"x"}`, "", 404},
		{adm, "GET /v1/oidc/people", "/v1/oidc/people", "", "", 200},
		{nil, "GET /v1/oidc/login", "/v1/oidc/login", "", "", 302},
		{nil, "GET /v1/oidc/back", "/v1/oidc/back?code=x&state=x", "", "", 401},
		{ann, "POST /v1/password", "/v1/password", `{"old":"` + secret + `","new":"another long secret"}`, "", 200},
		{adm, "POST /v1/logout", "/v1/logout", "", "", 200},
	} {
		asked[q.route] = true
		method, path, _ := strings.Cut(q.route, " ")
		var header []string
		if q.kind != "" {
			header = append(header, "Content-Type: "+q.kind)
		}
		rsp, body := o.send(q.w, method, q.path, q.body, header...)
		if rsp.StatusCode != q.want {
			t.Errorf("%s: %s, want %d: %s", q.path, rsp.Status, q.want, body)
			continue
		}
		kind, _, _ := strings.Cut(rsp.Header.Get("Content-Type"), ";")
		schema, err := schemas.Compile(fmt.Sprintf("urn:desk#/paths/%s/%s/responses/%d/content/%s/schema", escape(path), strings.ToLower(method), q.want, escape(kind)))
		if q.want == http.StatusFound {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind != "application/json" {
			continue
		}
		answer, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err == nil {
			err = schema.Validate(answer)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", q.path, err, body)
		}
	}
	for _, route := range o.api.Routes() {
		if _, path, _ := strings.Cut(route, " "); ofPeople(path) && !asked[route] {
			t.Errorf("%s was not asked", route)
		}
	}
}

// TestWorkBeyondTheLoopback: people work over TLS, or through the proxy that was named.
func TestWorkBeyondTheLoopback(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "desk.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := api.New(api.Options{Store: s, Token: "x", Proxy: "10.0.0.1", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	for name, c := range map[string]struct {
		from, host string
		tls        bool
		want       int
	}{
		"the loopback":                {"127.0.0.1:5", "localhost:8417", false, 401},
		"a name that points here":     {"127.0.0.1:5", "desk.example", false, 403},
		"another machine":             {"10.0.0.7:5", "localhost:8417", false, 403},
		"another machine over TLS":    {"10.0.0.7:5", "desk.example", true, 401},
		"the proxy":                   {"10.0.0.1:5", "desk.example", false, 401},
		"what only says it is behind": {"10.0.0.2:5", "desk.example", false, 403},
	} {
		url := "http://" + c.host + "/v1/me"
		if c.tls {
			url = "https://" + c.host + "/v1/me"
		}
		q := httptest.NewRequest("GET", url, bytes.NewReader(nil))
		q.RemoteAddr = c.from
		w := recorder{httptest.NewRecorder()}
		a.ServeHTTP(w, q)
		if w.Code != c.want || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'") {
			t.Errorf("%s: %d, want %d, %v", name, w.Code, c.want, w.Header())
		}
	}
}
