package guard

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
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
			g.forgetHours(now)
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

// hourly is what one terminal had held within the last hour.
type hourly struct {
	opened  []time.Time
	flooded time.Time // when guard.flood was last queued
}

// over forgets what is more than an hour ago, and reports whether nothing counts any more.
func (h *hourly) over(now time.Time) bool {
	h.opened = slices.DeleteFunc(h.opened, func(t time.Time) bool { return now.Sub(t) >= hour })
	return len(h.opened) == 0 && now.Sub(h.flooded) >= hour
}

// full reports whether a terminal with so many other open holds may have no more now; else one
// more is counted (ledger.AskHow.Full). What is too many is said once an hour of each
// terminal; of practice, which is counted apart, nothing is reported.
func (g *Guard) full(a *refund.Ask, open int) bool {
	now, k, practice := time.Now(), ask.KeyOf(a), a.Record.Training
	at := terminal{k.Merchant, k.Terminal, practice}
	g.mu.Lock()
	h := g.hourly[at]
	if h == nil {
		h = &hourly{}
		g.hourly[at] = h
	}
	h.over(now)
	full := open >= mostOpen || len(h.opened) >= mostHourly
	say := full && now.Sub(h.flooded) >= hour
	if say {
		h.flooded = now
	}
	if !full {
		h.opened = append(h.opened, now)
	}
	lastHour := len(h.opened)
	g.mu.Unlock()
	if say {
		g.o.Log.Warn("guard.flood", "terminal", k.Terminal, "open", open, "last_hour", lastHour, "practice", practice)
		if !practice {
			g.flood(k, open, lastHour)
		}
	}
	return full
}

// forgetHours drops what terminals had held more than an hour ago.
func (g *Guard) forgetHours(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.hourly, func(_ terminal, h *hourly) bool { return h.over(now) })
}
