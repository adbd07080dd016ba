package outbox

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/refund"
)

// Entry is one entry that waits, as the queue has it. There may be two hundred thousand, so
// it takes 16 bytes.
type Entry struct {
	Number int64
	next   second // when it is due
	Taken  uint16 // PUBACKs so far
	Tries  uint16 // times it was put on a connection
}

// second is a time in seconds since Queue.base, 68 years either way.
type second int32

const (
	always second = math.MinInt32 // due at any time
	never  second = math.MaxInt32
)

// MostWait is the longest wait for an acknowledgement (topics.md rule 5). An entry
// whose time lies further ahead was stamped by a clock that has been set back since:
// it is due.
const MostWait = 15 * time.Minute

// due reports whether the entry is to be sent now.
func (e *Entry) due(at second) bool {
	return e.next <= at || int64(e.next)-int64(at) > int64(MostWait/time.Second)
}

// Acknowledgements are saved together: of so many cases or events, or all that have come in
// so long.
const (
	saveCount = 256
	saveAfter = time.Second
)

// Queue is what waits in the outbox, in memory. It knows more than the store: when
// each entry is due, which were sent, and which were acknowledged in the last second
// and are still stored. None of that need survive. Losing it costs a duplicate, which
// the receiver knows by its id, and acknowledges again. It has a lock of its own, so
// that sending never waits for a commit, and is safe for concurrent use.
//
// Times count from base, by the monotonic clock where the caller's times have its
// reading: setting the wall clock moves nothing then.
type Queue struct {
	mu      sync.Mutex // guards the rest
	stream  string     // in which sequences have no gap
	before  []string   // streams that ended before it, the newest first
	ours    bool       // this process has begun the stream
	base    time.Time
	cases   []Entry // in the order of entry
	events  []Entry
	most    int       // cases that their memory was made for, about
	sent    int64     // newest sequence with a PUBACK
	saved   int64     // sent, as the store has it
	offered int64     // newest sequence that Due has handed out
	shown   int64     // newest entry of an event that Due has handed out
	early   int64     // newest acknowledgement of what was offered but not yet sent
	acked   int64     // newest acknowledgement of what was sent
	ackedBy string    // the id of the key that signed the newest acknowledgement, "": unsigned
	gone    int64     // cases that it covers, still in the store
	done    []int64   // events with a PUBACK, still in the store
	savedAt time.Time // when acknowledgements were last saved

	fresh   int64 // no case before this entry is due always
	skip    int64 // no case before this entry is due before soonest
	soonest second
	looked  time.Time // when due last looked

	figures Figures // as committed
	tallies Tallies // likewise
}

// at is a time as the queue counts it, rounded down.
func (q *Queue) at(t time.Time) second {
	return second(min(max(t.Sub(q.base)/time.Second, math.MinInt32+1), math.MaxInt32-1))
}

// mayWait reports whether what was saved last is so fresh that the next may wait.
func (q *Queue) mayWait(now time.Time) bool {
	since := now.Sub(q.savedAt)
	return since >= 0 && since < saveAfter
}

func find(list []Entry, entry int64) (int, bool) {
	return slices.BinarySearchFunc(list, entry, func(e Entry, want int64) int { return cmp.Compare(e.Number, want) })
}

func (q *Queue) list(entry int64) *[]Entry {
	if entry >= rows.FirstEvent {
		return &q.events
	}
	return &q.cases
}

// Committed takes up what a transaction has added and counted. New entries nearly always
// belong at the end.
func (q *Queue) Committed(entries []int64, f Figures, t Tallies) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.figures, q.tallies = f, t
	for _, entry := range entries {
		list := q.list(entry)
		if i, ok := find(*list, entry); !ok {
			*list = slices.Insert(*list, i, Entry{Number: entry, next: always})
		}
		if entry < rows.FirstEvent {
			q.skip, q.fresh = min(q.skip, entry), min(q.fresh, entry)
		}
	}
}

// Remove takes entries out that the store no longer has.
func (q *Queue) Remove(entries []int64) {
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

// Delivered counts those of these entries that are events with a PUBACK.
func (q *Queue) Delivered(entries ...int64) (n int64) {
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
func (q *Queue) of(entry int64) *Entry {
	list := *q.list(entry)
	if i, ok := find(list, entry); ok {
		return &list[i]
	}
	return nil
}

// more counts one up, as far as it goes.
func more(n uint16) uint16 { return n + uint16(min(math.MaxUint16-int(n), 1)) }

// Attempt notes that an entry of a stream is put on a connection, and returns which time
// that is since the start, from 1. topics.md rule 5.
func (q *Queue) Attempt(stream string, entry int64) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.of(entry); e != nil && stream == q.stream {
		e.Tries = more(e.Tries)
		return int(e.Tries)
	}
	return 1 // acknowledged since Due returned it
}

// Acknowledge takes the back office's acknowledgement. It moves forward only, never past
// what was sent; kid names the key that signed it, "": none. One of what was offered, whose PUBACK is still on the way, counts from then
// on. Errors that mean that nothing was done: refund.ErrOtherStream, refund.ErrBeyond.
func (q *Queue) Acknowledge(stream string, seq int64, kid string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case stream != q.stream:
		return refund.ErrOtherStream
	case seq > q.figures.Last:
		return refund.ErrBeyond
	case seq > q.sent && seq <= q.offered:
		q.early = max(q.early, seq)
	}
	q.ackedBy = kid
	q.forget(min(seq, q.sent))
	return nil
}

// AckedBy returns the id of the key that signed the newest acknowledgement, "" if none did.
func (q *Queue) AckedBy() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ackedBy
}

// forget takes out the cases up to seq. It is called with mu held.
func (q *Queue) forget(seq int64) {
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

// Due returns the first entries that are due, without those in except, and when the next one
// is, zero if nothing waits. First come the cases that no broker has taken yet, or that were
// asked for again, then those whose wait for an acknowledgement is over, then events: after
// an outage a back office that acknowledges late must not keep the newest from being sent.
// topics.md rules 2, 5.
func (q *Queue) Due(now time.Time, limit int, except []int64) (picked []Entry, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := q.at(now)
	if at >= q.soonest || now.Before(q.looked) { // waited long enough, or the clock was set back
		q.skip, q.soonest = 0, never
	}
	q.looked = now
	picked = q.unsent(picked, limit, except)
	picked = q.overdue(picked, limit, except, at)
	for i := 0; i < len(q.events) && len(picked) < limit; i++ {
		if e := &q.events[i]; !slices.Contains(except, e.Number) {
			picked = append(picked, *e)
			q.shown = max(q.shown, e.Number)
		}
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

// unsent picks the cases that wait for nothing. It is called with mu held.
func (q *Queue) unsent(picked []Entry, limit int, except []int64) []Entry {
	i, _ := find(q.cases, q.fresh)
	for ; i < len(q.cases) && q.cases[i].next != always; i++ {
		q.fresh = q.cases[i].Number + 1
	}
	for ; i < len(q.cases) && len(picked) < limit; i++ {
		if e := &q.cases[i]; e.next == always && !slices.Contains(except, e.Number) {
			picked = append(picked, *e)
			q.offered = max(q.offered, e.Number)
		}
	}
	return picked
}

// overdue picks the cases that have waited long enough. It is called with mu held.
func (q *Queue) overdue(picked []Entry, limit int, except []int64, at second) []Entry {
	i, _ := find(q.cases, q.skip)
	for ; i < len(q.cases) && len(picked) < limit && !q.cases[i].due(at); i++ {
		q.skip, q.soonest = q.cases[i].Number+1, min(q.soonest, q.cases[i].next)
	}
	for ; i < len(q.cases) && len(picked) < limit; i++ {
		if e := &q.cases[i]; e.due(at) && e.next != always && !slices.Contains(except, e.Number) {
			picked = append(picked, *e)
			q.offered = max(q.offered, e.Number)
		}
	}
	return picked
}

// Sent notes entries of a stream that the broker has taken; cases are due again at retry,
// events are done.
func (q *Queue) Sent(stream string, entries []int64, retry time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range entries {
		if entry < rows.FirstEvent && stream != q.stream {
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
		e.next, e.Taken = q.at(retry.Add(time.Second-1)), more(e.Taken) // never before retry
		if entry < q.skip {
			q.soonest = min(q.soonest, e.next)
		}
		q.sent = max(q.sent, entry)
	}
	if q.early > 0 && q.early <= q.sent {
		q.forget(q.early)
		q.early = 0
	}
}

// Resend makes the cases from this sequence on due at once, and returns
// their number.
func (q *Queue) Resend(from int64) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	i, _ := find(q.cases, from)
	for n := range q.cases[i:] {
		q.cases[i+n].next = always
	}
	q.skip, q.fresh = 0, 0
	return len(q.cases) - i
}

// MustSave reports whether acknowledgements are to be saved now: there are many, or they
// have waited long enough.
func (q *Queue) MustSave(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.gone + int64(len(q.done))
	return n >= saveCount || n > 0 && !q.mayWait(now)
}

// Unsaved reports whether the store knows less than the queue.
func (q *Queue) Unsaved() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent != q.saved || q.gone > 0 || len(q.done) > 0
}

// Acknowledged returns the newest acknowledgement and how many cases it covers are still
// in the store.
func (q *Queue) Acknowledged() (acked, gone int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.acked, q.gone
}

// Refusable returns nil if an entry of a stream may be refused now, and else why not:
// refund.ErrOtherStream, refund.ErrBeyond, refund.ErrUnsent, refund.ErrAcknowledged.
func (q *Queue) Refusable(stream string, entry int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	newest, offered := q.figures.Last, max(q.sent, q.offered)
	if entry >= rows.FirstEvent {
		newest, offered = rows.FirstEvent+q.figures.Events, q.shown
	}
	switch {
	case stream != q.stream:
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

// Done returns the events with a PUBACK that are still in the store, without the first skip.
func (q *Queue) Done(skip int) []int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.done[skip:]
}

// DoneGone notes that the store has removed the first n of Done.
func (q *Queue) DoneGone(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = q.done[n:]
}

// AckedGone notes that the store has removed so many cases that were acknowledged.
func (q *Queue) AckedGone(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone -= n
}

// SentSeq returns the newest sequence with a PUBACK.
func (q *Queue) SentSeq() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent
}

// SentSaved notes that the store has this as the newest sequence with a PUBACK.
func (q *Queue) SentSaved(seq int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.saved = seq
}

// Saved notes when acknowledgements were last saved.
func (q *Queue) Saved(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.savedAt = now
}

// Stat fills in what the queue knows, and returns the oldest case that waits,
// rows.FirstEvent if none does.
func (q *Queue) Stat(st *refund.OutboxStat) (oldest int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := &q.figures
	st.LastSeq, st.SentSeq, st.AckedSeq = o.Last, max(o.Sent, q.sent), max(o.Acked, q.acked)
	st.StoredAcked = o.Acked
	st.Dropped, st.Unsequenced, st.Quarantined = o.Dropped, o.Untold, q.tallies.Quarantined
	st.Waiting, st.Bytes = o.Waiting-int64(len(q.done))-q.gone, o.Bytes+q.tallies.AsideBytes
	st.Open = q.tallies.BySeverity()
	if len(q.cases) == 0 {
		return rows.FirstEvent
	}
	return q.cases[0].Number
}

// State returns what is known of an entry and when it is due, zero at once; ok is false if
// it does not wait.
func (q *Queue) State(entry int64) (e Entry, next time.Time, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	of := q.of(entry)
	if of == nil {
		return e, next, false
	}
	if of.next > always {
		next = q.base.Add(time.Duration(of.next) * time.Second)
	}
	return *of, next, true
}

// Len returns how many entries wait.
func (q *Queue) Len() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(len(q.cases) + len(q.events))
}
