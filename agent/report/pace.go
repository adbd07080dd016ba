package report

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"yuanlu/agent/health"
	"yuanlu/protocol/topics"
)

// Bounds of the reconnecting (topics.md rule 10).
const (
	backoffFirst = time.Second
	backoffMost  = 60 * time.Second
	backoffGood  = 60 * time.Second // a connection this old resets the back-off
)

// backoff is full jitter: a random part of 1 s, 2 s, 4 s … 60 s. Not safe for
// concurrent use.
type backoff struct {
	rand  func() float64
	limit time.Duration // 0: backoffFirst
}

func (b *backoff) next() time.Duration {
	if b.limit == 0 {
		b.limit = backoffFirst
	}
	d := time.Duration(b.rand() * float64(b.limit))
	b.limit = min(2*b.limit, backoffMost)
	return d
}

// connected notes how long a connection was good. A short one resets nothing:
// two clients with one id would take over from each other without end.
func (b *backoff) connected(good time.Duration) {
	if good >= backoffGood {
		b.limit = 0
	}
}

// What counts as a takeover of the client id (topics.md rule 11). MQTT 3.1.1 has no field for
// why a broker ends a connection. A second client with the same id shows like this: a
// connection that was good for takeoverAfter is closed by its peer, the same address accepts
// the next one before an attempt at any address has failed, and that happens at one address
// twice within takeoverWithin. Before a broker that is going away an attempt fails first;
// when a node of a cluster dies, another address accepts the next connection.
const (
	takeoverAfter  = 100 * time.Millisecond // another client that connects at once again leaves no more
	takeoverWithin = 2 * time.Minute
)

// takeovers counts them by address. Not safe for concurrent use.
type takeovers struct {
	pending map[string]bool        // closed by the peer, and not taken back yet
	at      map[string][]time.Time // taken back, by time.Now
}

func (t *takeovers) closedByPeer(address string) {
	if t.pending == nil {
		t.pending, t.at = map[string]bool{}, map[string][]time.Time{}
	}
	t.pending[address] = true
}

// failed notes an attempt that has failed.
func (t *takeovers) failed() { clear(t.pending) }

// connected notes a new connection; true: at its address the id was taken over twice.
func (t *takeovers) connected(address string, now time.Time) bool {
	for one, list := range t.at {
		if t.at[one] = slices.DeleteFunc(list, func(t time.Time) bool { return now.Sub(t) > takeoverWithin }); len(t.at[one]) == 0 {
			delete(t.at, one)
		}
	}
	if !t.pending[address] {
		return false
	}
	delete(t.pending, address)
	if t.at[address] = append(t.at[address], now); len(t.at[address]) < 2 {
		return false
	}
	delete(t.at, address)
	return true
}

// bucket lets burst things through at once and then one per every. Safe for
// concurrent use.
type bucket struct {
	now   func() time.Time
	burst int
	every time.Duration

	mu     sync.Mutex
	tokens int       // guarded by mu
	last   time.Time // guarded by mu: when tokens was right
	missed int64     // guarded by mu: what was held back since the last let through
}

func newBucket(now func() time.Time, burst int, every time.Duration) *bucket {
	return &bucket{now: now, burst: burst, every: every, tokens: burst, last: now()}
}

// take reports whether one more may pass, and how many were held back before.
func (b *bucket) take() (missed int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if n := int(now.Sub(b.last) / b.every); n > 0 || now.Before(b.last) {
		b.tokens = min(b.burst, b.tokens+max(n, 0))
		b.last = now
	}
	if b.tokens == 0 {
		b.missed++
		return 0, false
	}
	b.tokens--
	missed, b.missed = b.missed, 0
	return missed, true
}

// problems are what is wrong with reporting, for health. Safe for concurrent use.
type problems struct {
	now func() time.Time

	mu  sync.Mutex
	all map[string]problem // guarded by mu, by code
}

type problem struct {
	text  string
	since time.Time
	lasts time.Duration // 0: until cleared
	until time.Time     // of one that lasts
}

func newProblems(now func() time.Time) *problems {
	return &problems{now: now, all: map[string]problem{}}
}

// set notes a problem, for a time if lasting > 0. It reports whether it is new.
func (p *problems) set(code, text string, lasting time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, there := p.all[code]
	now := p.now()
	next := problem{text: text, since: now, lasts: lasting, until: now.Add(lasting)}
	if there {
		next.since = old.since
	}
	p.all[code] = next
	return !there
}

// clear takes a problem back. It reports whether it was there.
func (p *problems) clear(code string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, there := p.all[code]
	delete(p.all, code)
	return there
}

// list returns the problems by code.
func (p *problems) list() []health.BrokerProblem {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []health.BrokerProblem{}
	now := p.now()
	for code, one := range p.all {
		if one.lasts > 0 && now.After(one.until) {
			delete(p.all, code)
			continue
		}
		if one.lasts > 0 && one.until.Sub(now) > one.lasts { // the clock was set back
			one.until = now.Add(one.lasts)
			p.all[code] = one
		}
		list = append(list, health.BrokerProblem{Code: code, Since: one.since, Text: one.text})
	}
	slices.SortFunc(list, func(a, b health.BrokerProblem) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return list
}

// host is the presence of the back office that the cases wait for (topics.md rule 7).
// Safe for concurrent use.
type host struct {
	clock Clock

	mu        sync.Mutex
	known     bool          // guarded by mu
	online    bool          // guarded by mu
	timestamp int64         // guarded by mu: of the state that counts, milliseconds
	before    int64         // guarded by mu: of the session before, whose will may still come; 0: none
	changed   chan struct{} // guarded by mu: closed at the next change
	births    int           // guarded by mu: how often it came back
	served    int           // guarded by mu: of births, for which all was sent again
	servedAt  time.Time     // guarded by mu: by time.Now
}

// resendEvery is the least time between two rounds in which all is sent again because the
// back office came back: one that comes and goes all the time must make no storm.
const resendEvery = 30 * time.Second

// hostAhead is how far a back office's clock may be ahead of ours.
const hostAhead = 5 * time.Minute

func newHost(clock Clock) *host { return &host{clock: clock, changed: make(chan struct{})} }

// status returns the presence for health.
func (h *host) status() *health.Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &health.Host{Known: h.known, Online: h.online}
	if h.known {
		s.At = time.UnixMilli(h.timestamp)
	}
	return s
}

// errStale is a state of the back office that does not count.
var errStale = errors.New("report: a state that does not count")

// update takes a new state, or returns by which code and why it does not count.
//
// By a trusted clock the newer timestamp counts, and of two equal ones the one that came
// last. Each online begins a session. An offline older than it is the will of that
// session, made before its birth as most programs do, unless the session before has not
// ended in an offline and is not older than it: then it is that one's will, come late. A
// session has one will, so the next one is not.
//
// A timestamp more than hostAhead ahead orders nothing: an offline with it is ignored, an
// online is taken, and so is whatever follows it, for nothing may hold the cases until a
// wrong clock is reached. While the clock is not trusted the state that came last counts.
func (h *host) update(s topics.HostState) (code string, err error) {
	synced, limit, at := h.clock.Synced(), h.clock.Now().Add(hostAhead).UnixMilli(), s.Millis()
	h.mu.Lock()
	defer h.mu.Unlock()
	if synced && !s.Online && at > limit {
		return "ahead", fmt.Errorf("%w: an offline of %s, more than %s ahead of the terminal's clock", errStale, shownAt(at), hostAhead)
	}
	if synced && h.known && h.timestamp <= limit && at < h.timestamp {
		late := h.before != 0 && at <= h.before
		if s.Online || h.online && late {
			if !s.Online {
				h.before = 0
				h.births++ // the session before broke off: it may have lost what was sent to it
			}
			return "older", fmt.Errorf("%w: online %t of %s, older than the newest, of %s", errStale, s.Online, shownAt(at), shownAt(h.timestamp))
		}
		at = h.timestamp // of the session that it ends
	}
	switch {
	case !s.Online:
		h.before = 0
	case h.known && h.online && at > h.timestamp:
		h.before = h.timestamp
	}
	changed := !h.known || h.online != s.Online
	if changed && s.Online {
		h.births++
	}
	h.known, h.online, h.timestamp = true, s.Online, at
	if changed {
		close(h.changed)
		h.changed = make(chan struct{})
	}
	return "", nil
}

func shownAt(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// presence returns what is known and a channel that is closed when that changes.
func (h *host) presence() (known, online bool, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known, h.online, h.changed
}

// resendDue reports whether the back office came back and not all was sent again since. births
// is for resent; wait is until that may be done, at most resendEvery.
func (h *host) resendDue(now time.Time) (births int, wait time.Duration, owed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.births == h.served {
		return 0, 0, false
	}
	if !h.servedAt.IsZero() {
		wait = max(h.servedAt.Add(resendEvery).Sub(now), 0)
	}
	return h.births, wait, true
}

// resent notes that all is sent again for these births.
func (h *host) resent(births int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.served, h.servedAt = births, now
}
