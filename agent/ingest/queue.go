package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/refund"
)

// ErrUnstored: the worker stopped while arrivals could not be stored. On a wire
// without confirm they are lost unless the firmware prints them again.
var ErrUnstored = errors.New("ingest: arrivals not stored")

// errNoAnswer: the store has neither stored arrivals nor refused them.
var errNoAnswer = fmt.Errorf("no answer for %s", applyLimit)

// queue is the part of a Worker that hands arrivals to the store. It belongs to the
// goroutine of Run.
type queue struct {
	waiting  []waiting
	queued   uint64      // arrivals ever
	settled  uint64      // of these, durable
	inFlight int         // of waiting, handed to the store
	sentAt   time.Time   // when, or when it was last noted that there is no answer
	failures int         // of the store in a row
	retryAt  time.Time   // zero: at once
	stored   chan stored // cap 1: what became of the batch in flight
}

// stored is the answer of the store for one batch.
type stored struct {
	applied []refund.Applied
	err     error
}

// waiting is an arrival that is not yet durable, with the confirm that waits for it.
type waiting struct {
	arrival    refund.Arrival
	reply      []byte
	generation int       // of the port the confirm is for
	since      time.Time // when it came
}

// enqueue adds an arrival.
func (w *Worker) enqueue(a refund.Arrival, reply []byte) {
	w.queued++
	w.waiting = append(w.waiting, waiting{a, bytes.Clone(reply), w.generation, time.Now()})
	w.countWaiting()
}

// queueReply writes a confirm that needs nothing stored, behind the confirms that
// wait: it may be the repeat of a message that is still on its way to the store.
func (w *Worker) queueReply(reply []byte) {
	if len(reply) == 0 {
		return
	}
	if len(w.waiting) == 0 {
		w.write(w.generation, reply)
		return
	}
	last := &w.waiting[len(w.waiting)-1]
	if last.generation != w.generation {
		last.reply, last.generation = nil, w.generation
	}
	if !bytes.Contains(last.reply, reply) { // the same confirm twice is needless
		last.reply = append(last.reply, reply...)
	}
}

func (w *Worker) countWaiting() {
	w.count(func(h *LinkHealth) { h.Waiting = len(w.waiting) })
}

// dispatch hands the store what waits, unless it has yet to answer: all that came while it
// was busy shares one commit.
func (w *Worker) dispatch() {
	n := min(w.room(), MaxBatch)
	if w.inFlight > 0 || n == 0 || time.Now().Before(w.retryAt) {
		return
	}
	w.inFlight = n
	batch := make([]refund.Arrival, w.inFlight)
	for i := range batch {
		batch[i] = w.waiting[i].arrival
	}
	w.sentAt = time.Now()
	w.opt.Applier.Submit(batch, func(applied []refund.Applied, err error) { w.stored <- stored{applied, err} })
}

// noAnswer notes that the store has not answered for too long. The batch stays in flight.
func (w *Worker) noAnswer() {
	if w.inFlight > 0 && time.Since(w.sentAt) >= applyLimit {
		w.sentAt = time.Now()
		w.storeFails(errNoAnswer)
	}
}

// settle takes the answer of the store: confirms what is durable, or keeps it for
// another try.
func (w *Worker) settle(s stored) {
	n := w.inFlight
	w.inFlight = 0
	if s.err != nil {
		w.storeFails(s.err)
		return
	}
	if w.failures > 0 {
		w.log.Info("store.back", "waiting", len(w.waiting))
	}
	w.failures, w.retryAt = 0, time.Time{}
	w.setStore("")
	w.settled += uint64(n)
	for i := range w.waiting[:n] {
		done := &w.waiting[i]
		w.memory.stored(done.arrival.Memory)
		if len(done.reply) > 0 {
			w.write(done.generation, done.reply)
		}
	}
	rest := copy(w.waiting, w.waiting[n:])
	clear(w.waiting[rest:])
	w.waiting = w.waiting[:rest]
	w.countWaiting()
}

// storeFails plans the next try. Nothing that waits is lost by it.
func (w *Worker) storeFails(err error) {
	w.failures++
	d := backOff(w.failures, retryFirst, retryLast)
	w.retryAt = time.Now().Add(d/2 + time.Duration(w.opt.Jitter()*float64(d/2)))
	w.setStore("the store does not take records: " + err.Error())
	w.log.Warn("store.refused", "error", err, "waiting", len(w.waiting))
}

// flush stores what was read, when the worker stops; an error of the store is tried
// again until stopLimit.
func (w *Worker) flush() error {
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	w.failures, w.retryAt = 0, time.Time{} // short pauses again
	w.retryStuck()
	for more := true; more && w.stuck == nil; {
		more = w.receive()
	}
	if w.ending == markNone {
		w.ending = markSilence // nothing more will come
	}
	w.end(w.clock())
	w.logDamage()
	last := context.DeadlineExceeded
	for len(w.waiting) > 0 {
		w.dispatch()
		var again <-chan time.Time
		if w.inFlight == 0 {
			again = time.After(max(0, time.Until(w.retryAt)))
		}
		select {
		case s := <-w.stored:
			if w.settle(s); s.err != nil {
				last = s.err
			}
		case <-again:
		case <-limit.C:
			return w.unstored(last)
		}
	}
	if w.stuck != nil {
		return w.unstored(w.memory.err)
	}
	return nil
}

func (w *Worker) unstored(err error) error {
	w.log.Error("records.unstored", "arrivals", len(w.waiting), "error", err)
	return fmt.Errorf("%w: %d of link %s: %w", ErrUnstored, len(w.waiting), w.opt.Link, err)
}
