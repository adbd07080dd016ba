package till

import (
	"context"
	"errors"
	"sync"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/guard"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/smart"
)

// maxEnds bounds the ends of holds that a link has not taken yet. One more is dropped: the
// firmware learns it when it repeats its ask.
const maxEnds = 64

// Link has a guard answer the firmware of one link. It is an ingest.Guard and safe for
// concurrent use.
type Link struct {
	name    string
	service guard.Service
	zone    *time.Location
	tally   *guard.Tally
	ends    chan ingest.HoldEnd

	mu  sync.Mutex
	own map[ask.Key]bool // an order of this link is under way
}

// NewLink returns the guard of the link of that name; times are written in a zone, and what
// does not come to the service is counted.
func NewLink(name string, s guard.Service, zone *time.Location, tally *guard.Tally) *Link {
	return &Link{name: name, service: s, zone: zone, tally: tally, ends: make(chan ingest.HoldEnd, maxEnds), own: map[ask.Key]bool{}}
}

func keyOf(k ingest.AskKey) ask.Key {
	return ask.Key{Merchant: k.MerchantID, Terminal: k.TerminalID, ID: k.ID}
}

// Ask implements ingest.Guard.
func (l *Link) Ask(ctx context.Context, q *ingest.Question) ingest.Saying {
	switch {
	case q.Err != nil:
		l.tally.Refused(guard.CodeForm)
		return ingest.Saying{Body: encode(Refused{Ask: q.Key.ID, Action: ActionRefused, Error: Error{guard.CodeForm, fieldOf(q.Err)}})}
	case q.Late:
		l.tally.Unchecked()
		return ingest.Saying{Body: encode(UncheckedOf(q.Key.ID, q.Ask.Record.Training))}
	}
	reply, err := l.service.Ask(ctx, guard.Request{Link: l.name, Ask: q.Ask, Received: q.Received, InTurn: q.InTurn})
	switch {
	case err == nil:
		return ingest.Saying{Body: encode(AnswerOf(&reply, l.zone)), Tells: !reply.Answer.Unchecked()}
	case ctx.Err() != nil:
		return ingest.Saying{} // the link stops
	}
	return ingest.Saying{Body: encode(Refused{Ask: q.Key.ID, Action: ActionRefused, Error: ErrorOf(err)})}
}

// Order implements ingest.Guard.
func (l *Link) Order(ctx context.Context, o *ingest.Order) ingest.Saying {
	k := keyOf(o.Key)
	switch {
	case o.Err != nil:
		l.tally.Refused(guard.CodeForm)
		return ingest.Saying{Body: encode(State{Ask: k.ID, Error: guard.CodeForm})}
	case o.Late:
		l.tally.Refused(guard.CodeStore)
		return ingest.Saying{Body: encode(State{Ask: k.ID, Error: guard.CodeStore})}
	}
	l.begin(k, true)
	defer l.begin(k, false)
	var h ask.Held
	var err error
	if o.Cancel {
		h, err = l.service.Cancel(ctx, k, o.By)
	} else {
		h, err = l.service.Release(ctx, k, guard.Release{By: o.By, PIN: refund.NewSecret(o.PIN.Reveal()), Reason: o.Reason, Text: o.Text})
	}
	if ctx.Err() != nil && err != nil {
		err = &guard.Refusal{Code: guard.CodeStore, Err: err}
	}
	return ingest.Saying{Body: encode(StateOf(k.ID, h, err)), Tells: h.Key != (ask.Key{})}
}

func (l *Link) begin(k ask.Key, begins bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if begins {
		l.own[k] = true
	} else {
		delete(l.own, k)
	}
}

// Arrived implements ingest.Guard.
func (l *Link) Arrived(k ingest.AskKey) { l.service.Arrived(keyOf(k)) }

// Ended implements ingest.Guard.
func (l *Link) Ended() <-chan ingest.HoldEnd { return l.ends }

// HoldEnded tells the firmware of the link that a hold has ended, unless its own order has
// ended it. It never blocks.
func (l *Link) HoldEnded(h ask.Held) {
	l.mu.Lock()
	own := l.own[h.Key]
	l.mu.Unlock()
	if own || h.Link != l.name {
		return
	}
	end := ingest.HoldEnd{Key: ingest.AskKey{MerchantID: h.Key.Merchant, TerminalID: h.Key.Terminal, ID: h.Key.ID}, Body: encode(StateOf(h.Key.ID, h, nil))}
	select {
	case l.ends <- end:
	default:
	}
}

// fieldOf returns the member that an ask is refused for.
func fieldOf(err error) string {
	var wire *smart.DecodeError
	if errors.As(err, &wire) {
		return wire.Field
	}
	return guard.Form(err).Field
}
