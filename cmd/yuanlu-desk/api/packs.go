package api

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// packTime is how long a pack may take: the terminals are asked, and a time stamping authority.
const packTime = 2 * time.Minute

// mostPacks bounds how many answers are kept for who sends the same key again, until the desk ends.
const mostPacks = 1000

// noPacks: evidence packs need the key that the desk co-signs with.
var noPacks = refusal{http.StatusConflict, "no_packs", "This desk makes no evidence packs: it is started without --cosign-key.", "本案件台未以 --cosign-key 启动，不能生成证据包。"}

// lack is a terminal whose leaves a pack may lack.
type lack struct {
	Terminal string `json:"terminal"`
	Why      string `json:"why"`
}

// madePack is a pack that was made, without its bytes.
type madePack struct {
	store.Exported
	Signed  bool   `json:"signed"`
	Stamped bool   `json:"stamped"`
	Lacks   []lack `json:"lacks"`
}

// sees reports whether a person may hand out a case and sees it; false if it answered instead. The
// look is in the reading log.
func (a *API) sees(w http.ResponseWriter, r *http.Request, s *session, no string) bool {
	if !slices.ContainsFunc(store.MayExport(), func(role string) bool { return slices.Contains(s.person.Roles, role) }) {
		a.refused(w, casework.NotAllowed)
		return false
	}
	got, _, err := a.o.Store.Work(r.Context(), a.o.Now(), s.Person, `"by":`+quoted(s.Person)+`,"show":`+quoted(no))
	switch {
	case err != nil:
		a.broken(w, r, err)
	case got.Refused != "":
		a.refused(w, got.Refused)
	default:
		return true
	}
	return false
}

// makePack makes an evidence pack of a case at the version that was looked at (evidence.md § 5).
func (a *API) makePack(w http.ResponseWriter, r *http.Request, s *session) {
	var in struct {
		Case, For, Reader string
		Expect            int64
	}
	if !a.body(w, r, &in) {
		return
	}
	switch {
	case !slices.Contains(store.Profiles(), in.For) || in.Expect < 1 || !casework.OneLine(in.Reader, store.MostReader):
		a.refused(w, casework.BadInput)
		return
	case a.o.Export == nil:
		a.refuse(w, noPacks)
		return
	case !a.sees(w, r, s, in.Case):
		return
	}
	// A client that goes away must not end the transaction: the desk would be read again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), packTime)
	defer cancel()
	if http.NewResponseController(w).SetWriteDeadline(time.Now().Add(packTime+streamWrite)) != nil {
		return // the connection is gone
	}
	select {
	case a.packing <- struct{}{}:
		defer func() { <-a.packing }()
	case <-ctx.Done():
		a.refuse(w, noAnswer)
		return
	}
	again := s.Person + "/" + r.Header.Get("Idempotency-Key") + "/" + in.Case + "/" + in.For
	if made, found := a.packs[again]; found && r.Header.Get("Idempotency-Key") != "" {
		a.respond(w, http.StatusOK, made)
		return
	}
	e, err := a.o.Export(ctx, store.Exporting{Case: in.Case, Profile: in.For, Reader: in.Reader, Expect: in.Expect, By: s.Person})
	switch {
	case errors.Is(err, store.ErrNotFound):
		a.refused(w, casework.NotFound)
	case err != nil:
		a.broken(w, r, err)
	case e.Refused.Refused != "":
		a.refused(w, e.Refused.Refused)
	default:
		a.o.Log.Info("evidence.exported", "pack", e.Pack, "case", e.Case, "for", e.Profile, "person", s.Person)
		e.File = nil // the store has it
		made := madePack{Exported: e, Signed: e.Signed, Stamped: e.Stamped, Lacks: []lack{}}
		for _, l := range e.Lacks {
			made.Lacks = append(made.Lacks, lack{l.Terminal, l.Why})
		}
		if len(a.packs) >= mostPacks {
			clear(a.packs)
		}
		a.packs[again] = made
		a.respond(w, http.StatusOK, made)
	}
}

// getPack sends a pack that was made, the very bytes, as a file to be saved.
func (a *API) getPack(w http.ResponseWriter, r *http.Request, s *session) {
	no := r.PathValue("no")
	if !a.query(w, r, none) || !a.sees(w, r, s, no) {
		return
	}
	e, err := a.o.Store.Again(r.Context(), r.PathValue("pack"))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && e.Case != no:
		a.refused(w, casework.NotFound)
	case err != nil:
		a.broken(w, r, err)
	default:
		h := w.Header()
		h.Set("Content-Type", "application/vnd.etsi.asic-e+zip")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": e.Pack + ".asice"}))
		_, _ = w.Write(e.File) // a client that went away does not get it
	}
}
