package logbook

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"
)

const (
	// rateBurst is how many lines of one code and link may be logged at once, and
	// rateEvery how soon one more may be after that: noise must not blind.
	rateBurst = 10
	rateEvery = time.Second
	// maxRates is how many codes and links are distinguished at a time.
	maxRates = 512
	// leftOutAfter is how long what was left out may wait for another line of its code
	// before it is logged by itself.
	leftOutAfter = 10 * time.Second
)

// rateKey is what has a rate of its own: noise on one link must not hide what the same
// code logs about another.
type rateKey struct{ code, link string }

// rates bounds how often a code is logged. Errors and cases always are. It is guarded by
// the Book's mutex.
type rates struct {
	by      map[rateKey]*rate
	leftOut int // lines, in all of by
}

type rate struct {
	room    time.Duration // what may be logged at once, at rateEvery a line
	at      time.Time     // of room
	leftOut int           // lines since the last one that was logged
}

// allow reports whether to log the line, and notes in it how many of its code were
// left out before it.
func (r *rates) allow(l *Line) bool {
	if l.Level >= slog.LevelError || IsCase(*l) {
		return true
	}
	key := rateKey{l.Code, l.Field("link")}
	one, ok := r.by[key]
	if !ok {
		if len(r.by) >= maxRates {
			r.shrink(l.Time)
		}
		one = &rate{room: rateBurst * rateEvery, at: l.Time}
		r.by[key] = one
	}
	one.fill(l.Time)
	if one.room < rateEvery {
		one.leftOut++
		r.leftOut++
		return false
	}
	one.room -= rateEvery
	r.leftOut -= one.leftOut
	l.LeftOut, one.leftOut = one.leftOut, 0
	return true
}

// fill adds the room that the passed time makes; a clock that is set back makes none.
func (r *rate) fill(now time.Time) {
	r.room = min(r.room+max(now.Sub(r.at), 0), rateBurst*rateEvery)
	r.at = now
}

// shrink forgets those that have all their room, or else the one that has most.
func (r *rates) shrink(now time.Time) {
	if r.by == nil {
		r.by = map[rateKey]*rate{}
	}
	var most *rateKey
	for key, one := range r.by {
		if one.fill(now); one.leftOut > 0 {
			continue
		}
		if one.room == rateBurst*rateEvery {
			delete(r.by, key)
		} else if most == nil || one.room > r.by[*most].room {
			most = &key
		}
	}
	if len(r.by) >= maxRates && most != nil {
		delete(r.by, *most)
	}
}

// rest returns a line for every code of which lines were left out and none was logged
// since; all: also where there is no room for it yet.
func (r *rates) rest(now time.Time, all bool) []Line {
	var lines []Line
	keys := slices.SortedFunc(maps.Keys(r.by), func(a, b rateKey) int {
		return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.link, b.link))
	})
	for _, key := range keys {
		one := r.by[key]
		if one.fill(now); one.leftOut == 0 || one.room < rateEvery && !all {
			continue
		}
		fields := appendField(nil, "of", key.code)
		if key.link != "" {
			fields = appendField(fields, "link", key.link)
		}
		fields = appendField(fields, "lines", strconv.Itoa(one.leftOut))
		r.leftOut, one.leftOut = r.leftOut-one.leftOut, 0
		lines = append(lines, Line{Time: now, Level: slog.LevelWarn, Code: "log.left_out", Fields: string(fields)})
	}
	return lines
}

// logLeftOut logs what was left out and has had no line of its code since. It is
// called by its timer.
func (b *Book) logLeftOut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leftOut = nil
	if b.closed {
		return
	}
	for _, l := range b.rates.rest(b.now().In(b.zone), false) {
		b.write(l)
	}
	for _, l := range b.passingRates.rest(b.now().In(b.zone), false) {
		l.Level = slog.LevelInfo // nothing is lost: the store has each record
		b.show(l)
	}
	b.awaitLeftOut()
}

// awaitLeftOut sets the timer if there is something for it to log. It is called with
// mu locked.
func (b *Book) awaitLeftOut() {
	if b.rates.leftOut+b.passingRates.leftOut > 0 && b.leftOut == nil {
		b.leftOut = time.AfterFunc(leftOutAfter, b.logLeftOut)
	}
}
