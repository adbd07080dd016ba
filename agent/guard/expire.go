package guard

import (
	"context"
	"errors"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger"
)

const (
	// mostOpen and mostHourly bound the holds of one terminal (guard.md § 3).
	mostOpen   = 8
	mostHourly = 60
	hour       = time.Hour

	forgetEvery = time.Hour
	retryEvery  = time.Second // after the end of a hold could not be stored
	longestWait = time.Minute
)

// Run ends the holds whose time is over, notes which answers have arrived, and forgets old
// asks, until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	forget := time.Now()
	for {
		wait := g.expire(ctx)
		if now := time.Now(); !now.Before(forget) {
			forget = now.Add(forgetEvery)
			if _, err := g.o.Keeper.ForgetAsks(ctx, g.o.Now()); err != nil && ctx.Err() == nil {
				g.o.Log.Warn("asks.not_forgotten", "err", err)
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-g.wake:
		case k := <-g.arrived:
			if err := g.o.Store.NoteArrived(ctx, k); err != nil && !errors.Is(err, ledger.ErrAskUnknown) && ctx.Err() == nil {
				g.o.Log.Warn("ask.arrival_not_noted", "ask", k.ID, "err", err)
			}
		case <-t.C:
		}
		t.Stop()
	}
}

// expire ends what is over and returns when to look again.
func (g *Guard) expire(ctx context.Context) time.Duration {
	wait := longestWait
	open, err := g.o.Keeper.Holds(ctx, true)
	if err != nil {
		return retryEvery
	}
	for i := range open {
		h := &open[i]
		g.mu.Lock()
		if _, known := g.began[h.Key]; !known { // a store that was opened again has it
			g.began[h.Key] = time.Now()
		}
		g.mu.Unlock()
		if left := g.left(h); left > 0 {
			wait = min(wait, left)
			continue
		}
		if _, _, err := g.o.Store.EndHold(ctx, h.Key, ask.Ending{State: ask.Expired, At: g.o.Now()}); err != nil {
			if ctx.Err() == nil {
				g.o.Log.Warn("hold.not_expired", "ask", h.Key.ID, "err", err)
			}
			wait = min(wait, retryEvery)
		}
	}
	return wait
}

// full reports whether a terminal with so many open holds may have no more now; else one more
// is counted (ledger.AskHow.Full). What is too many is said once an hour.
func (g *Guard) full(k ask.Key, open int) bool {
	now := time.Now()
	at := terminal{k.Merchant, k.Terminal}
	g.mu.Lock()
	var recent []time.Time
	for _, t := range g.opened[at] {
		if now.Sub(t) < hour {
			recent = append(recent, t)
		}
	}
	full := open >= mostOpen || len(recent) >= mostHourly
	if !full {
		recent = append(recent, now)
	}
	g.opened[at] = recent
	say := full && (g.flooded.IsZero() || now.Sub(g.flooded) >= hour)
	if say {
		g.flooded = now
	}
	g.mu.Unlock()
	if say {
		g.o.Log.Warn("guard.flood", "terminal", k.Terminal, "open", open, "last_hour", len(recent))
		g.flood(k, open, len(recent))
	}
	return full
}
