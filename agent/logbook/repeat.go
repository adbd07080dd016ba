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

// repeats counts equal lines: level, code and the fields that do not change
// from one to the next. It is guarded by the Book's mutex.
type repeats struct {
	seed  maphash.Seed
	seen  map[uint64]*list.Element
	order *list.List // of *repeated, most recent first
	// noise holds, by link, the line about bytes outside good frames, which no number of
	// other lines pushes out; at most maxRepeats.
	noise map[string]*repeated
	// stands holds, for what has a state (each link, the broker, the store), the code
	// of the line that logged it last.
	stands map[string]string
}

type repeated struct {
	key   uint64
	count int
	next  int // the count at which it is logged again
	last  time.Time
}

func newRepeats() *repeats {
	return &repeats{seed: maphash.MakeSeed(), seen: map[uint64]*list.Element{}, order: list.New(), noise: map[string]*repeated{}, stands: map[string]string{}}
}

// changes reports whether the line logs another state than the one logged last: a
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

// due counts the line and reports whether to log it now: at 1, 10, 100 … A line that
// is about a case is always logged.
func (r *repeats) due(l *Line) bool {
	changed := r.changes(l)
	switch {
	case IsCase(*l):
		return true
	case l.Code == noiseCode:
		return r.dueNoise(l)
	}
	key := r.key(l)
	e, ok := r.seen[key]
	if !ok {
		r.insert(key, l.Time)
		return true
	}
	r.order.MoveToFront(e)
	n, _ := e.Value.(*repeated)
	return n.due(l, changed)
}

// noiseCode is the code of the lines about bytes that belong to no good frame. Those of
// a link are one line, whatever numbers stand in them (cli.md).
const noiseCode = "frame.bad"

func (r *repeats) dueNoise(l *Line) bool {
	link := l.Field("link")
	n := r.noise[link]
	if n == nil {
		if len(r.noise) >= maxRepeats {
			clear(r.noise)
		}
		r.noise[link] = &repeated{count: 1, next: 10, last: l.Time}
		return true
	}
	return n.due(l, false)
}

// volatile names the fields that are another number each time, and so no part of what
// repeats.
func volatile(field string) bool {
	switch field {
	case "offset", "skipped", "frames", "bytes", "waiting":
		return true
	}
	return false
}

// key hashes a line without its volatile fields.
func (r *repeats) key(l *Line) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	write := func(s string) {
		h.WriteString(s)
		h.WriteByte(0)
	}
	write(levelName(l.Level))
	write(l.Code)
	for k, v := range l.Pairs() {
		if !volatile(k) {
			write(k)
			write(v)
		}
	}
	return h.Sum64()
}

// due counts one more of the same, and reports whether to log it.
func (n *repeated) due(l *Line, changed bool) bool {
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
