package ledger

import (
	"slices"
	"sync"
	"time"
)

// firstEvent is the entry of the first event that is no case: below it an entry is
// a case's sequence, so the order of entries is the order of sending (topics.md,
// rule 2).
const firstEvent = int64(1) << 40

// noticeOverhead is what an entry counts against the byte bound besides its data.
const noticeOverhead = 256

// outboxFigures is the outbox as committed.
type outboxFigures struct {
	last    int64 // newest sequence given out
	sent    int64 // newest sequence with a PUBACK, as last saved
	acked   int64
	dropped int64 // events given up
	events  int64 // newest entry of an event, without firstEvent
	waiting int64 // entries
	bytes   int64 // of those entries
	untold  int64 // case events without a sequence
}

// queued is one waiting entry, as the queue in memory knows it.
type queued struct {
	entry int64
	next  int64 // due time in milliseconds, 0: at once
	size  int32
	tries int32 // PUBACKs so far
}

// queue is what waits in the outbox, in memory: when each entry is due changes with
// every attempt and need not survive. Losing it costs a duplicate, which the
// receiver knows by its id. It has a lock of its own, so that sending never waits
// for a commit.
type queue struct {
	mu      sync.Mutex
	cases   []queued // in the order of entry
	events  []queued
	sent    int64   // newest sequence with a PUBACK
	saved   int64   // sent, as the store has it
	offered int64   // newest sequence that Due has handed out
	heard   int64   // newest acknowledgement of what was offered but not yet sent
	done    []int64 // events with a PUBACK, still in the store
}

// replace takes up a store that was opened. In the same stream and the same run
// what is known of the attempts is kept.
func (q *queue) replace(n *queue, sameStream bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if sameStream {
		for _, list := range []struct{ from, to []queued }{{q.cases, n.cases}, {q.events, n.events}} {
			for _, old := range list.from {
				if i, ok := find(list.to, old.entry); ok {
					list.to[i].next, list.to[i].tries = old.next, old.tries
				}
			}
		}
		n.sent = max(n.sent, q.sent)
		n.offered, n.heard = q.offered, q.heard
	}
	q.cases, q.events, q.sent, q.saved = n.cases, n.events, n.sent, n.saved
	q.offered, q.heard, q.done = n.offered, n.heard, nil
}

func find(list []queued, entry int64) (int, bool) {
	return slices.BinarySearchFunc(list, entry, func(e queued, want int64) int {
		switch {
		case e.entry < want:
			return -1
		case e.entry > want:
			return 1
		}
		return 0
	})
}

func (q *queue) list(entry int64) *[]queued {
	if entry >= firstEvent {
		return &q.events
	}
	return &q.cases
}

// append adds entries in their places, nearly always at the end.
func (q *queue) append(entries []queued) {
	if len(entries) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range entries {
		list := q.list(e.entry)
		if i, ok := find(*list, e.entry); !ok {
			*list = slices.Insert(*list, i, e)
		}
	}
}

// remove takes entries out.
func (q *queue) remove(entries []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range entries {
		list := q.list(entry)
		if i, ok := find(*list, entry); ok {
			*list = slices.Delete(*list, i, i+1)
		}
	}
}

// acked takes out the cases up to seq, but those that were put back and have not
// been sent since.
func (q *queue) acked(seq int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, _ := find(q.cases, seq+1)
	kept := 0
	for i := range n {
		if q.cases[i].tries == 0 && q.cases[i].next < 0 {
			q.cases[kept] = q.cases[i]
			kept++
		}
	}
	q.cases = slices.Delete(q.cases, kept, n)
	if len(q.cases) == 0 && cap(q.cases) > 1024 {
		q.cases = nil
	}
}

// due picks the first entries that are due, cases before events, and says when the
// next one is.
func (q *queue) due(now time.Time, limit int) (picked []queued, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := now.UnixMilli()
	soonest := int64(0)
	for _, list := range [][]queued{q.cases, q.events} {
		for i := range list {
			e := &list[i]
			if e.next > at {
				if soonest == 0 || e.next < soonest {
					soonest = e.next
				}
				continue
			}
			if len(picked) == limit {
				soonest = at
				break
			}
			picked = append(picked, *e)
			if e.entry < firstEvent {
				q.offered = max(q.offered, e.entry)
			}
		}
	}
	if len(picked) > 0 {
		soonest = at
	}
	return picked, timeOf(soonest)
}

// puback notes entries that the broker has taken; cases are due again at retry,
// events are done. It reports whether there is much to save.
func (q *queue) puback(entries []int64, retry time.Time) (heard int64, save bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range entries {
		list := q.list(entry)
		i, ok := find(*list, entry)
		if !ok {
			continue
		}
		if entry >= firstEvent {
			q.done = append(q.done, entry)
			*list = slices.Delete(*list, i, i+1)
			continue
		}
		e := &(*list)[i]
		e.next, e.tries = retry.UnixMilli(), e.tries+1
		q.sent = max(q.sent, entry)
	}
	if q.heard > 0 && q.heard <= q.sent {
		heard, q.heard = q.heard, 0
	}
	return heard, len(q.done) >= 64
}

// unsaved reports whether the store knows less than the queue.
func (q *queue) unsaved() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent != q.saved || len(q.done) > 0
}
