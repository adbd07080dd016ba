package ingest

import (
	"context"
	"time"

	"yuanlu/agent/refund"
)

// Ask is a question of the firmware: what would the judge make of this refund? Nothing of it
// is stored. It is judged when all that came before it on its link is durable, and before
// anything that came after it; it is answered once. Source: guard.md § 1.
type Ask struct {
	Record Decoded // the refund as it would be made
	// Within is how long after its reception the answer must be on its way; 5 s at most.
	Within time.Duration
	// Answer returns what is to be written to the port. It is called in the goroutine that
	// calls the wire; nil: the record could not be judged in time.
	Answer func(*refund.Changes) []byte
}

// Judge answers what it would make of a record that came next. *ledger.DB is one.
type Judge interface {
	Preview(ctx context.Context, r refund.Record) (refund.Changes, error)
}

const (
	// maxAsks bounds the asks of one link that wait; one more is answered as not judged.
	maxAsks = 16
	// maxWithin is the longest Ask.Within (guard.md § 1, deadline_ms): what came after an
	// ask is not stored before its answer.
	maxWithin = 5 * time.Second
)

// asks is the part of a Worker that has the firmware's questions answered. It belongs to the
// goroutine of Run.
type asks struct {
	open   []openAsk   // in the order in which they came
	last   uint64      // number of the newest
	busy   bool        // the judge has one, the first or one that was given up
	judged chan judged // cap 1: its answer
}

// openAsk is an ask without an answer.
type openAsk struct {
	number     uint64
	record     refund.Record
	answer     func(*refund.Changes) []byte
	until      time.Time
	behind     uint64 // Worker.queue.queued when it came
	generation int    // of the port that it came from
}

// judged is the judge's answer to one ask.
type judged struct {
	number  uint64
	changes refund.Changes
	err     error
}

// ask takes a question in.
func (w *Worker) ask(a *Ask) {
	w.asks.last++
	one := openAsk{number: w.asks.last, record: refund.Seal(a.Record.Record, w.opt.Tokenizer), answer: a.Answer,
		until: time.Now().Add(min(a.Within, maxWithin)), behind: w.queued, generation: w.generation}
	if w.opt.Judge == nil || len(w.asks.open) >= maxAsks {
		w.answer(&one, nil, "too many wait")
		return
	}
	w.asks.open = append(w.asks.open, one)
}

// askNext hands the judge the first ask, once all that came before it is durable, and
// answers those whose time is over.
func (w *Worker) askNext(ctx context.Context) {
	now := time.Now()
	for i := 0; i < len(w.asks.open); {
		if one := w.asks.open[i]; now.Before(one.until) {
			i++
		} else {
			w.asks.open = append(w.asks.open[:i], w.asks.open[i+1:]...)
			w.answer(&one, nil, "its time is over")
		}
	}
	if w.asks.busy || len(w.asks.open) == 0 || w.asks.open[0].behind > w.settled {
		return
	}
	w.asks.busy = true
	one := w.asks.open[0]
	go func() {
		ctx, cancel := context.WithDeadline(ctx, one.until)
		defer cancel()
		ch, err := w.opt.Judge.Preview(ctx, one.record)
		w.asks.judged <- judged{one.number, ch, err}
	}()
}

// settleAsk takes the judge's answer; one that came too late is dropped.
func (w *Worker) settleAsk(j judged) {
	w.asks.busy = false
	if len(w.asks.open) == 0 || w.asks.open[0].number != j.number {
		return
	}
	one := w.asks.open[0]
	w.asks.open = append(w.asks.open[:0], w.asks.open[1:]...)
	if j.err != nil {
		w.answer(&one, nil, j.err.Error())
		return
	}
	w.answer(&one, &j.changes, "")
}

// answer writes the answer to an ask; why it was not judged is logged.
func (w *Worker) answer(a *openAsk, ch *refund.Changes, why string) {
	if ch == nil {
		w.log.Warn("ask.unchecked", "why", why)
	}
	if b := a.answer(ch); len(b) > 0 {
		w.write(a.generation, b)
	}
}

// room is how many of the arrivals that wait may be stored before the first open ask is
// answered.
func (w *Worker) room() int {
	n := len(w.waiting)
	if len(w.asks.open) > 0 {
		n = min(n, int(max(w.asks.open[0].behind, w.settled)-w.settled))
	}
	return n
}

// endAsks drops the asks of a link that stops and waits for the judge, whose context has
// ended, but not for a disk that does not answer.
func (w *Worker) endAsks() {
	w.asks.open = nil
	if !w.asks.busy {
		return
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-w.asks.judged:
	case <-limit.C:
	}
}
