package ledger

import "yuanlu/agent/refund"

// recentEvents is how many events are kept decoded: each record asks for the first
// of its batch, and refunds come in runs.
const recentEvents = 64

// recent keeps events as the store has them, decoded. It belongs to the writer. The
// judge changes no event that it gets, so the same one may be handed out again.
type recent struct {
	events map[int64]*refund.Event
	order  [recentEvents]int64 // ring of the seqs put, so that the oldest goes first
	next   int
}

// get returns the event with this seq, nil if it is not kept.
func (r *recent) get(seq int64) *refund.Event { return r.events[seq] }

// put keeps an event in place of the oldest.
func (r *recent) put(e *refund.Event) {
	if r.events == nil {
		r.events = make(map[int64]*refund.Event, recentEvents)
	}
	delete(r.events, r.order[r.next])
	r.order[r.next] = e.Seq
	r.next = (r.next + 1) % recentEvents
	r.events[e.Seq] = e
}

// forget drops an event that changes in the store.
func (r *recent) forget(seq int64) { delete(r.events, seq) }

// forgetAll drops all: a transaction was rolled back, or the store is another.
func (r *recent) forgetAll() { *r = recent{} }
