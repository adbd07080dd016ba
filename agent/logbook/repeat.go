package logbook

import (
	"container/list"
	"hash/maphash"
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
}

type repeated struct {
	key   uint64
	count int
	next  int // the count at which it is said again
	last  time.Time
}

func newRepeats() *repeats {
	return &repeats{seed: maphash.MakeSeed(), seen: map[uint64]*list.Element{}, order: list.New()}
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
	e, ok := r.seen[key]
	if !ok {
		r.insert(key, l.Time)
		return true
	}
	r.order.MoveToFront(e)
	n, _ := e.Value.(*repeated)
	quiet := l.Time.Sub(n.last)
	n.last = l.Time
	if quiet > repeatQuiet {
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
