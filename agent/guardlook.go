package agent

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/guard"
	"yuanlu/agent/guard/pins"
	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/machine"
)

// LookAtGuard returns what is known of the guard of the links that have one, nil if none has:
// by the configuration, the file of PINs as the daemon's user must have it, and a store, nil
// where there is none or it cannot be read. It asks the store until ctx ends.
func LookAtGuard(ctx context.Context, db *ledger.DB, c *config.Config, now time.Time, daemon uint32) *health.Guarding {
	g := health.Guarding{Supervisors: []string{}, PINs: machine.PINTrouble(c, daemon)}
	known, err := pins.Known(filepath.Join(c.Store.Dir, "keys"))
	if err != nil && g.PINs == nil {
		g.PINs = &health.PINTrouble{Error: err.Error()}
	}
	all := supervisorList(c)
	for _, s := range all {
		if slices.Contains(known, s.ID) {
			g.Supervisors = append(g.Supervisors, s.ID)
		}
	}
	for _, l := range c.Links {
		if l.Guard != "" && l.Guard != config.GuardOff {
			g.Links = append(g.Links, health.GuardedLink{Name: l.Name, Level: l.Guard, Operators: []string{}})
		}
	}
	if len(g.Links) == 0 {
		return nil
	}
	if db == nil {
		return &g
	}
	seen, whole, err := db.Guarded(ctx, now)
	for i := range g.Links {
		l := &g.Links[i]
		l.Counted = whole && err == nil
		for _, s := range seen {
			if s.Link == l.Name {
				l.Refunds, l.Unasked = s.Refunds, s.Unasked
				l.Operators = append(l.Operators, guard.Stranded(all, g.Supervisors, s.Operators)...)
			}
		}
	}
	return &g
}

// supervisorList returns the supervisors of a configuration.
func supervisorList(c *config.Config) []guard.Supervisor {
	var all []guard.Supervisor
	for _, one := range c.Guard.Supervisors {
		all = append(all, guard.Supervisor{ID: one.ID, Operators: one.Operators})
	}
	return all
}
