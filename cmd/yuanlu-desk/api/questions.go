package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
)

var errAmbiguous = errors.New("several terminals have a case with this id; name one with ?terminal=")

// query reads the members of a question; the first that is wrong is the error, and
// so is one that was not asked for.
type query struct {
	r      *http.Request
	values url.Values
	used   []string
	err    error
}

func (q *query) text(name string, among ...string) string {
	q.used = append(q.used, name)
	v := q.values.Get(name)
	if v != "" && len(among) > 0 && !slices.Contains(among, v) {
		q.fail(name, strings.Join(among, ", "))
	}
	if len(v) > 256 || strings.ContainsRune(v, 0) {
		q.fail(name, "at most 256 characters")
		return ""
	}
	return v
}

func (q *query) fail(name, want string) {
	if q.err == nil {
		q.err = &errQuery{name, want}
	}
}

func (q *query) number(name string, least, most int64) int64 {
	v := q.text(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < least || n > most {
		q.fail(name, "a number from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
		return 0
	}
	return n
}

func (q *query) n(name string) int64 { return q.number(name, 0, 1<<62) }

// limit is the size of a page; one more is read to know whether another follows.
func (q *query) limit() int {
	if n := q.number("limit", 1, store.MaxLimit-1); n > 0 {
		return int(n)
	}
	return 100
}

func (q *query) time(name string) time.Time {
	v := q.text(name)
	if v == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		q.fail(name, "a time, as 2026-08-23T09:00:00Z")
	}
	return t
}

// done reports what was wrong. Answers call it before they ask the store.
func (q *query) done() error {
	for name := range q.values {
		if !slices.Contains(q.used, name) {
			q.fail(name, "one of "+strings.Join(q.used, ", "))
		}
	}
	return q.err
}

// next is the query of the next page: the same with one member set.
func (q *query) next(name, value string) *string {
	v := url.Values{}
	for k, all := range q.values {
		v[k] = all
	}
	v.Set(name, value)
	link := q.r.URL.Path + "?" + v.Encode()
	return &link
}

// paged cuts a list that was read with one more than its limit.
func paged[T any](q *query, list []T, limit int, name string, place func(*T) string) ([]T, *string) {
	if len(list) <= limit {
		return list, nil
	}
	list = list[:limit]
	return list, q.next(name, place(&list[limit-1]))
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func (a *API) status(ctx context.Context, q *query) (any, error) {
	if err := q.done(); err != nil {
		return nil, err
	}
	totals, err := a.o.Store.Totals(ctx)
	if err != nil {
		return nil, err
	}
	log, err := a.o.Store.LogState(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ready": a.o.Ready(), "store": a.o.Store.Kind(), "totals": totals, "evidence": log, "consumer": a.o.Status(), "now": a.o.Now().UTC()}, nil
}

func (a *API) cases(ctx context.Context, q *query) (any, error) {
	limit := q.limit()
	f := store.CaseFilter{Before: q.n("before"), Terminal: q.text("terminal"), State: q.text("state", store.CaseOpen, store.CaseCleared),
		Decision: q.text("decision"), Recipient: q.text("recipient"), Merchant: q.text("merchant_id"),
		MinSeverity: store.SeverityRank(q.text("severity", "info", "low", "medium", "high", "critical")),
		Since:       q.time("since"), Until: q.time("until"), Limit: limit + 1}
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.Cases(ctx, f)
	if err != nil {
		return nil, err
	}
	list, next := paged(q, list, limit, "before", func(c *store.CaseRow) string { return number(c.N) })
	return map[string]any{"cases": list, "next": next}, nil
}

func (a *API) oneCase(ctx context.Context, q *query) (any, error) {
	terminal := q.text("terminal")
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.Case(ctx, strings.ToUpper(q.r.PathValue("id")), terminal)
	if err != nil {
		return nil, err
	}
	if len(list) > 1 {
		return nil, errAmbiguous
	}
	return list[0], nil
}

func (a *API) events(ctx context.Context, q *query) (any, error) {
	limit := q.limit()
	f := store.EventFilter{After: q.n("after"), Terminal: q.text("terminal"), Kind: q.text("kind", "case", "event"), Type: q.text("type"),
		Stream: q.text("stream"), CaseID: q.text("case_id"), BySequence: q.text("order", "n", "sequence") == "sequence", Limit: limit + 1}
	if f.BySequence && (f.Terminal == "" || f.Stream == "" || f.Kind == "event") {
		q.fail("order", "sequence together with terminal and stream only: each stream has an order of its own")
	}
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.Events(ctx, f)
	if err != nil {
		return nil, err
	}
	list, next := paged(q, list, limit, "after", func(e *store.EventRow) string {
		if f.BySequence {
			return number(e.Seq)
		}
		return number(e.N)
	})
	return map[string]any{"events": list, "next": next}, nil
}

func (a *API) terminals(ctx context.Context, q *query) (any, error) {
	limit := q.limit()
	f := store.TerminalFilter{After: q.text("after"), Presence: q.text("presence"), Limit: limit + 1}
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.Terminals(ctx, f, a.o.Now())
	if err != nil {
		return nil, err
	}
	list, next := paged(q, list, limit, "after", func(t *store.TerminalRow) string { return t.Terminal })
	return map[string]any{"terminals": list, "next": next}, nil
}

func (a *API) terminal(ctx context.Context, q *query) (any, error) {
	if err := q.done(); err != nil {
		return nil, err
	}
	return a.o.Store.Terminal(ctx, q.r.PathValue("terminal"), a.o.Now())
}

func (a *API) gaps(ctx context.Context, q *query) (any, error) {
	limit := q.limit()
	f := store.StreamFilter{Terminal: q.text("terminal"), Incomplete: q.text("all", "1") == "", Limit: limit + 1}
	if after := q.text("after"); after != "" {
		f.After.Terminal, f.After.Stream, _ = strings.Cut(after, "/")
	}
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.Streams(ctx, f)
	if err != nil {
		return nil, err
	}
	list, next := paged(q, list, limit, "after", func(s *store.StreamRow) string { return s.Terminal + "/" + s.Stream })
	return map[string]any{"streams": list, "next": next}, nil
}

func (a *API) quarantine(ctx context.Context, q *query) (any, error) {
	limit := q.limit()
	f := store.RefusedFilter{Terminal: q.text("terminal"), Code: q.text("code"), Before: q.n("before"), Limit: limit + 1}
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.Quarantine(ctx, f)
	if err != nil {
		return nil, err
	}
	list, next := paged(q, list, limit, "before", func(r *store.Refused) string { return number(r.N) })
	return map[string]any{"quarantine": list, "next": next}, nil
}

func (a *API) kept(ctx context.Context, q *query) (any, error) {
	if err := q.done(); err != nil {
		return nil, err
	}
	return a.o.Store.Kept(ctx, number64(q.r))
}

// alarms are those about logs of terminals (evidence.md § 2).
func (a *API) alarms(ctx context.Context, q *query) (any, error) {
	terminal := q.text("terminal")
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.LogAlarms(ctx, terminal)
	return map[string]any{"alarms": list}, err
}

func (a *API) actions(ctx context.Context, q *query) (any, error) {
	limit := q.limit()
	terminal, before := q.text("terminal"), q.n("before")
	if err := q.done(); err != nil {
		return nil, err
	}
	list, err := a.o.Store.Actions(ctx, terminal, before, limit+1)
	if err != nil {
		return nil, err
	}
	list, next := paged(q, list, limit, "before", func(r *store.Action) string { return number(r.N) })
	return map[string]any{"actions": list, "next": next}, nil
}
