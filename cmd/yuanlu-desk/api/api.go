package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/oidc"
	"yuanlu/cmd/yuanlu-desk/page"
	"yuanlu/cmd/yuanlu-desk/store"
)

// questionTime is how long one question may take.
const questionTime = 15 * time.Second

// Options are what the interface shows. Token may be empty on the loopback only.
type Options struct {
	Store *store.Store
	// Release takes a message out of quarantine; store.ErrHand where it cannot.
	Release func(ctx context.Context, n int64, h store.Hand) error
	Status  func() any // of the consumer, for /v1/status
	Ready   func() bool
	Metrics http.Handler // nil: there are none
	Token   string
	Page    *page.Page     // what browsers see; nil: nothing
	Proxy   string         // address of the proxy that ends TLS for people; "": none
	OIDC    *oidc.Provider // by which people may log in too; nil: none
	// Export makes an evidence pack; nil: this desk makes none.
	Export func(context.Context, store.Exporting) (store.Exported, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// API answers questions. It is safe for concurrent use.
type API struct {
	o      Options
	mux    *http.ServeMux
	routes []string      // patterns of mux, "GET /v1/cases/{id}"
	stop   chan struct{} // closed by Stop
	open   chan struct{} // one for each open stream
	// hashing has one for each password that is looked at.
	hashing chan struct{}
	// importing has one while a file of bills is read: it may take hundreds of megabytes.
	importing chan struct{}
	// packing has one while an evidence pack is made: it holds all files of a case.
	packing chan struct{}
	packs   map[string]madePack // by person, key and what was asked for; of who holds packing
	// asking has one for each answer that is fetched from the provider of identities.
	asking   chan struct{}
	feed     *feed
	watching watchers
}

// New makes the interface.
func New(o Options) *API {
	a := &API{o: o, mux: http.NewServeMux(), stop: make(chan struct{}), open: make(chan struct{}, mostStreams), hashing: make(chan struct{}, 2), importing: make(chan struct{}, 1), packing: make(chan struct{}, 1), packs: map[string]madePack{}, asking: make(chan struct{}, mostAsking),
		feed: newFeed(o.Store), watching: watchers{of: map[string]int{}}}
	for path, answer := range map[string]func(context.Context, *query) (any, error){
		"/v1/status": a.status, "/v1/cases": a.cases, "/v1/cases/{id}": a.oneCase, "/v1/events": a.events, "/v1/terminals": a.terminals,
		"/v1/terminals/{terminal}": a.terminal, "/v1/gaps": a.gaps, "/v1/quarantine": a.quarantine, "/v1/quarantine/{n}": a.kept,
		"/v1/actions": a.actions, "/v1/holds": a.holds, "/v1/alarms": a.alarms, "/v1/prevented": a.prevented,
	} {
		a.handle("GET "+path, func(w http.ResponseWriter, r *http.Request) { a.question(w, r, answer) })
	}
	a.changes()
	a.work()
	a.oidcRoutes()
	a.handle("POST /v1/bills", a.importBills)
	a.handle("GET /v1/days/{day}", a.day)
	a.handle("GET "+streamPath, a.stream)
	a.handle("GET /v1/openapi.json", a.document)
	a.handle("GET "+healthPath, a.health)
	if o.Metrics != nil {
		a.handle("GET /metrics", o.Metrics.ServeHTTP)
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			a.fail(w, http.StatusMethodNotAllowed, "method", "only GET and HEAD here")
			return
		}
		a.fail(w, http.StatusNotFound, "path", "nothing is here; see /v1/status")
	})
	return a
}

// handle adds a route; OpenAPI describes each of them.
func (a *API) handle(pattern string, do http.HandlerFunc) {
	a.routes = append(a.routes, pattern)
	a.mux.HandleFunc(pattern, do)
}

// Routes lists the patterns that are answered, as net/http writes them.
func (a *API) Routes() []string { return slices.Clone(a.routes) }

// Stop ends the streams, so that a server can shut down.
func (a *API) Stop() { close(a.stop) }

// ServeHTTP lets in who may ask.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if http.NewResponseController(w).SetWriteDeadline(time.Now().Add(questionTime+streamWrite)) != nil {
		return // the connection is gone
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case forPeople(r.URL.Path), a.forPage(r.URL.Path), r.URL.Path == streamPath && asPerson(r):
		a.admit(w, r)
	case a.o.Token != "" && r.URL.Path != healthPath && !a.known(r):
		h.Set("WWW-Authenticate", `Bearer realm="yuanlu-desk"`)
		a.fail(w, http.StatusUnauthorized, "token", "Authorization: Bearer with the token of this desk is needed")
	case a.o.Token == "" && !localHost(r.Host):
		a.fail(w, http.StatusForbidden, "host", "this desk answers to localhost only")
	default:
		a.mux.ServeHTTP(w, r)
	}
}

func (a *API) known(r *http.Request) bool {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.o.Token))
	return found && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// errQuery is a question with a member that is not as it must be.
type errQuery struct{ name, want string }

func (e *errQuery) Error() string { return e.name + ": want " + e.want }

func (a *API) question(w http.ResponseWriter, r *http.Request, answer func(context.Context, *query) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), questionTime)
	defer cancel()
	q := &query{r: r, values: r.URL.Query()}
	got, err := answer(ctx, q)
	if err == nil {
		err = q.done()
	}
	if err != nil {
		a.unanswered(w, r, err)
		return
	}
	a.respond(w, http.StatusOK, got)
}

// unanswered answers a question that has no answer.
func (a *API) unanswered(w http.ResponseWriter, r *http.Request, err error) {
	var bad *errQuery
	switch {
	case errors.As(err, &bad):
		a.fail(w, http.StatusBadRequest, "query", bad.Error())
	case errors.Is(err, errAmbiguous):
		a.fail(w, http.StatusConflict, "ambiguous", err.Error())
	case errors.Is(err, store.ErrNotFound):
		a.fail(w, http.StatusNotFound, "not_found", "there is none")
	default:
		a.o.Log.Warn("api.failed", "path", r.URL.Path, "err", err)
		a.fail(w, http.StatusServiceUnavailable, "store", "the store does not answer")
	}
}

func (a *API) fail(w http.ResponseWriter, status int, code, message string) {
	a.respond(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func (a *API) respond(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		a.o.Log.Error("api.unfit", "err", err)
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be written"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away does not get it
}
