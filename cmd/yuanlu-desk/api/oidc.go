package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/oidc"
	"yuanlu/cmd/yuanlu-desk/store"
)

// Logging in by a provider of OpenID Connect (casework.md § 13).
const (
	oidcPath   = "/v1/oidc/"
	oidcBack   = oidcPath + "back"
	flowCookie = "__Host-yuanlu-oidc" // of a login that was begun
	flowLasts  = 600                  // seconds
	mostAsking = 4                    // answers that are fetched from the provider at once
)

var (
	noProvider   = refusal{http.StatusNotFound, "no_oidc", "This desk has no provider to log in by.", "本案件台未配置统一登录。"}
	awayProvider = refusal{http.StatusBadGateway, "oidc_away", "The provider does not answer. Try again, or log in with a password.", "统一登录服务无响应，请重试或使用密码登录。"}
	wrongAnswer  = refusal{http.StatusUnauthorized, "oidc_refused", "The provider's answer is not taken. Begin again.", "统一登录结果无效，请重新登录。"}
	notBound     = refusal{http.StatusForbidden, "oidc_unknown", "You are known to the provider, but not bound to an active person here. Ask an administrator of this desk to bind your identity:", "统一登录已识别您的身份，但尚未绑定到本案件台的在用人员。请联系管理员绑定您的标识："}
	takenBound   = refusal{http.StatusConflict, "identity_taken", "This identity is another person's.", "该身份已绑定其他人员。"}
)

func (a *API) oidcRoutes() {
	a.handle("GET "+oidcPath+"login", a.oidcLogin)
	a.handle("GET "+oidcBack, a.oidcReturn)
	a.handle("GET "+oidcPath+"people", a.with(a.identities))
	a.handle("POST "+oidcPath+"people", a.with(a.bind))
}

// backTo is the address of oidcBack as this browser knows the desk.
func (a *API) backTo(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil || a.o.Proxy != "" && host(r.RemoteAddr) == a.o.Proxy {
		scheme = "https://"
	}
	return scheme + r.Host + oidcBack
}

// oidcLogin sends the browser to the provider. The flow stays in a cookie of the browser, so
// that any of several desks can end it. It is Lax: the browser comes back from elsewhere.
func (a *API) oidcLogin(w http.ResponseWriter, r *http.Request) {
	if a.o.OIDC == nil {
		a.refuse(w, noProvider)
		return
	}
	if !a.mayFail(w, r) {
		return
	}
	where, flow, err := a.o.OIDC.Begin(r.Context(), a.backTo(r))
	var text []byte
	if err == nil {
		text, err = json.Marshal(flow)
	}
	if err != nil {
		a.o.Log.Warn("oidc.away", "err", err)
		a.show(w, awayProvider, "")
		return
	}
	setFlow(w, base64.RawURLEncoding.EncodeToString(text), flowLasts)
	http.Redirect(w, r, where, http.StatusFound)
}

func setFlow(w http.ResponseWriter, value string, lasts int) {
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: lasts})
}

// flowOf returns the flow of a browser; a zero one if there is none.
func flowOf(r *http.Request) (f oidc.Flow) {
	c, err := r.Cookie(flowCookie)
	if err != nil {
		return f
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(text, &f) != nil {
		return oidc.Flow{}
	}
	return f
}

// mayFail reports whether an address may try still; false if it answered instead.
func (a *API) mayFail(w http.ResponseWriter, r *http.Request) bool {
	barred, err := a.o.Store.Barred(r.Context(), "", a.client(r), a.o.Now())
	switch {
	case err != nil:
		a.broken(w, r, err)
	case barred:
		a.show(w, tooOften, "")
	default:
		return true
	}
	return false
}

// oidcReturn ends a login that was begun: no person is made by it.
func (a *API) oidcReturn(w http.ResponseWriter, r *http.Request) {
	if a.o.OIDC == nil {
		a.refuse(w, noProvider)
		return
	}
	if !a.mayFail(w, r) {
		return
	}
	flow := flowOf(r)
	setFlow(w, "", -1) // it is used once
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-r.Context().Done():
		return
	}
	who, err := a.o.OIDC.Finish(r.Context(), a.backTo(r), flow, r.URL.Query())
	switch {
	case errors.Is(err, oidc.ErrFlow): // not counted: any page elsewhere can lead a browser here
		a.o.Log.Warn("login.failed", "address", a.client(r), "way", "oidc", "err", err)
		a.show(w, wrongAnswer, "")
		return
	case errors.Is(err, oidc.ErrRefused):
		a.failed(w, r, wrongAnswer, "", err)
		return
	case err != nil:
		a.o.Log.Warn("oidc.away", "err", err)
		a.show(w, awayProvider, "")
		return
	}
	person, err := a.o.Store.Identified(r.Context(), who.Issuer, who.Subject)
	var one casework.Person
	if err == nil {
		one, err = a.o.Store.Person(r.Context(), person)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !one.Active: // which of them is not shown
		a.failed(w, r, notBound, who.Subject, errors.New("not bound to an active person"))
	case err != nil:
		a.broken(w, r, err)
	default:
		if _, err := a.newSession(w, r, store.Session{Person: person, Identified: true}); err != nil {
			a.broken(w, r, err)
			return
		}
		a.showPage(w, http.StatusOK, answerPage{Go: true})
	}
}

// failed notes and answers a login that was refused.
func (a *API) failed(w http.ResponseWriter, r *http.Request, why refusal, sub string, err error) {
	from := a.client(r)
	a.o.Log.Warn("login.failed", "address", from, "way", "oidc", "err", err)
	if err := a.o.Store.Failed(r.Context(), "", from, a.o.Now()); err != nil {
		a.broken(w, r, err)
		return
	}
	a.show(w, why, sub)
}

// answerPage is what a browser is shown that comes back from the provider. It goes on by
// itself from a page of ours: to a redirect from elsewhere it would not add the cookie.
type answerPage struct {
	Go                bool
	En, Zh, Sub, Code string
}

var answerHTML = template.Must(template.New("answer").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Yuanlu 原路</title>
{{if .Go}}<meta http-equiv="refresh" content="0; url=/">{{end}}</head>
<body><main>{{if .Go}}<p><a href="/">Go on <span lang="zh">继续</span></a></p>
{{else}}<p>{{.En}} <code>{{.Sub}}</code></p><p lang="zh">{{.Zh}} <code>{{.Sub}}</code></p><p><small>{{.Code}}</small></p>
<p><a href="/login">Log in <span lang="zh">登录</span></a></p>{{end}}</main></body></html>
`))

// show answers a browser with a refusal.
func (a *API) show(w http.ResponseWriter, r refusal, sub string) {
	a.showPage(w, r.status, answerPage{En: r.en, Zh: r.zh, Code: r.code, Sub: sub})
}

func (a *API) showPage(w http.ResponseWriter, status int, p answerPage) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	w.WriteHeader(status)
	if err := answerHTML.Execute(w, p); err != nil { // a client that went away does not get it
		a.o.Log.Debug("oidc.unread", "err", err)
	}
}

// identities lists who is bound to which identity.
func (a *API) identities(w http.ResponseWriter, r *http.Request, s *session) {
	if a.query(w, r, none) { // part of what the desk's journal is about
		a.ask(w, r, s, `"show":"desk"`, func(casework.Answer) (any, error) {
			list, err := a.o.Store.Identities(r.Context())
			issuer := ""
			if a.o.OIDC != nil {
				issuer = a.o.OIDC.Issuer()
			}
			return map[string]any{"issuer": issuer, "identities": list}, err
		})
	}
}

// bind binds an identity at the desk's provider to a person, or takes it from him ("sub" is
// ""). Admins do, and none himself: he could become anybody.
func (a *API) bind(w http.ResponseWriter, r *http.Request, s *session) {
	var in struct{ Person, Sub string }
	if !a.body(w, r, &in) {
		return
	}
	switch {
	case !slices.Contains(s.person.Roles, "admin"):
		a.refused(w, casework.NotAllowed)
		return
	case in.Person == s.Person:
		a.refused(w, casework.Self)
		return
	case len(in.Sub) > 255 || strings.ContainsFunc(in.Sub, func(c rune) bool { return c < ' ' || c == '\ufffd' }):
		a.refused(w, casework.BadInput)
		return
	case a.o.OIDC == nil:
		a.refuse(w, noProvider)
		return
	}
	err := a.o.Store.Bind(r.Context(), store.Identity{Person: in.Person, Issuer: a.o.OIDC.Issuer(), Subject: in.Sub, By: s.Person, At: a.o.Now()})
	switch {
	case errors.Is(err, store.ErrNotFound):
		a.refused(w, casework.NotFound)
	case errors.Is(err, store.ErrHand):
		a.refuse(w, takenBound)
	case err != nil:
		a.broken(w, r, err)
	default:
		a.o.Log.Info("identity.bound", "person", in.Person, "by", s.Person, "none", in.Sub == "")
		a.respond(w, http.StatusOK, map[string]any{"person": in.Person, "issuer": a.o.OIDC.Issuer(), "sub": in.Sub})
	}
}
