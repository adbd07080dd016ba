package report

import (
	"slices"
	"sync"
	"time"

	"yuanlu/protocol/topics"
)

// Bounds of the reconnecting (rule 10).
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
// two clients with one id would kick each other without end.
func (b *backoff) connected(good time.Duration) {
	if good >= backoffGood {
		b.limit = 0
	}
}

// kicks counts how often a broker ends a good connection and takes the next one
// at the first try (rule 11): a broker that is going away does not.
type kicks struct {
	pending bool
	at      []time.Time
}

func (k *kicks) lost() { k.pending = true }
func (k *kicks) away() { k.pending = false }

// back notes a new connection; true: kicked out twice within two minutes.
func (k *kicks) back(now time.Time) bool {
	if !k.pending {
		return false
	}
	k.pending = false
	k.at = slices.DeleteFunc(k.at, func(t time.Time) bool { return now.Sub(t) > 2*time.Minute || now.Before(t) })
	if k.at = append(k.at, now); len(k.at) < 2 {
		return false
	}
	k.at = nil
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

// list gives the problems by code.
func (p *problems) list() []topics.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []topics.Problem{}
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
		list = append(list, topics.Problem{Code: code, Since: topics.At(one.since), Text: one.text})
	}
	slices.SortFunc(list, func(a, b topics.Problem) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return list
}

// host is the presence of the back office that the cases wait for (rule 7).
// Safe for concurrent use.
type host struct {
	now    func() time.Time
	synced func() bool // whether now is trusted

	mu        sync.Mutex
	known     bool          // guarded by mu
	online    bool          // guarded by mu
	timestamp int64         // guarded by mu: of the state that counts, milliseconds
	changed   chan struct{} // guarded by mu: closed at the next change
}

// hostAhead is how far a back office's clock may be ahead of ours.
const hostAhead = 5 * time.Minute

func newHost(now func() time.Time, synced func() bool) *host {
	return &host{now: now, synced: synced, changed: make(chan struct{})}
}

// say takes a new state. By a trusted clock one older than the newest is ignored, such
// as the will of an earlier connection; a timestamp more than hostAhead ahead orders
// nothing: an offline with it is ignored, an online is taken, and so is whatever follows
// it, for nothing may hold the cases until a wrong clock is reached. While the clock is
// not trusted the state that came last counts.
func (h *host) say(s topics.HostState) {
	synced, limit := h.synced(), h.now().Add(hostAhead).UnixMilli()
	h.mu.Lock()
	defer h.mu.Unlock()
	if synced && !s.Online && s.Timestamp > limit {
		return
	}
	if synced && h.known && h.timestamp <= limit && s.Timestamp < h.timestamp {
		return
	}
	changed := !h.known || h.online != s.Online
	h.known, h.online, h.timestamp = true, s.Online, s.Timestamp
	if changed {
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

// look gives what is known and a channel that is closed when that changes.
func (h *host) look() (known, online bool, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known, h.online, h.changed
}
