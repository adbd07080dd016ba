package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// store returns a batch to the store until it is stored, or ctx ends. A message that
// the store cannot hold, whatever it is, goes into quarantine; the others go on.
// While the store is away for long, we publish that we are offline, so that terminals
// keep their cases.
func (c *Consumer) store(ctx context.Context, conn Broker, list []store.Message) (store.Answer, error) {
	if len(list) == 0 {
		return store.Answer{}, nil
	}
	began, wait, away := c.o.Now(), storePause, false
	for {
		answer, err := c.attempt(ctx, list)
		if err == nil {
			if away {
				c.o.Log.Info("store.back")
				c.note(func(s *Status) { s.StoreError = "" })
				err = c.publishPresence(ctx, conn, true, 0)
			}
			return answer, err
		}
		if errors.Is(err, store.ErrData) {
			return c.apart(ctx, conn, list)
		}
		if ctx.Err() != nil {
			return store.Answer{}, ctx.Err()
		}
		if !away && c.o.Now().Sub(began) >= storeAway {
			away = true
			c.o.Log.Error("store.away", "err", err, "remedy", "nothing is acknowledged and the terminals keep their cases: start the database, or free room on its disk; the desk goes on by itself")
			c.note(func(s *Status) { s.StoreError = err.Error() })
			if err := c.publishPresence(ctx, conn, false, 0); err != nil {
				c.note(func(s *Status) { s.StoreError = "" })
				return store.Answer{}, err
			}
		}
		pause(ctx, wait)
		wait = min(2*wait, storeMost)
	}
}

// attempt is one try; when ctx ends it still has a moment.
func (c *Consumer) attempt(ctx context.Context, list []store.Message) (store.Answer, error) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(lastBatch, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	defer stop()
	return c.o.Store.Apply(work, list)
}

// apart stores messages one by one: the store refuses one of them.
func (c *Consumer) apart(ctx context.Context, conn Broker, list []store.Message) (store.Answer, error) {
	if len(list) > 1 {
		var all store.Answer
		for i := range list {
			one, err := c.store(ctx, conn, list[i:i+1])
			if err != nil {
				return store.Answer{}, err
			}
			all = join(all, one)
		}
		return all, nil
	}
	m := &list[0]
	var r *store.Refusal
	switch {
	case m.Event != nil:
		r = &store.Refusal{Terminal: m.Event.Terminal, Topic: "up/case", Stream: m.Event.Stream, Seq: m.Event.Seq, Payload: m.Event.Payload, Received: m.Event.Received}
	case m.Day != nil:
		r = &store.Refusal{Terminal: m.Day.Terminal, Topic: "up/day", Stream: m.Day.Stream, Seq: m.Day.Seq, Payload: m.Day.Payload, Received: m.Day.Received}
	case m.Status != nil:
		r = &store.Refusal{Terminal: m.Status.Terminal, Topic: "up/" + m.Status.What, Payload: m.Status.Payload, Received: m.Status.Received}
	case m.Checkpoint != nil:
		r = &store.Refusal{Terminal: m.Checkpoint.Terminal, Topic: "up/checkpoint", Payload: m.Checkpoint.Payload, Received: m.Checkpoint.Received}
	default: // even the quarantine cannot hold it: it is dropped, and logged
		c.o.Log.Error("message.dropped", "terminal", m.Refusal.Terminal, "code", m.Refusal.Code)
		return store.Answer{Refused: 1}, nil
	}
	r.Code, r.Message = "store", "the database cannot hold it"
	return c.store(ctx, conn, []store.Message{{Refusal: r}})
}

// join adds up two answers; of a stream the later acknowledgement counts.
func join(a, b store.Answer) store.Answer {
	a.Full = append(a.Full, b.Full...)
	a.Days = append(a.Days, b.Days...)
	a.N, a.New, a.Repeats, a.Refused = b.N, a.New+b.New, a.Repeats+b.Repeats, a.Refused+b.Refused
	a.Acks = append(a.Acks, b.Acks...)
	a.GapBegun, a.GapEnded = append(a.GapBegun, b.GapBegun...), append(a.GapEnded, b.GapEnded...)
	a.Cosigned, a.LogAlarms, a.Forked = append(a.Cosigned, b.Cosigned...), append(a.LogAlarms, b.LogAlarms...), append(a.Forked, b.Forked...)
	a.OtherKey = a.OtherKey || b.OtherKey
	if b.DeskNote != "" {
		a.DeskNote = b.DeskNote
	}
	a.Reused, a.PutBack = append(a.Reused, b.Reused...), append(a.PutBack, b.PutBack...)
	return a
}

// mostNacks bounds one payload, whose room is 32 KiB.
const mostNacks = 20

// answer sends acknowledgements. The terminal takes refusals before it takes what
// is settled, so both may stand in one payload.
func (c *Consumer) answer(conn Broker, acks []store.Ack) error {
	if c.o.Observe {
		return nil
	}
	for _, a := range acks {
		for first := true; first || len(a.Refused) > 0; first = false {
			n := min(len(a.Refused), mostNacks)
			ack := topics.Ack{Stream: a.Stream, Nack: a.Refused[:n]}
			a.Refused = a.Refused[n:]
			if len(a.Refused) == 0 && a.Seq > 0 {
				ack.AckedSeq = &a.Seq
			}
			if err := c.sendAck(conn, a.Terminal, &ack); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Consumer) sendAck(conn Broker, terminal string, ack *topics.Ack) error {
	body, err := json.Marshal(ack)
	if err != nil {
		return err
	}
	if err := c.decode.check.Check("ack.v1", body); err != nil {
		c.o.Log.Error("ack.unfit", "terminal", terminal, "err", err) // never leaves; the terminal asks again
		return nil
	}
	return c.send(conn, topics.Names{Root: c.o.Root, Terminal: terminal}.Ack(), terminal, false, body)
}
