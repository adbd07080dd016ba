package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
)

// Bounds of the streams of people.
const (
	watchPause  = 200 * time.Millisecond // between two looks at the store, for all streams together
	watchPart   = 500                    // events of one look
	watchKept   = 2048                   // changes that are kept for streams that are behind
	mostWatches = 512
	mostOfOne   = 8 // streams of one person
)

// asPerson reports whether a request bears the cookie of a session, and no token.
func asPerson(r *http.Request) bool {
	_, err := r.Cookie(cookie)
	return err == nil && r.Header.Get("Authorization") == ""
}

// feed is what changed in the case desk, looked up once for all streams of people.
type feed struct {
	store *store.Store
	turn  chan struct{} // holds one while somebody uses what follows

	changed    <-chan struct{} // closed: something was committed since the last look
	looked     time.Time
	list       []store.WorkChange // in (from, upto], by number
	from, upto int64
}

func newFeed(s *store.Store) *feed { return &feed{store: s, turn: make(chan struct{}, 1)} }

// since returns what changed behind a number, and up to where that is everything. A number
// below 0 is now. It returns within questionTime and watchPause.
func (f *feed) since(ctx context.Context, after int64) (list []store.WorkChange, upto int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	list, upto, behind, err := f.next(ctx, after)
	<-f.turn
	if behind {
		return f.store.WorkChanges(ctx, after, watchPart)
	}
	return list, upto, err
}

// next is since with the turn; behind: what is wanted is kept no longer.
func (f *feed) next(ctx context.Context, after int64) (list []store.WorkChange, upto int64, behind bool, err error) {
	if err := f.look(ctx); err != nil {
		return nil, 0, false, err
	}
	if after < 0 {
		return nil, f.upto, false, nil
	}
	if after < f.from {
		return nil, 0, true, nil
	}
	for i := range f.list {
		if f.list[i].N > after {
			list = append(list, f.list[i])
		}
	}
	return list, f.upto, false, nil
}

// look reads what is new, but not sooner than watchPause after the look before.
func (f *feed) look(ctx context.Context) error {
	select {
	case <-f.changed: // nil at first: waits for nothing
	default:
		if time.Since(f.looked) < streamLook {
			return nil
		}
	}
	select {
	case <-time.After(watchPause - time.Since(f.looked)):
	case <-ctx.Done():
		return ctx.Err()
	}
	first := f.looked.IsZero()
	after := f.upto
	if first {
		after = -1
	}
	changed := f.store.Changed()
	list, upto, err := f.store.WorkChanges(ctx, after, watchPart)
	if err != nil {
		return err
	}
	f.changed, f.looked, f.upto = changed, time.Now(), upto
	if first {
		f.from = upto
	}
	f.list = append(f.list, list...)
	if over := len(f.list) - watchKept; over > 0 {
		f.from = f.list[over-1].N
		f.list = append([]store.WorkChange{}, f.list[over:]...)
	}
	return nil
}

// watchers counts the streams of people.
type watchers struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// enter counts one more; false: there are enough.
func (c *watchers) enter(person string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= mostWatches || c.of[person] >= mostOfOne {
		return false
	}
	c.all++
	c.of[person]++
	return true
}

func (c *watchers) leave(person string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[person]--; c.of[person] == 0 {
		delete(c.of, person)
	}
}

// watch sends {"case","version"} of what changes and the person sees, until the session ends
// (casework.md § 13). It is no use of the session: an open page does not keep it.
func (a *API) watch(w http.ResponseWriter, r *http.Request, s *session) {
	var after int64
	var given bool
	if !a.query(w, r, func(q *query) { after, given = position(q) }) {
		return
	}
	if !a.watching.enter(s.Person) {
		a.refuse(w, manyStreams)
		return
	}
	defer a.watching.leave(s.Person)
	if !given {
		after = -1
	}
	list, upto, err := a.feed.since(r.Context(), after)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	v := &watch{a: a, outlet: outlet{w, http.NewResponseController(w)}, s: s, after: upto}
	if v.write(": yuanlu-desk\n\n") == nil && v.send(list, upto) == nil {
		v.run(r.Context())
	}
}

// watch is the stream of one session.
type watch struct {
	outlet
	a     *API
	s     *session
	after int64
}

// run sends until the client, the session or the server ends.
func (v *watch) run(ctx context.Context) {
	look := time.NewTicker(streamLook)
	defer look.Stop()
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		changed := v.a.o.Store.Changed() // before looking: what comes meanwhile wakes
		list, upto, err := v.a.feed.since(ctx, v.after)
		lasts := v.lasts(ctx) // behind looking: a change of the person himself ends it first
		switch {
		case lasts != nil && errors.Is(lasts, store.ErrNotFound):
			return
		case ctx.Err() != nil: // the client has gone
			return
		case err != nil || lasts != nil: // the store is away: the next look may find it
			v.a.o.Log.Warn("api.stream", "err", errors.Join(err, lasts))
		case v.send(list, upto) != nil:
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-v.a.stop:
			return
		case <-beat.C:
			if v.write(": \n\n") != nil {
				return
			}
		case <-changed:
		case <-look.C:
		}
	}
}

// lasts returns store.ErrNotFound when the session has ended.
func (v *watch) lasts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	_, err := v.a.o.Store.Lasts(ctx, v.s.Hash, v.a.o.Now())
	return err
}

// send sends what the person sees of a list, each case once.
func (v *watch) send(list []store.WorkChange, upto int64) error {
	last := map[string]int64{}
	for _, c := range list {
		last[c.Case] = c.N
	}
	var b strings.Builder
	for _, c := range list {
		if last[c.Case] == c.N && v.s.person.Watches(c.Case, c.Stores) {
			fmt.Fprintf(&b, "id: %d\ndata: {\"case\":%s,\"version\":%d}\n\n", c.N, quoted(c.Case), c.Version)
		}
	}
	v.after = upto
	if b.Len() == 0 {
		return nil
	}
	return v.write(b.String())
}
