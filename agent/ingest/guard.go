package ingest

import (
	"context"
	"encoding/json"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/sensitive"
)

// Guard answers what the firmware of one link asks before a refund. It returns the bodies of
// the messages that go back to the firmware. Its methods are called from several goroutines.
// Source: guard.md § 4.
type Guard interface {
	// Ask answers a question, by its deadline: the body of a guard.answer. Of one that is
	// Late, or has an Err, it returns at once.
	Ask(ctx context.Context, q *Question) Saying
	// Order does what a guard.release or guard.cancel orders: the body of a guard.state. Of
	// one that is Late, or has an Err, it returns at once.
	Order(ctx context.Context, o *Order) Saying
	// Arrived notes that the firmware has confirmed a Saying that Tells of an ask.
	Arrived(k AskKey)
	// Ended returns the holds of the link that end otherwise than by an Order of it.
	Ended() <-chan HoldEnd
}

// Saying is what is said of one ask.
type Saying struct {
	Body json.RawMessage // none: nothing is said
	// Tells: who has it knows what the ask was answered, or of its hold. An answer that the ask
	// is refused, or was not judged, does not tell (guard.md § 3, hold_bypassed).
	Tells bool
}

// AskKey names an ask (guard.md § 1).
type AskKey struct{ MerchantID, TerminalID, ID string }

// Question is one ask of the firmware.
type Question struct {
	Key      AskKey
	Ask      refund.Ask // in clear, unless Err is set
	Err      error      // it is not to the form of guard.md § 1: a *refund.InputError or *smart.DecodeError
	Received time.Time  // its last byte, with the monotonic clock
	// InTurn: all that came before it on its link is durable.
	InTurn bool
	// Late: it was not looked at before its deadline, or too many wait; it is not to be judged.
	Late bool
}

// Order is a release, or where Cancel is set the cancelling of an ask.
type Order struct {
	Key      AskKey
	Err      error // it is not to its form: a *smart.DecodeError
	Late     bool  // too many wait; it is not to be done
	Cancel   bool
	Operator string // of the envelope
	By       string
	PIN      sensitive.Text
	Reason   string
	Text     string
	message  string // id of the message, "" none
}

// HoldEnd is a hold that ended: its ask and the body of the guard.state that tells of it.
type HoldEnd struct {
	Key  AskKey
	Body json.RawMessage
}

const (
	// maxAsks bounds the asks of one link that wait; one more is answered as not judged.
	maxAsks = 16
	// maxOrders bounds the releases and cancels that wait; one more is answered as not done.
	maxOrders = 16
	// answerBefore is how long before its deadline an ask is answered. Source: guard.md § 2.
	answerBefore = 20 * time.Millisecond
	// overdue is how long after that a guard may still answer before records go on without it.
	overdue    = time.Second
	orderLimit = 30 * time.Second
	// remembered is how many orders are kept with their answers: the firmware repeats a
	// message whose confirm it missed, and a wrong PIN must not count twice.
	remembered = 64
)

// talk is the part of a Worker that speaks with the firmware about refunds to be made. It
// belongs to the goroutine of Run.
type talk struct {
	open     []openAsk // in the order in which they came
	last     uint64    // number of the newest
	busy     bool      // the guard has one, the first of open or one that was dropped
	answered chan answered

	orders  []Order
	ordered chan orderDone
	done    []orderDone // the latest, in a ring
	at      int         // of the ring
	begun   bool        // the guard has the first of orders

	asked    bool // something was asked: states may be sent
	outgoing outgoing
}

// openAsk is an ask without an answer.
type openAsk struct {
	number     uint64
	question   *Question
	until      time.Time
	behind     uint64 // Worker.queue.queued when it came
	generation int    // of the port that it came from
}

// answered is the guard's answer to one ask.
type answered struct {
	number uint64
	said   Saying
}

// orderDone is the answer to an order.
type orderDone struct {
	key     AskKey
	message string
	said    Saying
}

func newTalk() talk {
	return talk{answered: make(chan answered, 1), ordered: make(chan orderDone, 1)}
}

// guardStep takes what a frame has brought for the guard.
func (w *Worker) guardStep(s *Step) {
	if s.Confirmed != 0 {
		if key, ok := w.talk.outgoing.confirmed(s.Confirmed, w.generation); ok && w.opt.Guard != nil && key != (AskKey{}) {
			w.opt.Guard.Arrived(key)
		}
	}
	if w.opt.Guard == nil {
		return
	}
	if s.Question != nil {
		w.talk.asked = true
		w.question(s.Question)
	}
	if s.Order != nil {
		w.talk.asked = true
		w.order(s.Order)
	}
}

// question takes an ask in.
func (w *Worker) question(q *Question) {
	q.Received = time.Now()
	w.talk.last++
	one := openAsk{number: w.talk.last, question: q, behind: w.queued, generation: w.generation,
		until: q.Received.Add(min(q.Ask.Deadline, refund.MaxDeadline) - answerBefore)}
	switch {
	case q.Err != nil:
		w.count(func(h *LinkHealth) { h.AsksRefused++ })
		w.log.Warn("ask.refused", "error", q.Err)
		w.say(one.generation, answerTo(q, w.opt.Guard.Ask(context.Background(), q)))
	case len(w.talk.open) >= maxAsks:
		w.unchecked(&one, "too many wait")
	default:
		w.talk.open = append(w.talk.open, one)
	}
	w.count(func(h *LinkHealth) { h.Asks++ })
}

// unchecked answers an ask that is not judged.
func (w *Worker) unchecked(a *openAsk, why string) {
	w.log.Warn("ask.unchecked", "why", why)
	late := *a.question
	late.Late = true
	w.say(a.generation, answerTo(&late, w.opt.Guard.Ask(context.Background(), &late)))
}

// askNext hands the guard the first ask, once all that came before it is durable, and
// answers those whose time is over.
func (w *Worker) askNext(ctx context.Context) {
	now := time.Now()
	for i := 0; i < len(w.talk.open); {
		one := w.talk.open[i]
		limit := one.until
		if i == 0 && w.talk.busy {
			limit = limit.Add(overdue) // the guard answers by itself in time; unless it hangs
		}
		if now.Before(limit) {
			i++
			continue
		}
		w.talk.open = append(w.talk.open[:i], w.talk.open[i+1:]...)
		w.unchecked(&one, "its time is over")
	}
	if w.talk.busy || len(w.talk.open) == 0 || w.talk.open[0].behind > w.settled {
		return
	}
	w.talk.busy = true
	one := w.talk.open[0]
	one.question.InTurn = true
	go func() {
		ctx, cancel := context.WithDeadline(ctx, one.until.Add(overdue))
		defer cancel()
		w.talk.answered <- answered{one.number, w.opt.Guard.Ask(ctx, one.question)}
	}()
}

// settleAsk takes the guard's answer; one to an ask that was dropped is dropped.
func (w *Worker) settleAsk(a answered) {
	w.talk.busy = false
	if len(w.talk.open) == 0 || w.talk.open[0].number != a.number {
		return
	}
	one := w.talk.open[0]
	w.talk.open = append(w.talk.open[:0], w.talk.open[1:]...)
	w.say(one.generation, answerTo(one.question, a.said))
}

// room is how many of the arrivals that wait may be stored before the first open ask is
// answered.
func (w *Worker) room() int {
	n := len(w.waiting)
	if len(w.talk.open) > 0 {
		n = min(n, int(max(w.talk.open[0].behind, w.settled)-w.settled))
	}
	return n
}

// order takes a release or cancel in. One that was taken already is answered as before.
func (w *Worker) order(o *Order) {
	if o.message != "" {
		for _, d := range w.talk.done {
			if d.message == o.message && d.key.TerminalID == o.Key.TerminalID {
				w.say(w.generation, stateOf(d.key, d.said))
				return
			}
		}
		for i := range w.talk.orders {
			if w.talk.orders[i].message == o.message && w.talk.orders[i].Key.TerminalID == o.Key.TerminalID {
				return // it is under way
			}
		}
	}
	if len(w.talk.orders) >= maxOrders {
		w.log.Warn("order.dropped", "why", "too many wait")
		late := *o
		late.Late = true
		w.say(w.generation, stateOf(o.Key, w.opt.Guard.Order(context.Background(), &late)))
		return
	}
	w.talk.orders = append(w.talk.orders, *o)
}

// orderNext hands the guard the first order.
func (w *Worker) orderNext(ctx context.Context) {
	if w.talk.begun || len(w.talk.orders) == 0 {
		return
	}
	w.talk.begun = true
	o := &w.talk.orders[0]
	o = &Order{Key: o.Key, Err: o.Err, Cancel: o.Cancel, Operator: o.Operator, By: o.By, PIN: o.PIN, Reason: o.Reason, Text: o.Text, message: o.message}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, orderLimit)
		defer cancel()
		w.talk.ordered <- orderDone{o.Key, o.message, w.opt.Guard.Order(ctx, o)}
	}()
}

// settleOrder takes the guard's answer to an order.
func (w *Worker) settleOrder(d orderDone) {
	w.talk.begun = false
	w.talk.orders = append(w.talk.orders[:0], w.talk.orders[1:]...)
	if len(w.talk.done) < remembered {
		w.talk.done = append(w.talk.done, d)
	} else {
		w.talk.done[w.talk.at] = d
		w.talk.at = (w.talk.at + 1) % remembered
	}
	w.say(w.generation, stateOf(d.key, d.said))
}

// ended returns what has ended otherwise; nil where the link has no guard.
func (w *Worker) ended() <-chan HoldEnd {
	if w.opt.Guard == nil {
		return nil
	}
	return w.opt.Guard.Ended()
}

// holdEnded tells the firmware that a hold has ended. To a link that never asked nothing is
// said. Source: guard.md § 4.
func (w *Worker) holdEnded(e HoldEnd) {
	if w.talk.asked {
		w.say(w.generation, stateOf(e.Key, Saying{Body: e.Body, Tells: true}))
	}
}

// endTalk drops the asks and orders of a link that stops and waits for the guard, whose
// context has ended, but not for a disk that does not answer.
func (w *Worker) endTalk() {
	w.talk.open, w.talk.outgoing.waiting = nil, nil
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	for w.talk.busy || w.talk.begun {
		select {
		case <-w.talk.answered:
			w.talk.busy = false
		case <-w.talk.ordered:
			w.talk.begun = false
		case <-limit.C:
			return
		}
	}
}
