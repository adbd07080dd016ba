package terminal

import (
	"context"
	"math/rand/v2"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// linkTalk is the talk with the agent over the link of a smart terminal.
type linkTalk struct {
	ctx     context.Context
	l       *smartLink
	o       *GuardOptions
	encoder wire.Smart
	rng     *rand.Rand
	last    wire.Frame // the ask that was sent last
}

// Times of the firmware's side.
const (
	askTries  = 2               // an unanswered ask is sent again once
	orderTime = 5 * time.Second // for the answer to a release: a PIN is compared on purpose slowly
)

func (k *linkTalk) hit(rate float64) bool {
	if k.rng == nil {
		k.rng = rand.New(rand.NewPCG(k.l.p.o.Seed, 11))
	}
	return rate > 0 && k.rng.Float64() < rate
}

// ask sends an ask, again if it is not answered in time, and returns the answer. The agent's own repeats may come late
// and are skipped.
func (k *linkTalk) ask(from wire.Envelope, a wire.Ask, g *scenario.Guarded) (wire.GuardAnswer, bool, error) {
	f, err := k.encoder.Guard("guard.ask", from, a)
	if err != nil {
		return wire.GuardAnswer{}, false, err
	}
	k.last = f
	k.l.drain()
	late := k.hit(k.o.Faults.Late)
	g.Lost = k.hit(k.o.Faults.Lose)
	k.l.deaf.Store(g.Lost)
	defer k.l.deaf.Store(false)
	times := 1
	if k.hit(k.o.Faults.Repeat) {
		times = 2
	}
	for range askTries {
		for range times {
			g.Asks++
			if _, err := k.l.send(k.ctx, f); err != nil {
				return wire.GuardAnswer{}, false, err
			}
		}
		answer, ok, err := k.l.hear(k.ctx, "guard.answer", a.About.ID, k.o.Deadline)
		if err != nil || ok && !late {
			return answer, ok, err
		}
		if late {
			return wire.GuardAnswer{}, false, nil
		}
	}
	return wire.GuardAnswer{}, false, nil
}

// order sends a release or cancel until its answer comes, three times at most.
func (k *linkTalk) order(from wire.Envelope, src, id string, body any) (wire.GuardAnswer, bool, error) {
	f, err := k.encoder.Guard(src, from, body)
	if err != nil {
		return wire.GuardAnswer{}, false, err
	}
	k.l.drain()
	for range tries {
		if _, err := k.l.send(k.ctx, f); err != nil {
			return wire.GuardAnswer{}, false, err
		}
		state, ok, err := k.l.hear(k.ctx, "guard.state", id, orderTime)
		if err != nil || ok {
			return state, ok, err
		}
	}
	return wire.GuardAnswer{}, false, nil
}

// powerCut takes the power away in the middle of a frame and brings it back.
func (k *linkTalk) powerCut() error {
	k.l.writing.Lock()
	defer k.l.writing.Unlock()
	if err := k.l.p.unplug(k.ctx, k.last); err != nil {
		return err
	}
	k.l.listen()
	return nil
}

// hear waits for a message of the agent about an ask.
func (l *smartLink) hear(ctx context.Context, src, id string, limit time.Duration) (wire.GuardAnswer, bool, error) {
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return wire.GuardAnswer{}, false, ctx.Err()
		case <-end.C:
			return wire.GuardAnswer{}, false, nil
		case a := <-l.said:
			if a.Src == src && a.Ask == id {
				return a, true, nil
			}
		}
	}
}

// drain forgets what the agent has said so far.
func (l *smartLink) drain() {
	for {
		select {
		case <-l.said:
		default:
			return
		}
	}
}

// took takes a data frame of the agent: it is confirmed, unless the terminal loses it.
func (l *smartLink) took(f wire.Arrived) {
	a, ok := wire.ReadGuard(f.Data)
	if l.deaf.Load() && ok && a.Src == "guard.answer" {
		return
	}
	b, err := wire.AppendSmart(nil, wire.SmartConfirm, f.ID, 0, nil)
	if err != nil {
		return
	}
	l.writing.Lock()
	if l.p.faulty.Flush() == nil {
		_, _ = l.p.o.Socket.Line().Write(b)
	}
	l.writing.Unlock()
	if ok {
		select {
		case l.said <- a:
		default: // so many are never waited for
		}
	}
}
