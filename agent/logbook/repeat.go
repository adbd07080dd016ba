package logbook

import (
	"container/list"
	"hash/maphash"
	"strings"
	"time"
)

const (
	// maxRepeats is how many different lines are watched for repeats at a time;
	// the one not seen for longest makes room.
	maxRepeats = 512
	// repeatQuiet is the silence after which a line counts as new again.
	repeatQuiet = 10 * time.Minute
)

// repeats counts lines by what they say (level, code, fields). It is guarded by
// the Book's mutex.
type repeats struct {
	seed  maphash.Seed
	seen  map[uint64]*list.Element
	order *list.List // of *repeated, most recent first
	// stands holds, for what has a state (each link, the broker, the store), the code
	// of the line that said it last.
	stands map[string]string
}

type repeated struct {
	key   uint64
	count int
	next  int // the count at which it is said again
	last  time.Time
}

func newRepeats() *repeats {
	return &repeats{seed: maphash.MakeSeed(), seen: map[uint64]*list.Element{}, order: list.New(), stands: map[string]string{}}
}

// changes reports whether the line says another state than the one said last: a
// technician who pulls a cable twice wants to read twice that it is back. The back-off
// of what reconnects bounds how many such lines there can be.
func (r *repeats) changes(l *Line) bool {
	subject, _, _ := strings.Cut(l.Code, ".")
	switch subject {
	case "link":
		subject += " " + l.Field("link")
	case "mqtt", "store":
	default:
		return false
	}
	if r.stands[subject] == l.Code {
		return false
	}
	if len(r.stands) >= maxRepeats {
		clear(r.stands)
	}
	r.stands[subject] = l.Code
	return true
}

// say counts the line and reports whether to say it now: at 1, 10, 100 …
func (r *repeats) say(l *Line) bool {
	var h maphash.Hash
	h.SetSeed(r.seed)
	h.WriteString(levelName(l.Level))
	h.WriteByte(0)
	h.WriteString(l.Code)
	h.WriteByte(0)
	h.WriteString(l.Fields)
	key := h.Sum64()
	changed := r.changes(l)
	e, ok := r.seen[key]
	if !ok {
		r.insert(key, l.Time)
		return true
	}
	r.order.MoveToFront(e)
	n, _ := e.Value.(*repeated)
	quiet := l.Time.Sub(n.last)
	n.last = l.Time
	if quiet > repeatQuiet || changed {
		n.count, n.next = 1, 10
		return true
	}
	n.count++
	if n.count < n.next {
		return false
	}
	n.next *= 10
	l.Repeat = n.count
	return true
}

func (r *repeats) insert(key uint64, at time.Time) {
	if len(r.seen) >= maxRepeats {
		oldest := r.order.Back()
		if n, ok := oldest.Value.(*repeated); ok {
			delete(r.seen, n.key)
		}
		r.order.Remove(oldest)
	}
	r.seen[key] = r.order.PushFront(&repeated{key: key, count: 1, next: 10, last: at})
}
