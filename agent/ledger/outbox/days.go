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

// mostDayWait is the longest wait for the acknowledgement of a digest (bills.md § 5).
const mostDayWait = 6 * time.Hour

// DayPart is one part of a digest that waits for the back office.
type DayPart struct {
	Seq   int64
	Bytes int64

	next  time.Time // when it is due, by the monotonic clock where it has a reading; zero: at once
	taken int       // PUBACKs so far
	tries int
}

// Days are the digests of days that wait, in memory: a stream of its own beside the Queue (bills.md
// § 5). They are few, so that an acknowledgement is stored when it comes. It is safe for
// concurrent use.
type Days struct {
	mu      sync.Mutex // guards all below
	stream  string     // "": no digest was made yet
	ours    bool       // this process has begun the stream
	last    int64      // newest sequence assigned
	acked   int64
	offered int64 // newest sequence that Due has handed out
	parts   []DayPart
	bytes   int64
}

// Open takes up what a store has.
func (q *Days) Open(stream string, last, acked int64, parts []DayPart) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stream, q.ours, q.last, q.acked, q.offered, q.parts, q.bytes = stream, false, last, acked, 0, parts, 0
	for i := range parts {
		q.bytes += parts[i].Bytes
	}
}

// Begin takes up a stream that this process has begun, in which nothing waits.
func (q *Days) Begin(stream string) {
	q.Open(stream, 0, 0, nil)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ours = true
}

// Add takes up committed parts.
func (q *Days) Add(parts []DayPart) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range parts {
		q.parts = append(q.parts, p)
		q.bytes += p.Bytes
		q.last = max(q.last, p.Seq)
	}
	slices.SortFunc(q.parts, func(a, b DayPart) int { return cmp.Compare(a.Seq, b.Seq) })
}

func (q *Days) find(seq int64) (int, bool) {
	return slices.BinarySearchFunc(q.parts, seq, func(p DayPart, want int64) int { return cmp.Compare(p.Seq, want) })
}

// Due returns the first parts that are due, without those whose entry is in except, and when the next one is, zero if nothing waits.
func (q *Days) Due(now time.Time, limit int, except []int64) (picked []DayPart, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.parts {
		p := &q.parts[i]
		wait := p.next.Sub(now)
		switch {
		case !p.next.IsZero() && wait > 0 && wait <= mostDayWait: // further ahead: the clock was set back
			if next.IsZero() || p.next.Before(next) {
				next = p.next
			}
		case len(picked) < limit && !slices.Contains(except, rows.FirstDay+p.Seq):
			picked = append(picked, *p)
			q.offered = max(q.offered, p.Seq)
		}
	}
	return picked, next
}

// Attempt notes that a part is put on a connection, and returns which time that is since the start, from 1.
func (q *Days) Attempt(seq int64) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	i, ok := q.find(seq)
	if !ok {
		return 1
	}
	q.parts[i].tries++
	return q.parts[i].tries
}

// Sent notes parts of a stream that the broker has taken. They are due again at retry, or later: the wait
// for an acknowledgement doubles up to 6 h.
func (q *Days) Sent(stream string, entries []int64, now, retry time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if stream != q.stream {
		return
	}
	for _, entry := range entries {
		i, ok := q.find(entry - rows.FirstDay)
		if !ok {
			continue
		}
		p := &q.parts[i]
		wait := retry.Sub(now)
		if p.taken > 0 && p.taken < 30 {
			wait = max(wait, min(30*time.Second<<p.taken, mostDayWait))
		} else if p.taken > 0 {
			wait = mostDayWait
		}
		p.next = now.Add(min(wait, mostDayWait))
		p.taken = min(p.taken+1, math.MaxInt32)
	}
}

// Acknowledge takes an acknowledgement of what Due has handed out, and returns up to which sequence the store
// may forget; 0: nothing new. Errors: refund.ErrBeyond.
func (q *Days) Acknowledge(seq int64) (upTo int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if seq > q.last {
		return 0, refund.ErrBeyond
	}
	if seq = min(seq, q.offered); seq <= q.acked {
		return 0, nil
	}
	return seq, nil
}

// Forget notes that the store has forgotten what is acknowledged up to seq.
func (q *Days) Forget(seq int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.acked = max(q.acked, seq)
	q.drop(func(p *DayPart) bool { return p.Seq <= seq })
}

// Remove takes one part out.
func (q *Days) Remove(seq int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(func(p *DayPart) bool { return p.Seq == seq })
}

// drop is called with mu held.
func (q *Days) drop(which func(*DayPart) bool) {
	kept := make([]DayPart, 0, len(q.parts))
	q.bytes = 0
	for i := range q.parts {
		if p := &q.parts[i]; !which(p) {
			kept = append(kept, *p)
			q.bytes += p.Bytes
		}
	}
	q.parts = kept
}

// Refusable returns nil if a part may be refused now, and else why not.
func (q *Days) Refusable(seq int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case seq > q.last:
		return refund.ErrBeyond
	case seq > q.offered:
		return refund.ErrUnsent
	case seq <= q.acked:
		return refund.ErrAcknowledged
	}
	return nil
}

// Stream returns the name of the stream, "" before the first digest.
func (q *Days) Stream() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stream
}

// Last returns the newest sequence that was assigned.
func (q *Days) Last() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last
}

// Bytes returns how much waits.
func (q *Days) Bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// Stat returns the numbers of the stream, nil before the first digest.
func (q *Days) Stat() *refund.DayStat {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stream == "" {
		return nil
	}
	return &refund.DayStat{Stream: q.stream, LastSeq: q.last, AckedSeq: q.acked, Waiting: int64(len(q.parts)), Bytes: q.bytes}
}

// State returns what is known of a part, and when it is due, zero at once; ok is false if it does not wait.
func (q *Days) State(seq int64) (tries, taken int, next time.Time, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i, ok := q.find(seq)
	if !ok {
		return 0, 0, next, false
	}
	p := &q.parts[i]
	return p.tries, p.taken, p.next, true
}

// Contradicts reports whether a trace shows more of this stream than the store knows (Queue.Contradicts).
func (q *Days) Contradicts(trace *refund.Trace) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.ours && q.stream != "" && trace.Stream == q.stream && (trace.LastSeq > q.last || trace.AckedSeq > q.last)
}

// Counts returns how often a part was put on a connection, and acknowledged by the broker.
func (p *DayPart) Counts() (tries, taken int) { return p.tries, p.taken }
