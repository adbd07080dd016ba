package api_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/oidc"
)

// providerKey is made once: it takes a while.
var providerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil
	}
	return key
})

// provider is one that answers as a test wants: it lies where no real one would.
type provider struct {
	t        *testing.T
	server   *httptest.Server
	mu       sync.Mutex
	claims   map[string]any // of the next token, but nonce where it is absent
	key      *rsa.PrivateKey
	alg      string
	status   int    // of the token endpoint
	verifier string // that it was sent
	asked    int    // times, at the token endpoint
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t, key: providerKey(), alg: "RS256", status: http.StatusOK}
	known := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: providerKey().Public(), KeyID: "k", Algorithm: "RS256"}}}
	mux := http.NewServeMux()
	mux.Handle("/", known)
	mux.HandleFunc("POST /token", p.token)
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	known.SetIssuer(p.server.URL)
	p.claims = p.good()
	return p
}

func (p *provider) good() map[string]any {
	return map[string]any{"iss": p.server.URL, "aud": "desk", "sub": "sub-ann", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
}

// token hands out an ID token; the code is the nonce of the login, so that the provider need
// keep nothing.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	p.verifier = r.FormValue("code_verifier")
	claims := map[string]any{"nonce": r.FormValue("code")}
	for k, v := range p.claims {
		claims[k] = v
	}
	text, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	fmt.Fprintf(w, `{"access_token":"secret-access-token","token_type":"Bearer","id_token":%q}`, oidctest.SignIDToken(p.key, "k", p.alg, string(text)))
}

// atProvider lets an office have a provider of identities.
func (o *office) atProvider(issuer string) {
	o.t.Helper()
	p, err := oidc.New(oidc.Options{Issuer: issuer, Client: "desk", Now: time.Now})
	if err != nil {
		o.t.Fatal(err)
	}
	a := api.New(api.Options{Store: o.s, Token: "sesame", OIDC: p, Now: o.clock, Log: slog.New(slog.NewTextHandler(o.log, nil))})
	o.api, o.server = a, httptest.NewServer(a)
	o.t.Cleanup(func() {
		o.server.CloseClientConnections()
		o.server.Close()
	})
}

// browser keeps cookies as a browser on the loopback does, and follows no redirect.
type browser struct {
	o   *office
	jar map[string]string
}

func (b *browser) get(address string) (*http.Response, string) {
	b.o.t.Helper()
	q, err := http.NewRequestWithContext(b.o.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.o.t.Fatal(err)
	}
	for name, value := range b.jar {
		q.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rsp, text := b.o.do(q)
	for _, c := range rsp.Cookies() {
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
			b.o.t.Errorf("cookie %+v", c)
		}
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		} else {
			b.jar[c.Name] = c.Value
		}
	}
	return rsp, text
}

// begin begins a login, and returns what the provider is asked.
func (o *office) begin() (*browser, url.Values) {
	o.t.Helper()
	b := &browser{o, map[string]string{}}
	rsp, text := b.get(o.server.URL + "/v1/oidc/login")
	where, err := rsp.Location()
	if err != nil || rsp.StatusCode != http.StatusFound {
		o.t.Fatalf("%s %v %s", rsp.Status, err, text)
	}
	return b, where.Query()
}

// end comes back from the provider with a query.
func (b *browser) end(q url.Values) (*http.Response, string) {
	b.o.t.Helper()
	return b.get(b.o.server.URL + "/v1/oidc/back?" + q.Encode())
}

// TestOIDC: who is bound gets a session, and everything of the code flow is as it must be.
func TestOIDC(t *testing.T) { offices(t, checkOIDC) }

func checkOIDC(t *testing.T, o *office) {
	p := newProvider(t)
	o.atProvider(p.server.URL)
	o.hire("ann", "analyst", "*")
	o.hire("bob", "analyst", "*")
	o.hire("adm", "admin", "*")
	o.hire("lu", "manager", "s2")
	adm, ann, lu := o.enter("adm"), o.enter("ann"), o.enter("lu")

	// Admins bind, and no others; none himself, none to two.
	bind := func(person, sub string) string { return fmt.Sprintf(`{"person":%q,"sub":%q}`, person, sub) }
	o.want(ann, 403, "not_allowed", "POST", "/v1/oidc/people", bind("bob", "sub-bob"))
	o.want(adm, 403, `"self"`, "POST", "/v1/oidc/people", bind("adm", "sub-adm"))
	o.want(adm, 404, "not_found", "POST", "/v1/oidc/people", bind("nobody", "sub-x"))
	o.want(adm, 400, "bad_input", "POST", "/v1/oidc/people", bind("ann", strings.Repeat("x", 256)))
	o.want(adm, 403, "csrf", "POST", "/v1/oidc/people", bind("ann", "sub-ann"), "X-CSRF-Token: no")
	o.want(adm, 200, `"sub":"sub-ann"`, "POST", "/v1/oidc/people", bind("ann", "sub-ann"))
	o.want(ann, 401, "login", "GET", "/v1/me", "") // her sessions have ended
	o.want(adm, 409, "identity_taken", "POST", "/v1/oidc/people", bind("bob", "sub-ann"))
	o.want(adm, 200, `"person":"ann","issuer":"`+p.server.URL+`","sub":"sub-ann","by":"adm"`, "GET", "/v1/oidc/people", "")
	o.want(lu, 403, "not_allowed", "GET", "/v1/oidc/people", "")

	b, q := o.begin()
	for name, want := range map[string]string{"response_type": "code", "client_id": "desk", "code_challenge_method": "S256", "scope": "openid",
		"redirect_uri": o.server.URL + "/v1/oidc/back"} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 || len(q.Get("code_challenge")) != 43 || q.Get("state") == q.Get("nonce") {
		t.Errorf("%v", q)
	}
	rsp, text := b.end(url.Values{"code": {q.Get("nonce")}, "state": {q.Get("state")}, "iss": {p.server.URL}})
	if rsp.StatusCode != 200 || !strings.Contains(text, `content="0; url=/"`) || rsp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%s %s", rsp.Status, text)
	}
	if len(p.verifier) < 43 || b.jar["__Host-yuanlu-oidc"] != "" {
		t.Errorf("verifier %q, cookies %v", p.verifier, b.jar)
	}
	w := &worker{o, "__Host-yuanlu=" + b.jar["__Host-yuanlu"], ""}
	o.want(w, 200, `"id":"ann"`, "GET", "/v1/me", "")
	o.want(w, 200, `"must_change":false`, "GET", "/v1/me", "")

	// The password that must be changed is none of hers.
	o.publish("t-1/up/case", desktest.Case{Seq: 1}.JSON())
	o.want(w, 200, workCase, "GET", "/v1/work/lists/next", "")
	// What is unbound is unbound.
	o.want(adm, 200, `"sub":""`, "POST", "/v1/oidc/people", bind("ann", ""))
	o.want(w, 401, "login", "GET", "/v1/me", "")
	b, q = o.begin()
	if rsp, text := b.end(url.Values{"code": {q.Get("nonce")}, "state": {q.Get("state")}}); rsp.StatusCode != 403 || !strings.Contains(text, "sub-ann") {
		t.Errorf("%s %s", rsp.Status, text)
	}
	for _, secret := range []string{"secret-access-token", q.Get("nonce"), q.Get("state"), p.verifier, "sub-ann"} {
		if strings.Contains(o.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// TestOIDCRefused: whatever is not as it must be makes no session, and the reason is logged.
func TestOIDCRefused(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lie    func(*provider)
		query  func(url.Values)
		cookie bool // taken away
		status int
		log    string
	}{
		"wrong state":            {query: func(q url.Values) { q.Set("state", strings.Repeat("A", 43)) }, status: 401, log: "state: another one"},
		"no state":               {query: func(q url.Values) { q.Del("state") }, status: 401, log: "state"},
		"two states":             {query: func(q url.Values) { q.Add("state", "x") }, status: 401, log: "state"},
		"another browser":        {cookie: true, status: 401, log: "none was begun"},
		"another provider":       {query: func(q url.Values) { q.Set("iss", "https://evil.example") }, status: 401, log: "iss: another provider"},
		"refused there":          {query: func(q url.Values) { q.Set("error", "access_denied") }, status: 401, log: "logged no one in"},
		"no code":                {query: func(q url.Values) { q.Del("code") }, status: 401, log: "logged no one in"},
		"two codes":              {query: func(q url.Values) { q.Add("code", "x") }, status: 401, log: "logged no one in"},
		"a code that is no good": {lie: func(p *provider) { p.status = 400 }, status: 401, log: "answered 400"},
		"wrong nonce":            {query: func(q url.Values) { q.Set("code", "another-nonce") }, status: 401, log: "nonce"},
		"no nonce":               {query: func(q url.Values) { q.Set("code", "-") }, lie: func(p *provider) { p.claims["nonce"] = "" }, status: 401, log: "nonce"},
		"another issuer":         {lie: func(p *provider) { p.claims["iss"] = "https://evil.example" }, status: 401, log: "another issuer"},
		"for another client":     {lie: func(p *provider) { p.claims["aud"] = "shop" }, status: 401, log: "another client"},
		"for two clients":        {lie: func(p *provider) { p.claims["aud"] = []string{"desk", "shop"} }, status: 401, log: "azp"},
		"handed to another":      {lie: func(p *provider) { p.claims["azp"] = "shop" }, status: 401, log: "azp"},
		"too old":                {lie: func(p *provider) { p.claims["exp"] = time.Now().Add(-time.Hour).Unix() }, status: 401, log: "too old"},
		"signed by another":      {lie: func(p *provider) { p.key = other }, status: 401, log: "not signed by the provider"},
		"another algorithm":      {lie: func(p *provider) { p.alg = "PS256" }, status: 401, log: "not signed by the provider"},
		"no subject":             {lie: func(p *provider) { p.claims["sub"] = "" }, status: 401, log: "sub"},
		"a subject with a break": {lie: func(p *provider) { p.claims["sub"] = "sub-ann\n" }, status: 401, log: "sub"},
		"nobody here":            {lie: func(p *provider) { p.claims["sub"] = "sub-eve<img src=x onerror=alert(1)>" }, status: 403, log: "not bound"},
		"no longer here":         {lie: func(p *provider) { p.claims["sub"] = "sub-old" }, status: 403, log: "not bound"},
		"the provider is away":   {lie: func(p *provider) { p.status = 500 }, status: 502, log: "oidc.away"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, t.TempDir()+"/desk.db")
			p := newProvider(t)
			o.atProvider(p.server.URL)
			for _, id := range []string{"ann", "old"} {
				o.hire(id, "analyst", "*")
				o.bound(id, p.server.URL, "sub-"+id)
			}
			if err := o.s.Hire(t.Context(), o.clock(), []byte(`{"id":"old","staff":"old","roles":["analyst"],"stores":["*"],"operators":[],"active":false}`)); err != nil {
				t.Fatal(err)
			}
			b, q := o.begin()
			back := url.Values{"code": {q.Get("nonce")}, "state": {q.Get("state")}}
			if c.query != nil {
				c.query(back)
			}
			if c.lie != nil {
				c.lie(p)
			}
			if c.cookie {
				b.jar = map[string]string{}
			}
			rsp, text := b.end(back)
			if rsp.StatusCode != c.status || b.jar["__Host-yuanlu"] != "" || strings.Contains(text, "<img") || !strings.Contains(text, `lang="zh"`) {
				t.Errorf("%s %v %s", rsp.Status, b.jar, text)
			}
			if !strings.Contains(o.log.String(), c.log) || strings.Contains(o.log.String(), "login.done") {
				t.Errorf("log, want %q:\n%s", c.log, o.log)
			}
		})
	}
}

// TestOIDCIsBounded: an address that fails too often waits; a page elsewhere that leads
// browsers here makes no one wait; a login that was ended is not ended again.
func TestOIDCIsBounded(t *testing.T) {
	o := newOffice(t, t.TempDir()+"/desk.db")
	p := newProvider(t)
	o.atProvider(p.server.URL)
	o.hire("ann", "analyst", "*")
	o.bound("ann", p.server.URL, "sub-ann")
	for range 30 {
		(&browser{o, map[string]string{}}).end(url.Values{"code": {"x"}, "state": {"y"}})
	}
	b, q := o.begin()
	back := url.Values{"code": {q.Get("nonce")}, "state": {q.Get("state")}}
	if rsp, _ := b.end(back); rsp.StatusCode != 200 || p.asked != 1 {
		t.Errorf("%s, asked %d times", rsp.Status, p.asked)
	}
	if rsp, _ := b.end(back); rsp.StatusCode != 401 || p.asked != 1 {
		t.Errorf("the same answer again: %s, asked %d times", rsp.Status, p.asked)
	}
	p.claims["sub"] = "sub-eve"
	for range 20 {
		b, q := o.begin()
		b.end(url.Values{"code": {q.Get("nonce")}, "state": {q.Get("state")}})
	}
	if rsp, text := b.get(o.server.URL + "/v1/oidc/login"); rsp.StatusCode != 429 || !strings.Contains(text, "too_often") {
		t.Errorf("%s %s", rsp.Status, text)
	}
	o.wait(15*time.Minute + time.Second)
	o.begin()
}

// TestOIDCAway: a provider that is away, or that is not who it should be, is asked again later.
func TestOIDCAway(t *testing.T) {
	p := newProvider(t)
	for name, issuer := range map[string]string{"away": "http://127.0.0.1:1", "another name": strings.Replace(p.server.URL, "127.0.0.1", "localhost", 1)} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, t.TempDir()+"/desk.db")
			o.atProvider(issuer)
			for range 2 {
				if rsp, text := (&browser{o, map[string]string{}}).get(o.server.URL + "/v1/oidc/login"); rsp.StatusCode != 502 || !strings.Contains(text, "oidc_away") {
					t.Errorf("%s %s", rsp.Status, text)
				}
			}
		})
	}
	o := newOffice(t, t.TempDir()+"/desk.db")
	o.want(nil, 404, "no_oidc", "GET", "/v1/oidc/login", "")
	o.want(nil, 404, "no_oidc", "GET", "/v1/oidc/back?code=x&state=y", "")
	for _, bad := range []oidc.Options{{Issuer: "http://id.example/", Client: "x"}, {Issuer: "https://id.example/"}, {Issuer: "id.example", Client: "x"},
		{Issuer: "https://u:p@id.example/", Client: "x"}} {
		if _, err := oidc.New(bad); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// relayed is a server whose address is known before what it serves.
type relayed struct {
	mu sync.Mutex
	h  http.Handler
}

func (l *relayed) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	return s.URL
}

func (l *relayed) to(h http.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.h = h
}

func (l *relayed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	h := l.h
	l.mu.Unlock()
	h.ServeHTTP(w, r)
}
