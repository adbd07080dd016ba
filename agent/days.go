package agent

import (
	"context"
	"errors"
	"time"

	"yuanlu/agent/beat"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
)

// mostAway is how long a link may be away in a day whose digest is complete. Source: bills.md § 5.
const mostAway = 5 * time.Minute

// days has the digest of each day made that is over, once the clock is trusted, and notes why
// one will not be complete.
func (a *Agent) days(ctx context.Context, db *ledger.DB) error {
	watch := newDayWatch(a.o.Config.Time.Location())
	made, newest := 0, ""
	for {
		a.timers["day"].Add(1)
		wait := beat.In(time.Now(), beat.Every)
		if !a.o.Config.Day.Report {
			if !sleep(ctx, wait) {
				return nil
			}
			continue
		}
		synced := a.clock.Synced()
		for on, why := range watch.look(a.clock.Now(), synced, a.linksAway()) {
			if err := db.NoteDay(ctx, on, why); err != nil {
				a.dayFailed(ctx, err)
			}
		}
		if synced {
			one, more, err := db.MakeDigest(ctx, a.clock.Now(), a.o.Config.Day.After())
			if err != nil {
				a.dayFailed(ctx, err)
			}
			if one != nil {
				made, newest = made+1, max(newest, one.Day)
			}
			switch {
			case more:
				wait = redatePause
			case made > 0:
				a.log.Info("day.queued", "days", made, "newest", newest)
				made, newest = 0, ""
				a.Wake()
			}
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

func (a *Agent) dayFailed(ctx context.Context, err error) {
	if ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable) {
		a.log.Error("day.failed", "err", err)
	}
}

// linksAway returns the links that nothing can come on.
func (a *Agent) linksAway() (away []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.workers {
		if h := w.Health(); h.State == ingest.StateAbsent || h.State == ingest.StateDenied {
			away = append(away, h.Name)
		}
	}
	return away
}

// dayWatch adds up for how long of each day a link was away, and on which days the clock was never trusted.
type dayWatch struct {
	zone      *time.Location
	last      time.Time                           // of the look before, with its monotonic reading
	away      map[string]map[string]time.Duration // by day and link
	undated   map[string]time.Duration            // by link: since the clock is not trusted
	untrusted time.Duration                       // for how long it is not
	trustedOn string                              // the newest day on which it was
}

func newDayWatch(zone *time.Location) *dayWatch {
	return &dayWatch{zone: zone, away: map[string]map[string]time.Duration{}, undated: map[string]time.Duration{}}
}

// look takes in what is so since the look before, and returns which days (YYYY-MM-DD) lack something for that. While the clock
// is not trusted no day is known: what was then is added once it is.
func (w *dayWatch) look(now time.Time, synced bool, away []string) map[string]ledger.DayReason {
	passed := max(now.Sub(w.last), 0)
	if w.last.IsZero() {
		passed = 0
	}
	w.last = now
	if !synced {
		w.untrusted += passed
		for _, link := range away {
			w.undated[link] += passed
		}
		return nil
	}
	lacks := map[string]ledger.DayReason{}
	at := now.In(w.zone)
	today := at.Format(time.DateOnly)
	for on := at.Add(-w.untrusted); on.Format(time.DateOnly) < today; on = on.AddDate(0, 0, 1) {
		if day := on.Format(time.DateOnly); day != w.trustedOn {
			lacks[day] = ledger.DayClock
		}
	}
	w.trustedOn, w.untrusted = today, 0
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, w.zone)
	for link, d := range w.undated {
		w.add(today, link, min(d, at.Sub(midnight)))
	}
	clear(w.undated)
	for _, link := range away {
		w.add(today, link, passed)
	}
	for day, links := range w.away {
		for _, d := range links {
			if d > mostAway {
				lacks[day] |= ledger.DayLinkDown
			}
		}
		if day != today {
			delete(w.away, day)
		}
	}
	return lacks
}

func (w *dayWatch) add(day, link string, d time.Duration) {
	if w.away[day] == nil {
		w.away[day] = map[string]time.Duration{}
	}
	w.away[day][link] += d
}
