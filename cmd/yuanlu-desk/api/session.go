package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/page"
	"yuanlu/cmd/yuanlu-desk/people"
	"yuanlu/cmd/yuanlu-desk/store"
)

// cookie holds the token of a session (casework.md § 13).
const cookie = "__Host-yuanlu"

// policy lets a page of ours load nothing from elsewhere (casework.md § 13).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"

// mostWork bounds the body of a command, in bytes (casework.md § 13).
const mostWork = 64 << 10

// refusal is an answer that is not what was asked for, in both languages.
type refusal struct {
	status int
	code   string
	en, zh string
}

// What the desk itself refuses, beside refusals.tsv.
var (
	noSession   = refusal{http.StatusUnauthorized, "login", "Log in first.", "请先登录。"}
	wrongLogin  = refusal{http.StatusUnauthorized, "wrong_login", "Login or password is wrong.", "账号或密码错误。"}
	tooOften    = refusal{http.StatusTooManyRequests, "too_often", "Too many failures. Wait 15 minutes.", "失败次数过多，请 15 分钟后再试。"}
	forged      = refusal{http.StatusForbidden, "csrf", "The request does not come from the desk's own page.", "请求不是来自本案件台页面。"}
	noTLS       = refusal{http.StatusForbidden, "tls", "Beyond this machine people work over TLS only.", "非本机访问须使用 TLS。"}
	mustChange  = refusal{http.StatusForbidden, "password_change", "Change the password first.", "请先修改密码。"}
	badPassword = refusal{http.StatusUnprocessableEntity, "password", "A password has 12 to 128 characters, is not the login and not a common one.", "密码须为 12–128 个字符，不能与账号相同，也不能是常见密码。"}
	tooLarge    = refusal{http.StatusRequestEntityTooLarge, "too_large", "The request is too large.", "请求过大。"}
	notJSON     = refusal{http.StatusUnsupportedMediaType, "content_type", "Content-Type: application/json is needed.", "须使用 Content-Type: application/json。"}
	noAnswer    = refusal{http.StatusServiceUnavailable, "store", "The store does not answer. Send again with the same key.", "存储暂无响应，请使用相同的键重新发送。"}
	manyStreams = refusal{http.StatusServiceUnavailable, "streams", "Too many pages are open.", "打开的页面过多。"}
	damaged     = refusal{http.StatusInternalServerError, "file_damaged", "The stored file is not what was filed: its hash differs.", "存储的文件与登记的哈希不符。"}
)

func (a *API) refuse(w http.ResponseWriter, r refusal) {
	a.respond(w, r.status, map[string]any{"error": map[string]any{"code": r.code, "message": map[string]string{"en": r.en, "zh": r.zh}}})
}

// refused answers with a code of refusals.tsv (casework.md § 11).
func (a *API) refused(w http.ResponseWriter, code casework.Refusal) {
	for _, t := range casework.Refusals() {
		if t.Code == code {
			a.refuse(w, refusal{t.HTTP, string(code), t.EN, t.ZH})
			return
		}
	}
	a.refuse(w, noAnswer)
}

// broken answers where the store failed.
func (a *API) broken(w http.ResponseWriter, r *http.Request, err error) {
	a.o.Log.Warn("api.failed", "path", r.URL.Path, "err", err)
	a.refuse(w, noAnswer)
}

// forPeople reports whether a path is worked at with a session, never with the token.
func forPeople(path string) bool {
	return strings.HasPrefix(path, "/v1/work/") || strings.HasPrefix(path, oidcPath) || slices.Contains([]string{"/v1/login", "/v1/logout", "/v1/me", "/v1/password"}, path)
}

// admit lets in requests of people: over TLS or the loopback, from our own pages.
func (a *API) admit(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	var cross http.CrossOriginProtection
	do := a.mux.ServeHTTP
	if a.forPage(r.URL.Path) {
		do = a.page
	}
	switch {
	case !a.safe(r):
		a.refuse(w, noTLS)
	case cross.Check(r) != nil:
		a.refuse(w, forged)
	default:
		do(w, r)
	}
}

// forPage reports whether a path is one of the page.
func (a *API) forPage(path string) bool {
	return a.o.Page != nil && !strings.HasPrefix(path, "/v1/") && path != healthPath && path != "/metrics"
}

// safe reports whether no one on the way can read a request.
func (a *API) safe(r *http.Request) bool {
	if r.TLS != nil || a.o.Proxy != "" && host(r.RemoteAddr) == a.o.Proxy {
		return true
	}
	ip := net.ParseIP(host(r.RemoteAddr))
	return ip != nil && ip.IsLoopback() && localHost(r.Host)
}

func host(address string) string {
	if name, _, err := net.SplitHostPort(address); err == nil {
		return name
	}
	return address
}

// client is the address that a request comes from, behind our proxy where there is one.
func (a *API) client(r *http.Request) string {
	from := host(r.RemoteAddr)
	if a.o.Proxy == "" || from != a.o.Proxy {
		return from
	}
	hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",") // the last one is our proxy's
	return strings.TrimSpace(hops[len(hops)-1])
}

// session is one request of somebody who is logged in.
type session struct {
	store.Session
	person     casework.Person
	mustChange bool // before anything else
}

// session returns that of a request; ErrNotFound if somebody must log in first.
func (a *API) session(r *http.Request) (*session, error) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil, store.ErrNotFound
	}
	find := a.o.Store.Session
	if r.URL.Path == streamPath { // an open page is no use
		find = a.o.Store.Lasts
	}
	one, err := find(r.Context(), people.TokenHash(c.Value), a.o.Now())
	if err != nil {
		return nil, err
	}
	s := &session{Session: one}
	if s.person, err = a.o.Store.Person(r.Context(), one.Person); err == nil && !s.person.Active {
		return nil, store.ErrNotFound
	}
	login, err2 := a.o.Store.Login(r.Context(), one.Person)
	s.mustChange = login.MustChange && !one.Identified
	if err = errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("a person who is logged in: %s", err) // not found there is an error of the store
	}
	return s, nil
}

// with answers a request of a session; a POST must show that it comes from our page.
func (a *API) with(do func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := a.session(r)
		switch {
		case errors.Is(err, store.ErrNotFound):
			a.refuse(w, noSession)
		case err != nil:
			a.broken(w, r, err)
		case r.Method == http.MethodPost && (s.CSRF == "" || r.Header.Get("X-CSRF-Token") != s.CSRF):
			a.refuse(w, forged)
		case s.mustChange && (strings.HasPrefix(r.URL.Path, "/v1/work/") || r.URL.Path == streamPath):
			a.refuse(w, mustChange)
		default:
			do(w, r, s)
		}
	}
}

// page answers what a browser shows; who is not logged in, or must change his password
// first, sees no more than that.
func (a *API) page(w http.ResponseWriter, r *http.Request) {
	s, err := a.session(r)
	switch {
	case errors.Is(err, store.ErrNotFound):
		a.o.Page.Serve(w, r, nil)
	case err != nil:
		a.broken(w, r, err)
	default:
		a.o.Page.Serve(w, r, &page.Visitor{Person: s.person, CSRF: s.CSRF, MustChange: s.mustChange})
	}
}

// body reads one JSON object into v; false if it answered instead.
func (a *API) body(w http.ResponseWriter, r *http.Request, v any) bool {
	text, ok := a.text(w, r)
	if !ok {
		return false
	}
	if err := json.Unmarshal(text, v); err != nil {
		a.refused(w, casework.BadInput)
		return false
	}
	return true
}

// text reads a JSON body of at most mostWork bytes; false if it answered instead.
func (a *API) text(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		a.refuse(w, notJSON)
		return nil, false
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostWork))
	if err != nil {
		a.refuse(w, tooLarge)
		return nil, false
	}
	return text, true
}

// login begins a session. A wrong password and an unknown login get the same answer, and
// it takes as long (casework.md § 13).
func (a *API) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Login, Password string }
	if !a.body(w, r, &in) {
		return
	}
	now, from := a.o.Now(), a.client(r)
	login := in.Login[:min(len(in.Login), 64)]
	barred, err := a.o.Store.Barred(r.Context(), login, from, now)
	if err != nil || barred {
		if err != nil {
			a.broken(w, r, err)
			return
		}
		a.refuse(w, tooOften)
		return
	}
	stored, err := a.o.Store.Login(r.Context(), in.Login)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	a.hashing <- struct{}{} // each takes 64 MiB
	right := people.Check(stored.Hash, in.Password)
	<-a.hashing
	person, err := a.o.Store.Person(r.Context(), in.Login)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		a.broken(w, r, err)
		return
	case !right || !person.Active:
		a.o.Log.Warn("login.failed", "address", from)
		if err := a.o.Store.Failed(r.Context(), login, from, now); err != nil {
			a.broken(w, r, err)
			return
		}
		a.refuse(w, wrongLogin)
		return
	}
	a.begin(w, r, in.Login, stored.MustChange)
}

// begin begins a session of a person and answers with it.
func (a *API) begin(w http.ResponseWriter, r *http.Request, person string, change bool) {
	csrf, err := a.newSession(w, r, store.Session{Person: person})
	if err != nil {
		a.broken(w, r, err)
		return
	}
	a.respond(w, http.StatusOK, map[string]any{"login": person, "csrf": csrf, "must_change": change})
}

// newSession stores a session and sends its cookie.
func (a *API) newSession(w http.ResponseWriter, r *http.Request, s store.Session) (csrf string, err error) {
	token := people.Token()
	s.Hash, s.CSRF, s.Made = people.TokenHash(token), people.Token(), a.o.Now()
	if err := a.o.Store.Begin(r.Context(), s); err != nil {
		return "", err
	}
	a.o.Log.Info("login.done", "person", s.Person, "identified", s.Identified)
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(store.SessionLasts.Seconds())})
	return s.CSRF, nil
}

func (a *API) logout(w http.ResponseWriter, r *http.Request, s *session) {
	if err := a.o.Store.End(r.Context(), s.Hash); err != nil {
		a.broken(w, r, err)
		return
	}
	a.o.Log.Info("logout.done", "person", s.Person)
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	a.respond(w, http.StatusOK, map[string]bool{"out": true})
}

func (a *API) me(w http.ResponseWriter, r *http.Request, s *session) {
	a.respond(w, http.StatusOK, map[string]any{"person": s.person, "csrf": s.CSRF, "language": page.Language(r), "must_change": s.mustChange})
}

// password changes that of the person himself, and ends his sessions but a new one.
func (a *API) password(w http.ResponseWriter, r *http.Request, s *session) {
	var in struct{ Old, New string }
	if !a.body(w, r, &in) {
		return
	}
	barred, err := a.o.Store.Barred(r.Context(), s.Person, a.client(r), a.o.Now())
	stored, err2 := a.o.Store.Login(r.Context(), s.Person)
	if err = errors.Join(err, err2); err != nil {
		a.broken(w, r, err)
		return
	}
	if barred {
		a.refuse(w, tooOften)
		return
	}
	a.hashing <- struct{}{}
	right := people.Check(stored.Hash, in.Old)
	<-a.hashing
	if !right {
		if err := a.o.Store.Failed(r.Context(), s.Person, a.client(r), a.o.Now()); err != nil {
			a.broken(w, r, err)
			return
		}
		a.refuse(w, wrongLogin)
		return
	}
	if people.Suitable(s.Person, in.New) != nil || in.New == in.Old {
		a.refuse(w, badPassword)
		return
	}
	a.hashing <- struct{}{}
	hash := people.Hash(in.New)
	<-a.hashing
	if err := a.o.Store.SetLogin(r.Context(), s.Person, store.Login{Hash: hash}); err != nil {
		a.broken(w, r, err)
		return
	}
	a.o.Log.Info("password.changed", "person", s.Person)
	a.begin(w, r, s.Person, false)
}
