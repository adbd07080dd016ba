package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"yuanlu/cmd/yuanlu-desk/store"
)

// mostBody bounds the body of a change.
const mostBody = 4 << 10

// change is the body of a request that changes something.
type change struct {
	Who      string `json:"who"`
	Why      string `json:"why"`
	Terminal string `json:"terminal"` // of a gap, with Stream and To
	Stream   string `json:"stream"`
	To       int64  `json:"to"`
	Force    bool   `json:"force"`
}

// changes are what people may do. They need a token even on the loopback: they make
// terminals forget.
func (a *API) changes() {
	for path, do := range map[string]func(*http.Request, *change, store.Hand) (any, error){
		"/v1/gaps/close": a.closeGap, "/v1/quarantine/{n}/release": a.release, "/v1/quarantine/{n}/discard": a.discard,
		"/v1/alarms/{n}/end": a.endAlarm,
	} {
		a.handle("POST "+path, func(w http.ResponseWriter, r *http.Request) { a.change(w, r, do) })
	}
}

func (a *API) change(w http.ResponseWriter, r *http.Request, do func(*http.Request, *change, store.Hand) (any, error)) {
	if a.o.Token == "" {
		a.fail(w, http.StatusForbidden, "token", "to change something this desk must be started with --token-file; or use yuanlu-desk gaps and quarantine where its store is")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		a.fail(w, http.StatusUnsupportedMediaType, "content_type", "Content-Type: application/json is needed")
		return
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody))
	in.DisallowUnknownFields()
	var c change
	if err := in.Decode(&c); err != nil {
		a.fail(w, http.StatusBadRequest, "body", "want an object with who and why; of a gap also terminal, stream, to, force")
		return
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		a.fail(w, http.StatusBadRequest, "body", "want one object")
		return
	}
	done, err := do(r, &c, store.Hand{Who: c.Who, Why: c.Why, At: a.o.Now()})
	switch {
	case err == nil:
		a.o.Log.Info("api.changed", "path", r.URL.Path, "who", c.Who, "why", c.Why)
		a.respond(w, http.StatusOK, done)
	case errors.Is(err, store.ErrHand):
		a.fail(w, http.StatusConflict, "not_done", err.Error())
	case errors.Is(err, store.ErrNotFound):
		a.fail(w, http.StatusNotFound, "not_found", err.Error())
	default:
		a.o.Log.Warn("api.failed", "path", r.URL.Path, "err", err)
		a.fail(w, http.StatusServiceUnavailable, "store", "the store does not answer")
	}
}

func (a *API) closeGap(r *http.Request, c *change, h store.Hand) (any, error) {
	closed, err := a.o.Store.CloseGap(r.Context(), c.Terminal, c.Stream, c.To, c.Force, h)
	return map[string]any{"closed": closed}, err
}

func number64(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil {
		return 0 // there is none
	}
	return n
}

func (a *API) release(r *http.Request, _ *change, h store.Hand) (any, error) {
	n := number64(r)
	return map[string]any{"released": n}, a.o.Release(r.Context(), n, h)
}

func (a *API) endAlarm(r *http.Request, _ *change, h store.Hand) (any, error) {
	n := number64(r)
	if h.Who == "" || h.Why == "" {
		return nil, fmt.Errorf("%w: want who and why", store.ErrHand)
	}
	return map[string]any{"ended": n}, a.o.Store.EndLogAlarm(r.Context(), h.At, n, h.Who)
}

func (a *API) discard(r *http.Request, _ *change, h store.Hand) (any, error) {
	n := number64(r)
	return map[string]any{"discarded": n}, a.o.Store.Discard(r.Context(), n, h)
}
