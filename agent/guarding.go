package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/config"
	"yuanlu/agent/guard"
	"yuanlu/agent/guard/pins"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// startGuard starts what answers asks, on an open store, and the local API where a link has a
// guard. What cannot be had is logged, and the links then answer no ask.
func (a *Agent) startGuard(c *crew, db *ledger.DB) {
	o := a.guardOptions(db)
	ctx, cancel := context.WithTimeout(context.Background(), guardStart)
	defer cancel()
	g, err := guard.New(ctx, o)
	if err != nil {
		a.log.Error("guard.unavailable", "err", err)
		return
	}
	var names []string
	asked := false
	for _, l := range o.Links {
		names = append(names, l.Name)
		asked = asked || l.Level != ask.Off
	}
	a.tills.open(g, names)
	c.start(layerStore, "guard", g.Run)
	if asked {
		a.startAPI(c, g, names)
	}
}

// guardStart bounds how long the holds that are open may take to be read.
const guardStart = 10 * time.Second

func (a *Agent) guardOptions(db *ledger.DB) guard.Options {
	s := &a.o.Config.Guard
	o := guard.Options{Store: db, Keeper: db, Keys: db.Keys(), PINs: a.pins(), HoldFor: s.HoldFor, OfficeHoldFor: s.OfficeHoldFor, OfficeWait: s.OfficeWait,
		Turn: a.turn, OfficeThere: a.officeThere, Now: func() time.Time { return a.clock.Now().In(a.tills.zone) }, Log: a.log,
		Event: a.Event, Ended: a.tills.holdEnded, Tally: &a.tills.tally}
	for _, l := range a.o.Links {
		level := ask.Level(l.Config.Guard)
		if level == "" {
			level = ask.Off
		}
		o.Links = append(o.Links, guard.Link{Name: l.Config.Name, Level: level})
	}
	o.Supervisors = supervisorList(a.o.Config)
	return o
}

// turn waits until all that came before it on a link is durable.
func (a *Agent) turn(ctx context.Context, link string) error {
	if w := a.worker(link); w != nil {
		return w.Turn(ctx)
	}
	return nil // a link that is not enabled brings nothing
}

// worker returns the worker of a link, nil if there is none.
func (a *Agent) worker(link string) *ingest.Worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.workers {
		if w.Health().Name == link {
			return w
		}
	}
	return nil
}

// shown waits for the next card or account that a link reads; till.ErrNoLink: it does not run.
func (a *Agent) shown(ctx context.Context, link string) (*refund.Party, error) {
	if w := a.worker(link); w != nil {
		return w.Shown(ctx)
	}
	return nil, till.ErrNoLink
}

// officeThere reports whether the back office can decide now: the broker is connected and no
// host of it is known to be offline. Source: guard.md § 3.
func (a *Agent) officeThere() bool {
	if a.reporter == nil {
		return false
	}
	s := a.reporter.Status()
	return s.Connected && (s.Host == nil || !s.Host.Known || s.Host.Online)
}

// pins opens the PINs of the supervisors.
func (a *Agent) pins() guard.PINs {
	o := pins.Options{Dir: filepath.Join(a.o.Config.Store.Dir, "keys"), Known: supervisorsOf(a.o.Config), Running: func() time.Duration { return time.Since(a.began) },
		Locked: func(id string, long time.Duration) {
			a.log.Warn("guard.locked", "supervisor", id, "for", long)
			a.Event("guard.locked", "guard", slog.String("supervisor", id), slog.Int64("for_s", int64(long/time.Second)))
		}}
	book, err := pins.Open(o)
	if err != nil {
		a.log.Error("guard.pins", "err", err)
		return noPINs{err}
	}
	return counted{book}
}

func supervisorsOf(c *config.Config) []string {
	var ids []string
	for _, s := range c.Guard.Supervisors {
		ids = append(ids, s.ID)
	}
	return ids
}

// counted is a book of PINs as a guard.PINs.
type counted struct{ book *pins.Book }

// Compare implements guard.PINs.
func (p counted) Compare(ctx context.Context, supervisor string, pin guard.PIN) error {
	err := p.book.Compare(ctx, supervisor, pin)
	switch {
	case errors.Is(err, pins.ErrLocked):
		return guard.ErrLocked
	case errors.Is(err, pins.ErrWrong):
		return guard.ErrWrongPIN
	}
	return err
}

// noPINs is where the count of wrong PINs cannot be read: nothing is compared.
type noPINs struct{ err error }

// Compare implements guard.PINs.
func (p noPINs) Compare(context.Context, string, guard.PIN) error { return p.err }
