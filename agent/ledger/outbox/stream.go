package outbox

import (
	"slices"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
)

// New returns an empty queue whose times count from now.
func New(now time.Time) *Queue {
	return &Queue{base: now, soonest: never}
}

// List is what a store has in its outbox, in the order of entry.
type List struct{ cases, events []Entry }

// NewList returns an empty list with room for so many cases.
func NewList(cases int64) *List { return &List{cases: make([]Entry, 0, cases)} }

// Add appends an entry; sent: its PUBACK came in an earlier run.
func (l *List) Add(entry int64, sent bool) {
	e := Entry{Number: entry, next: always}
	if sent {
		e.Taken, e.Tries = 1, 1
	}
	if entry >= rows.FirstEvent {
		l.events = append(l.events, e)
	} else {
		l.cases = append(l.cases, e)
	}
}

// Open takes up a store that was opened: what waits in it, its stream, whether that was made
// now, the streams before it, and its counts. In the same stream what is known of the
// attempts and of acknowledgements is kept.
func (q *Queue) Open(l *List, stream string, made bool, before []string, f Figures, t Tallies) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if stream == q.stream {
		q.keep(l)
		q.sent, q.acked = max(f.Sent, q.sent), max(f.Acked, q.acked)
	} else {
		q.sent, q.acked, q.offered, q.shown, q.early = f.Sent, f.Acked, 0, 0, 0
		q.ours = false
	}
	covered := 0
	if stream == q.stream {
		covered, _ = find(l.cases, q.acked+1)
	}
	q.cases, q.events, q.saved = l.cases[covered:], l.events, f.Sent
	q.gone, q.most, q.done = int64(covered), len(q.cases), nil
	q.fresh, q.skip, q.soonest = 0, 0, never
	q.stream, q.before, q.ours = stream, before, q.ours || made
	q.figures, q.tallies = f, t
}

// keep takes over into a list what is known of its entries.
func (q *Queue) keep(l *List) {
	for _, list := range []struct{ from, to []Entry }{{q.cases, l.cases}, {q.events, l.events}} {
		for _, old := range list.from {
			if i, ok := find(list.to, old.Number); ok {
				list.to[i].next, list.to[i].Taken, list.to[i].Tries = old.next, old.Taken, old.Tries
			}
		}
	}
}

// Renew takes up the cases of a stream that this process has begun: all of them are due, and
// none was sent.
func (q *Queue) Renew(l *List, stream string, before []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stream, q.before, q.ours = stream, before, true
	q.cases, q.most = l.cases, len(l.cases)
	q.sent, q.saved, q.offered, q.early, q.acked, q.gone = 0, 0, 0, 0, 0, 0
	q.fresh, q.skip, q.soonest = 0, 0, never
}

// Reading notes the stream of a store that is only read.
func (q *Queue) Reading(stream string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stream = stream
}

// Stream returns the name of the stream.
func (q *Queue) Stream() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stream
}

// Contradicts reports whether a trace shows more of this store's stream than the store
// itself knows. What the store has published it has stored before, so that only an old copy
// of it can know less. A stream that this process has begun is not contradicted.
func (q *Queue) Contradicts(trace *refund.Trace) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ours {
		return false
	}
	if trace.Stream != q.stream {
		return slices.Contains(trace.Before, q.stream)
	}
	return trace.LastSeq > q.figures.Last || trace.AckedSeq > max(q.acked, q.figures.Acked)
}

// Streams returns the name of the stream and those of the streams before it.
func (q *Queue) Streams() (stream string, before []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stream, q.before
}
