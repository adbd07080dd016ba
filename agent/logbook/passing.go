package logbook

import (
	"log/slog"
	"slices"
	"strconv"
	"time"
)

// RecordCode is the code of the line about one record that became durable.
const RecordCode = "record.stored"

// passingRing is how many passing lines are remembered.
const passingRing = 100

// Passing returns a logger for what somebody who watches wants to see at once and a file
// need not keep: its lines go to subscribers and into a ring of their own, never to the
// stream or a file. A busy terminal would otherwise wear its flash with a line for each
// record, which is in the store anyway, and push all else out of the log. The rate of
// lines is bounded as that of others.
func (b *Book) Passing() *slog.Logger { return slog.New(&handler{book: b, passing: true}) }

// pass hands a line to those who watch.
func (b *Book) pass(l Line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.Time = b.now().In(b.zone)
	if b.closed {
		return
	}
	if !b.passingRates.allow(&l) {
		b.awaitLeftOut()
		return
	}
	b.show(l)
}

// show is called with mu locked.
func (b *Book) show(l Line) {
	if len(b.passed) >= passingRing {
		b.passed = slices.Delete(b.passed, 0, 1)
	}
	b.passed = append(b.passed, l)
	for s := range b.subs {
		s.offer(l)
	}
}

// Missed is the line that tells one who watches that so many lines were too fast for it.
func Missed(at time.Time, lines int64) Line {
	return Line{Time: at, Level: slog.LevelInfo, Code: "log.dropped", Fields: "lines=" + strconv.FormatInt(lines, 10)}
}

// merge puts lines of two lists, each in order of time, into one.
func merge(a, b []Line) []Line {
	all := append(slices.Clone(a), b...)
	slices.SortStableFunc(all, func(x, y Line) int { return x.Time.Compare(y.Time) })
	return all
}
