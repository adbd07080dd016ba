package ingest

import (
	"fmt"
	"time"

	"yuanlu/protocol/frame"
	"yuanlu/protocol/smart"
)

// The agent's own data frames. Source: guard.md § 4.
const (
	repeatAfter = 300 * time.Millisecond
	mostRepeats = 2
	// maxOutgoing bounds the frames that wait for a confirm; the oldest is dropped for one more.
	maxOutgoing = 64
)

// saying is one message of the agent to the firmware.
type saying struct {
	src string
	key AskKey // whose terminal and merchant the envelope names
	Saying
}

func answerTo(q *Question, s Saying) saying { return saying{smart.SrcGuardAnswer, q.Key, s} }

func stateOf(k AskKey, s Saying) saying { return saying{smart.SrcGuardState, k, s} }

// outgoing are the data frames that the firmware has not confirmed yet. It belongs to the
// goroutine of Run.
type outgoing struct {
	waiting []unconfirmed // oldest first
	id      byte          // of the last frame
	number  uint64        // of the last message
}

// unconfirmed is one frame without a confirm.
type unconfirmed struct {
	id         byte
	raw        []byte
	tells      AskKey // of which ask, zero: of none
	generation int
	again      time.Time // when it is sent again, or dropped
	repeats    int
}

// next returns the id of the next frame: 1 to 255, none that waits for its confirm.
func (o *outgoing) next() byte {
	for {
		o.id = o.id%255 + 1
		used := false
		for i := range o.waiting {
			used = used || o.waiting[i].id == o.id
		}
		if !used {
			return o.id
		}
	}
}

// confirmed takes the confirm of a frame, and returns of which ask it tells.
func (o *outgoing) confirmed(id byte, generation int) (k AskKey, ok bool) {
	for i, one := range o.waiting {
		if one.id == id && one.generation == generation {
			o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
			return one.tells, true
		}
	}
	return AskKey{}, false
}

// say sends a message to the firmware and waits for its confirm; nothing, if there is no body.
func (w *Worker) say(generation int, s saying) {
	if len(s.Body) == 0 {
		return
	}
	o := &w.talk.outgoing
	o.number++
	// The beginning of this run keeps the ids of two runs apart.
	id := fmt.Sprintf("g%x-%d", w.began.UnixMilli(), o.number)
	data, err := smart.AppendGuard(nil, id, s.src, s.key.TerminalID, s.key.MerchantID, s.Body)
	if err != nil {
		w.log.Error("guard.unsent", "error", err)
		return
	}
	one := unconfirmed{id: o.next(), generation: generation, again: time.Now().Add(repeatAfter)}
	if one.raw, err = frame.AppendSmart(nil, frame.Frame{Type: frame.SmartData, ID: one.id, Data: data}); err != nil {
		w.log.Error("guard.unsent", "error", err)
		return
	}
	if s.Tells {
		one.tells = s.key
	}
	if len(o.waiting) >= maxOutgoing {
		o.waiting = append(o.waiting[:0], o.waiting[1:]...)
	}
	o.waiting = append(o.waiting, one)
	w.write(generation, one.raw)
}

// sayAgain sends again what was not confirmed in time, twice, and drops what then is not.
func (w *Worker) sayAgain() {
	o := &w.talk.outgoing
	now := time.Now()
	for i := 0; i < len(o.waiting); {
		one := &o.waiting[i]
		switch {
		case one.generation != w.generation:
			o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
			continue
		case now.Before(one.again):
		case one.repeats == mostRepeats:
			w.log.Warn("guard.unconfirmed", "id", one.id)
			w.count(func(h *LinkHealth) { h.Unconfirmed++ })
			o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
			continue
		default:
			one.repeats, one.again = one.repeats+1, now.Add(repeatAfter)
			w.write(one.generation, one.raw)
		}
		i++
	}
}

// untilTalk is the time until something of the talk happens by itself, at most d.
func (w *Worker) untilTalk(d time.Duration) time.Duration {
	for i := range w.talk.open {
		until := w.talk.open[i].until
		if i == 0 && w.talk.busy {
			until = until.Add(overdue)
		}
		d = min(d, time.Until(until))
	}
	for i := range w.talk.outgoing.waiting {
		d = min(d, time.Until(w.talk.outgoing.waiting[i].again))
	}
	return d
}
