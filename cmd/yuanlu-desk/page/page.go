package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// askTime bounds one question.
const askTime = 15 * time.Second

// Store answers questions of people.
type Store interface {
	Look(ctx context.Context, now time.Time, by, members string, more func(*store.Looking, casework.Answer) error) (casework.Answer, error)
}

// Options are what a page is made of.
type Options struct {
	Store    Store
	Provider string // issuer by which people may log in too; "": none
	Now      func() time.Time
	Log      *slog.Logger
}

// Visitor is who looks at a page.
type Visitor struct {
	Person     casework.Person
	CSRF       string
	MustChange bool // his password, before anything else
}

// has reports whether a visitor has one of some roles.
func (v *Visitor) has(roles ...string) bool {
	for _, have := range v.Person.Roles {
		for _, r := range roles {
			if have == r {
				return true
			}
		}
	}
	return false
}

// Page draws pages. It is safe for concurrent use.
type Page struct {
	o      Options
	texts  *texts
	sets   map[string]*template.Template // by language; "both" is for printing
	static *static
	mux    *http.ServeMux
}

// New makes the page; an error if a template or a text is not as it must be.
func New(o Options) (*Page, error) {
	p := &Page{o: o, mux: http.NewServeMux(), sets: map[string]*template.Template{}}
	var err error
	if p.texts, err = readTexts(textsTSV); err != nil {
		return nil, err
	}
	if p.static, err = newStatic(); err != nil {
		return nil, err
	}
	for _, lang := range []string{en, zh, both} {
		if p.sets[lang], err = p.templates(lang); err != nil {
			return nil, err
		}
	}
	p.mux.Handle("GET /static/", p.static)
	for pattern, draw := range map[string]func(*request) error{
		"GET /{$}": (*request).home, "GET /list/{name}": (*request).list, "GET /case/{no}": (*request).oneCase, "GET /case/{no}/print": (*request).printed, "GET /case/{no}/export": (*request).export,
		"GET /case/{no}/changes": (*request).changes, "GET /find": (*request).find, "GET /stats": (*request).stats, "GET /days": (*request).days, "GET /day/{day}": (*request).day,
		"GET /day/{day}/csv": (*request).dayCSV, "GET /people": (*request).people,
		"GET /reads": (*request).reads, "GET /help": (*request).help, "GET /password": (*request).password, "GET /login": (*request).login,
	} {
		p.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { p.draw(w, r, draw) })
	}
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.draw(w, r, func(q *request) error { return q.refused(casework.NotFound) })
	})
	return p, nil
}

// request is one question of a browser.
type request struct {
	p     *Page
	w     http.ResponseWriter
	r     *http.Request
	who   *Visitor
	say   *speaker
	theme string
	whole bool // all of a case, not only what fits on a screen
}

type visitorKey struct{}

// Serve answers a browser; who is nil if somebody must log in first.
func (p *Page) Serve(w http.ResponseWriter, r *http.Request, who *Visitor) {
	p.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, who)))
}

func (p *Page) draw(w http.ResponseWriter, r *http.Request, do func(*request) error) {
	who, _ := r.Context().Value(visitorKey{}).(*Visitor)
	q := &request{p: p, w: w, r: r, who: who, say: p.texts.speaker(Language(r)), theme: choice(r, "yuanlu-theme", "light", "dark")}
	where := ""
	switch path := r.URL.Path; {
	case who == nil && path != "/login":
		where = "/login"
		if path != "/" {
			where += "?to=" + url.QueryEscape(r.URL.RequestURI())
		}
	case who != nil && who.MustChange && path != "/password":
		where = "/password"
	}
	if where != "" {
		http.Redirect(w, r, where, http.StatusSeeOther)
		return
	}
	if err := do(q); err != nil {
		p.o.Log.Warn("page.failed", "path", r.URL.Path, "err", err)
		q.fail()
	}
}

// fail answers where the store or a template failed.
func (q *request) fail() {
	q.w.Header().Set("Retry-After", "5")
	if err := q.write(http.StatusServiceUnavailable, "message", frame{Title: q.say.text("title.failed")}, q.say.text("failed.store")); err != nil {
		q.p.o.Log.Error("page.broken", "err", err)
		http.Error(q.w, "503", http.StatusServiceUnavailable)
	}
}

// refused shows why a question was not answered (casework.md § 11).
func (q *request) refused(code casework.Refusal) error {
	status := http.StatusNotFound
	for _, t := range casework.Refusals() {
		if t.Code == code {
			status = t.HTTP
		}
	}
	return q.write(status, "message", frame{Title: q.say.text("title.refused")}, q.say.refusal(code))
}

// frame is what stands around every page.
type frame struct {
	Title         string
	Lang          string
	Theme         string
	Place         string // of the navigation
	Now           string // the desk's clock
	Who           *Visitor
	Counts        map[string]int
	CSS, JS, Icon string // addresses
	Case          string // shown; "" elsewhere
	Version       int64
	Upto          int64  // of the desk, when the page was drawn; what is behind it is not shown
	Found         string // what was looked for
	Data          any
}

// Sees reports whether the visitor has one of some roles.
func (f *frame) Sees(roles ...string) bool { return f.Who != nil && f.Who.has(roles...) }

// write renders a template into the answer, whole or not at all.
func (q *request) write(status int, name string, f frame, data any) error {
	f.Lang, f.Theme, f.Who, f.Data = q.say.lang, q.theme, q.who, data
	f.CSS, f.JS = q.p.static.address("desk.css"), q.p.static.address("desk.js")
	f.Icon = q.p.static.address("icon.svg")
	set := q.p.sets[q.say.lang]
	if name == "print" {
		set = q.p.sets[both]
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, name, &f); err != nil {
		return fmt.Errorf("page: template %s: %w", name, err)
	}
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.Header().Set("Referrer-Policy", "same-origin")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(b.Bytes()) // a client that went away does not get it
	return nil
}

// ask asks a question of the visitor, in the reading log, and lets more read what is shown
// with it. A refusal is shown; then ok is false.
func (q *request) ask(question string, f *frame, more func(*store.Looking, casework.Answer) error) (ok bool, err error) {
	// A client that goes away must not end the transaction: the desk would be read again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(q.r.Context()), askTime)
	defer cancel()
	members := `"by":` + quoted(q.who.Person.ID) + `,` + question
	got, err := q.p.o.Store.Look(ctx, q.p.o.Now(), q.who.Person.ID, members, func(l *store.Looking, a casework.Answer) error {
		f.Counts, f.Now, f.Upto = l.Desk.Counts(q.who.Person.ID), l.Desk.Now(), l.Upto()
		return more(l, a)
	})
	switch {
	case err != nil:
		return false, err
	case got.Refused != "":
		return false, q.refused(got.Refused)
	}
	return true, nil
}

// quoted is a text as JSON.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a text can always be written
		return `""`
	}
	return string(b)
}

// choice returns the value of a cookie if it is one of some, else "".
func choice(r *http.Request, name string, of ...string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	for _, v := range of {
		if c.Value == v {
			return v
		}
	}
	return ""
}

// Language is the one in which a browser wants the page: what was chosen on it, else what
// the browser prefers; "en" or "zh" (casework.md § 14).
func Language(r *http.Request) string {
	if chosen := choice(r, "yuanlu-lang", en, zh); chosen != "" {
		return chosen
	}
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), zh) {
		return zh
	}
	return en
}

// Lists reports whether the visitor's role has a list (casework.md § 9).
func (f *frame) Lists(name string) bool {
	return f.Sees("manager", "analyst", "supervisor") || name != "next" && f.Sees("cashier", "checker", "finance", "auditor")
}

// Whole reports whether the visitor may see the days of all stores.
func (f *frame) Whole() bool {
	return f.Sees("manager", "analyst", "checker", "supervisor", "finance", "auditor") && slices.Contains(f.Who.Person.Stores, "*")
}
