package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
)

// Times of a stream.
const (
	streamBeat  = 15 * time.Second // a comment, so that a dead connection is noticed
	streamLook  = time.Second      // for what other desks on the same database commit
	streamWrite = 10 * time.Second
	streamPart  = 200
	mostStreams = 64
)

// frame is one thing that a stream sends.
type frame struct {
	n    int64
	kind string
	data any
}

// position is the number behind which a stream begins; given false: from now on.
func position(q *query) (after int64, given bool) {
	after, given = q.n("after"), q.values.Has("after")
	if n, err := strconv.ParseInt(q.r.Header.Get("Last-Event-ID"), 10, 64); err == nil && n >= 0 {
		return n, true
	}
	return after, given
}

// stream sends what changes, in the order of the store's numbers. Terminals and
// gaps are sent as they are when they are sent: of several changes only the last
// may be seen.
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	if asPerson(r) {
		a.with(a.watch)(w, r)
		return
	}
	q := &query{r: r, values: r.URL.Query()}
	after, given := position(q)
	kinds := strings.FieldsFunc(q.text("kinds"), func(c rune) bool { return c == ',' })
	for _, k := range kinds {
		if !slices.Contains([]string{"case", "event", "terminal", "gap"}, k) {
			q.fail("kinds", "case, event, terminal, gap, with commas between")
		}
	}
	if err := q.done(); err != nil {
		a.fail(w, http.StatusBadRequest, "query", err.Error())
		return
	}
	select {
	case a.open <- struct{}{}:
		defer func() { <-a.open }()
	default:
		a.fail(w, http.StatusServiceUnavailable, "streams", "64 streams are open already")
		return
	}
	if !given { // from now on
		n, err := a.o.Store.Newest(r.Context())
		if err != nil {
			a.fail(w, http.StatusServiceUnavailable, "store", "the store does not answer")
			return
		}
		after = n
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	s := &streaming{a: a, outlet: outlet{w, http.NewResponseController(w)}, kinds: kinds, after: after}
	s.run(r.Context())
}

// outlet is where server-sent events go.
type outlet struct {
	w   http.ResponseWriter
	out *http.ResponseController
}

// write sends a text now; a client that does not take it within streamWrite is cut off.
func (o outlet) write(text string) error {
	if err := o.out.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := o.w.Write([]byte(text)); err != nil {
		return err
	}
	return o.out.Flush()
}

type streaming struct {
	outlet
	a     *API
	kinds []string
	after int64
}

// run sends until the client or the server has enough.
func (s *streaming) run(ctx context.Context) {
	if s.write(": yuanlu-desk\n\n") != nil {
		return
	}
	look := time.NewTicker(streamLook)
	defer look.Stop()
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		changed := s.a.o.Store.Changed() // before looking: what comes meanwhile wakes
		more, err := s.send(ctx)
		if err != nil {
			return
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.a.stop:
			return
		case <-beat.C:
			if s.write(": \n\n") != nil {
				return
			}
		case <-changed:
		case <-look.C:
		}
	}
}

// send sends one part; more: there was as much as fits in one.
func (s *streaming) send(ctx context.Context) (more bool, err error) {
	list, more, err := s.collect(ctx)
	if err != nil {
		if ctx.Err() == nil { // else the client has gone
			s.a.o.Log.Warn("api.stream", "err", err)
		}
		return false, nil // the store is away: the next look may find it
	}
	var b strings.Builder
	for _, f := range list {
		data, err := json.Marshal(f.data)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", f.n, f.kind, data)
		s.after = f.n
	}
	if b.Len() == 0 {
		return false, nil
	}
	return more, s.write(b.String())
}

func (s *streaming) wants(kind string) bool {
	return len(s.kinds) == 0 || slices.Contains(s.kinds, kind)
}

// collect reads what came after s.after, in order, as far as all kinds are known.
func (s *streaming) collect(ctx context.Context) (list []frame, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	until, err := s.a.o.Store.Newest(ctx) // what is committed while we look comes next time
	if err != nil {
		return nil, false, err
	}
	for _, ask := range []func(context.Context) ([]frame, error){s.events, s.terminals, s.gaps} {
		part, err := ask(ctx)
		if err != nil {
			return nil, false, err
		}
		if len(part) == streamPart {
			until, more = min(until, part[streamPart-1].n), true
		}
		list = append(list, part...)
	}
	slices.SortStableFunc(list, func(x, y frame) int { return int(max(-1, min(1, x.n-y.n))) })
	return slices.DeleteFunc(list, func(f frame) bool { return f.n > until }), more, nil
}

// events reads the first cases and events after s.after, as far as they are wanted.
func (s *streaming) events(ctx context.Context) (list []frame, err error) {
	f := store.EventFilter{After: s.after, Limit: streamPart}
	switch cases, others := s.wants("case"), s.wants("event"); {
	case cases && !others:
		f.Kind = "case"
	case others && !cases:
		f.Kind = "event"
	case !others:
		return nil, nil
	}
	rows, err := s.a.o.Store.Events(ctx, f)
	for _, e := range rows {
		list = append(list, frame{e.N, e.Kind, e})
	}
	return list, err
}

// terminals reads the first terminals that changed after s.after, if they are wanted.
func (s *streaming) terminals(ctx context.Context) (list []frame, err error) {
	if !s.wants("terminal") {
		return nil, nil
	}
	rows, err := s.a.o.Store.Terminals(ctx, store.TerminalFilter{Changed: true, ChangedAfter: s.after, Limit: streamPart}, s.a.o.Now())
	for _, t := range rows {
		list = append(list, frame{t.N, "terminal", t})
	}
	return list, err
}

// gaps reads the first streams that changed after s.after, if they are wanted.
func (s *streaming) gaps(ctx context.Context) (list []frame, err error) {
	if !s.wants("gap") {
		return nil, nil
	}
	rows, err := s.a.o.Store.Streams(ctx, store.StreamFilter{Changed: true, ChangedAfter: s.after, Limit: streamPart})
	for _, one := range rows {
		list = append(list, frame{one.N, "gap", one})
	}
	return list, err
}
