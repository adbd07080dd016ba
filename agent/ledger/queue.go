package ledger

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
)

// outboxFigures is the outbox as committed.
type outboxFigures struct {
	last    int64 // newest sequence given out
	sent    int64 // newest sequence with a PUBACK, as last saved
	acked   int64
	dropped int64 // events given up
	events  int64 // newest entry of an event, without rows.FirstEvent
	waiting int64 // entries
	bytes   int64 // of those entries
	untold  int64 // case events without a sequence
}

// tallies are counts that the tables could tell too, kept as they change because
// counting a hundred thousand rows every two seconds costs more than sending them.
// TestOutboxFiguresAgree compares them with the tables.
type tallies struct {
	quarantined int64                      // entries
	aside       int64                      // cases of those
	asideBytes  int64                      // and what they count against the byte bound
	open        [refund.Critical + 1]int64 // open cases by severity
}

// opened counts a case's step from old, nil if there was none, to what it is now.
func (n *tallies) opened(old, now *caseRow) {
	if old != nil && old.open {
		n.open[old.severity]--
	}
	if now.open {
		n.open[now.severity]++
	}
}

// byKind returns the open cases by severity, without those that are none.
func (n *tallies) byKind() map[refund.Severity]int {
	open := map[refund.Severity]int{}
	for severity, count := range n.open {
		if count > 0 {
			open[refund.Severity(severity)] = int(count)
		}
	}
	return open
}

// loadTallies counts.
func loadTallies(c *conn) (n tallies, err error) {
	if n.quarantined, _, err = c.Int(`SELECT count(*) FROM quarantine`); err != nil {
		return n, err
	}
	if n.aside, n.asideBytes, err = c.countSized(`quarantine WHERE entry < ?1`, rows.FirstEvent); err != nil {
		return n, err
	}
	open, err := openCases(c)
	for severity, count := range open {
		if severity >= 0 && int(severity) < len(n.open) {
			n.open[severity] = int64(count)
		}
	}
	return n, err
}

// queued is one waiting entry, as the queue in memory has it. There may be two hundred
// thousand, so it takes 16 bytes.
type queued struct {
	entry int64
	next  second // when it is due
	taken uint16 // PUBACKs so far
	tries uint16 // times it was put on a connection
}

// second is a time in seconds since queue.base, 68 years either way.
type second int32

const (
	always second = math.MinInt32 // due at any time
	never  second = math.MaxInt32
)

// mostWait is the longest wait for an acknowledgement (topics.md, rule 5). An entry
// whose time lies further ahead was stamped by a clock that has been set back since:
// it is due.
const mostWait = 15 * time.Minute

// due reports whether the entry is to be sent now.
func (e *queued) due(at second) bool {
	return e.next <= at || int64(e.next)-int64(at) > int64(mostWait/time.Second)
}

// What has been heard is saved together (save): so many cases or events, or all that
// have come in so long.
const (
	saveCount = 256
	saveAfter = time.Second
)

// queue is what waits in the outbox, in memory. It knows more than the store: when
// each entry is due, which were sent, and which were acknowledged in the last second
// and are still stored. None of that need survive. Losing it costs a duplicate, which
// the receiver knows by its id, and acknowledges again. It has a lock of its own, so
// that sending never waits for a commit.
//
// Times count from base, by the monotonic clock where the caller's times have its
// reading: setting the wall clock moves nothing then.
type queue struct {
	mu      sync.Mutex
	base    time.Time
	cases   []queued // in the order of entry
	events  []queued
	most    int       // cases that their memory was made for, about
	sent    int64     // newest sequence with a PUBACK
	saved   int64     // sent, as the store has it
	offered int64     // newest sequence that Due has handed out
	shown   int64     // newest entry of an event that Due has handed out
	heard   int64     // newest acknowledgement of what was offered but not yet sent
	acked   int64     // newest acknowledgement of what was sent
	gone    int64     // cases that it covers, still in the store
	done    []int64   // events with a PUBACK, still in the store
	savedAt time.Time // when acknowledgements were last saved

	skip    int64 // no case before this entry is due before soonest
	soonest second
	looked  time.Time // when due last looked

	figures outboxFigures // as committed
	tallies tallies       // likewise
}

// at is a time as the queue counts it, rounded down.
func (q *queue) at(t time.Time) second {
	return second(min(max(t.Sub(q.base)/time.Second, math.MinInt32+1), math.MaxInt32-1))
}

// mayWait reports whether what was saved last is so fresh that the next may wait.
func (q *queue) mayWait(now time.Time) bool {
	since := now.Sub(q.savedAt)
	return since >= 0 && since < saveAfter
}

// replace takes up a store that was opened. In the same stream and the same run
// what is known of the attempts and of acknowledgements is kept.
func (q *queue) replace(n *queue, sameStream bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if sameStream {
		for _, list := range []struct{ from, to []queued }{{q.cases, n.cases}, {q.events, n.events}} {
			for _, old := range list.from {
				if i, ok := find(list.to, old.entry); ok {
					list.to[i].next, list.to[i].taken, list.to[i].tries = old.next, old.taken, old.tries
				}
			}
		}
		n.sent, n.acked = max(n.sent, q.sent), max(n.acked, q.acked)
		n.offered, n.shown, n.heard = q.offered, q.shown, q.heard
		covered, _ := find(n.cases, n.acked+1)
		n.cases, n.gone = n.cases[covered:], int64(covered)
	}
	q.cases, q.events, q.sent, q.saved = n.cases, n.events, n.sent, n.saved
	q.acked, q.gone, q.most = n.acked, n.gone, len(n.cases)
	q.offered, q.shown, q.heard, q.done = n.offered, n.shown, n.heard, nil
	q.skip, q.soonest = 0, never
}

func find(list []queued, entry int64) (int, bool) {
	return slices.BinarySearchFunc(list, entry, func(e queued, want int64) int { return cmp.Compare(e.entry, want) })
}

func (q *queue) list(entry int64) *[]queued {
	if entry >= rows.FirstEvent {
		return &q.events
	}
	return &q.cases
}

// committed takes up what a transaction has added and counted. New entries nearly
// always belong at the end.
func (q *queue) committed(entries []queued, now *figures) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.figures, q.tallies = now.outbox, now.tallies
	for _, e := range entries {
		list := q.list(e.entry)
		if i, ok := find(*list, e.entry); !ok {
			*list = slices.Insert(*list, i, e)
		}
		if e.entry < rows.FirstEvent {
			q.skip = min(q.skip, e.entry)
		}
	}
}

// remove takes entries out that the store no longer has.
func (q *queue) remove(entries []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range entries {
		list := q.list(entry)
		if i, ok := find(*list, entry); ok {
			*list = slices.Delete(*list, i, i+1)
		} else if entry <= q.acked {
			q.gone-- // acknowledged while it was being removed
		}
	}
}

// delivered counts those of these entries that are events with a PUBACK.
func (q *queue) delivered(entries ...int64) (n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range entries {
		if slices.Contains(q.done, entry) {
			n++
		}
	}
	return n
}

// of returns an entry that waits, nil for any other. It is called with mu held.
func (q *queue) of(entry int64) *queued {
	list := *q.list(entry)
	if i, ok := find(list, entry); ok {
		return &list[i]
	}
	return nil
}

// more counts one up, as far as it goes.
func more(n uint16) uint16 { return n + uint16(min(math.MaxUint16-int(n), 1)) }

// acknowledge takes the back office's word. It moves forward only, never past what was
// sent; one of what was offered, whose PUBACK is still on the way, counts from then on.
func (d *DB) acknowledge(stream string, seq int64) error {
	q := &d.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case stream != d.stream:
		return refund.ErrOtherStream
	case seq > q.figures.last:
		return refund.ErrBeyond
	case seq > q.sent && seq <= q.offered:
		q.heard = max(q.heard, seq)
	}
	q.forget(min(seq, q.sent))
	return nil
}

// forget takes out the cases up to seq. It is called with mu held.
func (q *queue) forget(seq int64) {
	q.acked = max(q.acked, seq)
	n, _ := find(q.cases, seq+1)
	q.gone += int64(n)
	q.cases = q.cases[n:] // nothing is moved: this is done for every acknowledgement
	if most := max(q.most, len(q.cases)); len(q.cases) == 0 {
		q.cases, q.most = nil, 0
	} else if q.most = most; len(q.cases) < most/2 {
		q.cases, q.most = slices.Clone(q.cases), len(q.cases) // the rest of the memory goes back
	}
}

// due picks the first entries that are due, cases before events, and says when the
// next one is.
func (q *queue) due(now time.Time, limit int) (picked []queued, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := q.at(now)
	if at >= q.soonest || now.Before(q.looked) { // waited long enough, or the clock was set back
		q.skip, q.soonest = 0, never
	}
	q.looked = now
	first, _ := find(q.cases, q.skip)
	for i := first; i < len(q.cases) && len(picked) < limit; i++ {
		switch e := &q.cases[i]; {
		case e.due(at):
			picked = append(picked, *e)
			q.offered = max(q.offered, e.entry)
		case len(picked) == 0:
			q.skip, q.soonest = e.entry+1, min(q.soonest, e.next)
		}
	}
	for i := 0; i < len(q.events) && len(picked) < limit; i++ {
		picked = append(picked, q.events[i])
		q.shown = max(q.shown, q.events[i].entry)
	}
	if len(picked) > 0 {
		return picked, now
	}
	if len(q.cases) > 0 && q.soonest < never {
		next = q.base.Add(time.Duration(q.soonest) * time.Second)
	}
	if save := q.savedAt.Add(saveAfter); q.gone+int64(len(q.done)) > 0 && (next.IsZero() || save.Before(next)) {
		next = save
	}
	return nil, next
}

// puback notes entries that the broker has taken; cases are due again at retry,
// events are done.
func (d *DB) puback(stream string, entries []int64, retry time.Time) {
	q := &d.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range entries {
		if entry < rows.FirstEvent && stream != d.stream {
			continue // it has another number now
		}
		list := q.list(entry)
		i, ok := find(*list, entry)
		if !ok {
			if entry <= q.offered { // refused before its PUBACK came
				q.sent = max(q.sent, entry)
			}
			continue
		}
		if entry >= rows.FirstEvent {
			q.done = append(q.done, entry)
			*list = slices.Delete(*list, i, i+1)
			continue
		}
		e := &(*list)[i]
		e.next, e.taken = q.at(retry.Add(time.Second-1)), more(e.taken) // never before retry
		if entry < q.skip {
			q.soonest = min(q.soonest, e.next)
		}
		q.sent = max(q.sent, entry)
	}
	if q.heard > 0 && q.heard <= q.sent {
		q.forget(q.heard)
		q.heard = 0
	}
}

// resend makes the cases from this sequence on due at once.
func (q *queue) resend(from int64) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	i, _ := find(q.cases, from)
	for n := range q.cases[i:] {
		q.cases[i+n].next = always
	}
	q.skip = 0
	return len(q.cases) - i
}

// mustSave reports whether what was heard is to be saved now: there is much of it, or
// it has waited long enough.
func (q *queue) mustSave(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.gone + int64(len(q.done))
	return n >= saveCount || n > 0 && !q.mayWait(now)
}

// unsaved reports whether the store knows less than the queue.
func (q *queue) unsaved() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent != q.saved || q.gone > 0 || len(q.done) > 0
}

// acknowledged returns the newest acknowledgement and how many cases it covers are still
// in the store.
func (q *queue) acknowledged() (acked, gone int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.acked, q.gone
}

// refusable reports whether somebody may refuse an entry of a stream now, and else why
// not.
func (d *DB) refusable(stream string, entry int64) error {
	q := &d.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	newest, offered := q.figures.last, max(q.sent, q.offered)
	if entry >= rows.FirstEvent {
		newest, offered = rows.FirstEvent+q.figures.events, q.shown
	}
	switch {
	case stream != d.stream:
		return refund.ErrOtherStream
	case entry > newest:
		return refund.ErrBeyond
	case entry > offered:
		return refund.ErrUnsent
	case entry <= q.acked:
		return refund.ErrAcknowledged
	}
	return nil
}
