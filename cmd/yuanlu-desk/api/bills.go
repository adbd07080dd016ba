package api

import (
	"context"
	"io"
	"net/http"
	"path"
	"slices"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// importTime is how long one file of bills may take to come and to be stored.
const importTime = 5 * time.Minute

// importBills stores the bills of a file, which is the body (bills.md § 7). It needs a token
// even on the loopback: what bills prove is acted on. One file is read at a time.
func (a *API) importBills(w http.ResponseWriter, r *http.Request) {
	if a.o.Token == "" {
		a.fail(w, http.StatusForbidden, "token", "to import bills this desk must be started with --token-file")
		return
	}
	if got := a.takeBills(w, r); got != nil {
		a.o.Log.Info("bills.imported", "bills", len(got.Bills), "refused", len(got.Refused))
		a.respond(w, http.StatusOK, got)
	}
}

// mayImport are the roles that import bills on the page.
var mayImport = []string{"manager", "analyst", "supervisor", "finance"}

// putBills is importBills for a person on the page. A bill is of all stores, so it takes a person of all.
func (a *API) putBills(w http.ResponseWriter, r *http.Request, s *session) {
	may := func(role string) bool { return slices.Contains(mayImport, role) }
	if !slices.ContainsFunc(s.person.Roles, may) || !slices.Contains(s.person.Stores, "*") {
		a.refused(w, casework.NotAllowed)
		return
	}
	if got := a.takeBills(w, r); got != nil {
		a.o.Log.Info("bills.imported", "by", s.Person, "bills", len(got.Bills), "refused", len(got.Refused))
		a.respond(w, http.StatusOK, got)
	}
}

// takeBills reads the body and stores its bills; nil if it answered instead, or the client waits no longer.
func (a *API) takeBills(w http.ResponseWriter, r *http.Request) *store.Imported {
	q := &query{r: r, values: r.URL.Query()}
	name := q.text("name")
	if err := q.done(); err != nil {
		a.unanswered(w, r, err)
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), importTime)
	defer cancel()
	select {
	case a.importing <- struct{}{}:
		defer func() { <-a.importing }()
	case <-ctx.Done():
		return nil // the client went away, or waits no longer
	}
	limit := http.NewResponseController(w)
	until := time.Now().Add(importTime)
	if limit.SetReadDeadline(until) != nil || limit.SetWriteDeadline(until.Add(streamWrite)) != nil {
		return nil // the connection is gone
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, bills.MaxFile+1))
	if err != nil {
		a.fail(w, http.StatusBadRequest, "body", "the body ended before its end")
		return nil
	}
	got, err := a.o.Store.ImportBills(ctx, a.o.Now(), bills.File{Name: path.Base("/" + name), Data: data})
	if err != nil {
		a.unanswered(w, r, err)
		return nil
	}
	return got
}

// day answers with the lines of bills.md § 6 about a day.
func (a *API) day(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), questionTime)
	defer cancel()
	q := &query{r: r, values: r.URL.Query()}
	if err := q.done(); err != nil {
		a.unanswered(w, r, err)
		return
	}
	results, totals, err := a.o.Store.Day(ctx, r.PathValue("day"))
	if err != nil {
		a.unanswered(w, r, err)
		return
	}
	var b []byte
	for _, v := range results {
		b = append(v.AppendJSON(b), '\n')
	}
	for _, v := range totals {
		b = append(v.AppendJSON(b), '\n')
	}
	w.Header().Set("Content-Type", "application/jsonl")
	_, _ = w.Write(b) // a client that went away does not get it
}
