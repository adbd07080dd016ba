package api

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/localhttp"
	"yuanlu/agent/refund"
	"yuanlu/protocol/strictjson"
)

// serveHTTP answers one request.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p := r.URL.EscapedPath(); !strings.HasPrefix(p, "/") || path.Clean(p) != strings.TrimSuffix(p, "/") {
		s.noPath(w, r) // the mux would send it elsewhere, by a page that repeats the path
		return
	}
	s.mux.ServeHTTP(w, r)
}

// noPath answers a request for what there is not.
func (s *Server) noPath(w http.ResponseWriter, _ *http.Request) {
	s.refuse(w, http.StatusNotFound, guard.CodeForm, "path")
}

// guarded lets through who shows the token and came by the address itself: a page in a
// browser, whose name is made to mean the loopback, does neither. Source: guard.md § 5.
func (s *Server) guarded(next http.Handler, token, address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case r.Host != address:
			s.refuse(w, http.StatusUnauthorized, codeUnauthorized, "Host")
		case len(r.Header.Values("Origin")) > 0:
			s.refuse(w, http.StatusUnauthorized, codeUnauthorized, "Origin")
		case !bearer || subtle.ConstantTimeCompare([]byte(shown), []byte(token)) != 1:
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.refuse(w, http.StatusUnauthorized, codeUnauthorized, "Authorization")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// codeUnauthorized is the code of a 401, for which guard.md has none.
const codeUnauthorized = "unauthorized"

// statusOf returns the status of a refusal's code. Source: guard.md § 5.
func statusOf(code string) int {
	switch code {
	case guard.CodeForm:
		return http.StatusBadRequest
	case guard.CodeOff, guard.CodeNoOperator, guard.CodeWrongPIN, guard.CodeSamePerson:
		return http.StatusForbidden
	case guard.CodeUnknown:
		return http.StatusNotFound
	case guard.CodeReused, guard.CodeEnded, guard.CodeOffice:
		return http.StatusConflict
	case guard.CodeTooMany, guard.CodeLocked:
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// refuse answers why a request did not come to the guard, and counts it.
func (s *Server) refuse(w http.ResponseWriter, status int, code, field string) {
	s.o.Tally.Refused(code)
	s.answerNo(w, status, till.Error{Code: code, Field: field})
}

// fail answers why the guard did not do something, and reports whether that is on its way. The
// guard has counted it.
func (s *Server) fail(w http.ResponseWriter, err error) bool {
	e := till.ErrorOf(err)
	return s.answerNo(w, statusOf(e.Code), e)
}

func (s *Server) answerNo(w http.ResponseWriter, status int, e till.Error) bool {
	s.o.Log.Warn("guard.refused", "code", e.Code, "field", e.Field)
	return s.write(w, status, map[string]till.Error{"error": e})
}

// write writes a body, and reports whether all of it is on its way.
func (s *Server) write(w http.ResponseWriter, status int, body any) bool {
	b, err := json.Marshal(body)
	if err != nil {
		s.o.Log.Error("guard.answer", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, err = w.Write(b)
	return err == nil && http.NewResponseController(w).Flush() == nil
}

// body reads the body of a request; optional: there may be none. false: it was refused.
func (s *Server) body(w http.ResponseWriter, r *http.Request, optional bool) ([]byte, bool) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		s.refuse(w, http.StatusBadRequest, guard.CodeForm, "body")
		return nil, false
	case err != nil: // it stopped in the middle
		s.refuse(w, http.StatusBadRequest, guard.CodeForm, "body")
		return nil, false
	case optional && len(data) == 0:
		return []byte("{}"), true
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		s.refuse(w, http.StatusBadRequest, guard.CodeForm, "Content-Type")
		return nil, false
	}
	return data, true
}

// ask is POST /v1/asks.
func (s *Server) ask(w http.ResponseWriter, r *http.Request) {
	if !s.pace.take(time.Now()) {
		s.refuse(w, http.StatusTooManyRequests, guard.CodeTooMany, "")
		return
	}
	data, ok := s.body(w, r, false)
	if !ok {
		return
	}
	received := time.Now()
	a, err := refund.ParseAsk(data, refund.AskForm{Link: true})
	clear(data) // it may hold a card number
	if err != nil {
		s.refuse(w, http.StatusBadRequest, guard.CodeForm, guard.Form(err).Field)
		return
	}
	link := a.Link
	if link == "" && len(s.o.Links) > 0 {
		link = s.o.Links[0]
	}
	if !slices.Contains(s.o.Links, link) {
		s.refuse(w, http.StatusBadRequest, guard.CodeForm, "link")
		return
	}
	key := ask.Key{Merchant: a.Record.MerchantID, Terminal: a.Record.TerminalID, ID: a.ID}
	reply, err := s.o.Service.Ask(r.Context(), guard.Request{Link: link, Ask: a, Received: received})
	if err != nil {
		s.fail(w, err)
		return
	}
	s.known.note(key.Terminal, key.ID, key.Merchant)
	if s.write(w, http.StatusOK, till.AnswerOf(&reply, s.o.Zone)) && !reply.Answer.Unchecked() {
		s.o.Service.Arrived(key)
	}
}

// key returns which ask a request is about.
func (s *Server) key(r *http.Request) ask.Key {
	k := ask.Key{Terminal: r.PathValue("terminal"), ID: r.PathValue("id")}
	if k.Merchant = r.URL.Query().Get("merchant_id"); k.Merchant != "" {
		return k
	}
	var ok bool
	if k.Merchant, ok = s.known.find(k.Terminal, k.ID); !ok {
		k.Merchant = s.o.Merchant
	}
	return k
}

// look is GET /v1/asks/{terminal_id}/{id}.
func (s *Server) look(w http.ResponseWriter, r *http.Request) {
	var wait time.Duration
	if text := r.URL.Query().Get("wait_s"); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || time.Duration(n)*time.Second > mostWait {
			s.refuse(w, http.StatusBadRequest, guard.CodeForm, "wait_s")
			return
		}
		wait = time.Duration(n) * time.Second
	}
	if wait > 0 {
		select {
		case s.waits <- struct{}{}:
			defer func() { <-s.waits }()
		default:
			wait = 0
		}
		end := time.Now().Add(wait + askTime)
		c := http.NewResponseController(w)
		if errors.Join(c.SetReadDeadline(end), c.SetWriteDeadline(end)) != nil {
			wait = 0
		}
	}
	k := s.key(r)
	reply, err := s.lookFor(r.Context(), k, wait)
	if err != nil {
		s.fail(w, err)
		return
	}
	if s.write(w, http.StatusOK, till.AnswerOf(&reply, s.o.Zone)) {
		s.o.Service.Arrived(k)
	}
}

// lookFor looks, and waits at most so long; it waits no longer when another client needs the place.
func (s *Server) lookFor(ctx context.Context, k ask.Key, wait time.Duration) (guard.Reply, error) {
	if wait <= 0 {
		return s.o.Service.Look(ctx, k, 0)
	}
	patient, done := localhttp.Patient(ctx)
	defer done()
	reply, err := s.o.Service.Look(patient, k, wait)
	if err != nil && patient.Err() != nil && ctx.Err() == nil {
		return s.o.Service.Look(ctx, k, 0)
	}
	return reply, err
}

// release is POST /v1/asks/{terminal_id}/{id}/release.
func (s *Server) release(w http.ResponseWriter, r *http.Request) {
	data, ok := s.body(w, r, false)
	if !ok {
		return
	}
	var v guard.Release
	field, ok := readOrder(data, &v, true)
	clear(data) // it holds a PIN
	if !ok {
		s.refuse(w, http.StatusBadRequest, guard.CodeForm, field)
		return
	}
	select {
	case s.releases <- struct{}{}:
		defer func() { <-s.releases }()
	default: // asks need the places and the processor
		s.refuse(w, http.StatusTooManyRequests, guard.CodeTooMany, "")
		return
	}
	k := s.key(r)
	held, err := s.o.Service.Release(r.Context(), k, v)
	s.state(w, k, held, err)
}

// cancel is POST /v1/asks/{terminal_id}/{id}/cancel.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	data, ok := s.body(w, r, true)
	if !ok {
		return
	}
	var v guard.Release
	field, ok := readOrder(data, &v, false)
	if !ok {
		s.refuse(w, http.StatusBadRequest, guard.CodeForm, field)
		return
	}
	k := s.key(r)
	held, err := s.o.Service.Cancel(r.Context(), k, v.By)
	s.state(w, k, held, err)
}

// state answers what became of an order. A client that has read it of a hold knows of the hold.
func (s *Server) state(w http.ResponseWriter, k ask.Key, held ask.Held, err error) {
	sent := false
	if err != nil {
		sent = s.fail(w, err)
	} else {
		sent = s.write(w, http.StatusOK, till.StateOf(k.ID, held, nil))
	}
	if sent && held.Key != (ask.Key{}) {
		s.o.Service.Arrived(k)
	}
}

// orderForm is the form of the bodies of release and cancel.
var orderForm = strictjson.Form{End: "the end of the body", Twice: "it a second time", Depth: 8}

// readOrder reads the body of a release, or with less in it of a cancel. It returns the
// member that is wrong.
func readOrder(data []byte, v *guard.Release, release bool) (field string, ok bool) {
	names := []string{"by", "pin", "reason", "text"}
	if !release {
		names = names[:1]
	}
	d := strictjson.New(data, 0, &orderForm)
	_, ok = d.Object(func(name []byte) int { return slices.Index(names, string(name)) }, func(m strictjson.Member) bool {
		if m.Index < 0 {
			d.Fail(m.At, "another member", "by, pin, reason, text")
			return d.Within("body") // its name may be anything
		}
		if m.Index == 2 && d.Kind() != '"' {
			var n int64
			if !d.Integer(&n, true) {
				return d.Within(names[2])
			}
			v.Reason = strconv.FormatInt(n, 10)
			return true
		}
		b, ok := d.Quoted("a string")
		if !ok {
			return d.Within(names[m.Index])
		}
		switch m.Index {
		case 0:
			v.By = string(b)
		case 1:
			v.PIN = refund.NewSecret(string(b))
		case 2:
			v.Reason = string(b)
		default:
			v.Text = string(b)
		}
		return true
	})
	if ok && d.End("nothing behind the object") {
		return "", true
	}
	return cmp.Or(d.Err().Path, "body"), false
}
