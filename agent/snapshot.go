package agent

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/machine"
)

// Snapshot looks at everything. It does not wait for anything outside.
func (a *Agent) Snapshot(ctx context.Context) health.Snapshot { return a.snapshot(ctx, 0) }

// Glance is a Snapshot in which the store's figures may be half a second old: for callers
// that look again and again.
func (a *Agent) Glance(ctx context.Context) health.Snapshot { return a.snapshot(ctx, glanceAge) }

func (a *Agent) snapshot(ctx context.Context, age time.Duration) health.Snapshot {
	c, looked := a.o.Config, time.Now()
	s := health.Snapshot{Terminal: c.Terminal.ID, Merchant: c.Terminal.MerchantID, PID: os.Getpid(), Build: a.o.Build,
		Config: a.Digest(), At: a.clock.Now(), Uptime: time.Since(a.began).Round(time.Second),
		Memory: machine.Memory(), DiskFree: machine.DiskFree(c.Store.Dir), Goroutines: runtime.NumGoroutine(), CertDays: a.certDays(),
		Ahead: a.outcomes.ahead.All(), Records: a.outcomes.records.Load(), Foreign: a.outcomes.foreign.Load()}
	s.Clock.Synced, s.Clock.Offset = a.clock.State()
	a.mu.Lock()
	s.Ready = a.ready
	a.mu.Unlock()
	if err := a.store.failure(); err != nil {
		s.StoreError, s.StoreFull = err.Error(), errors.Is(err, ledger.ErrDiskFull)
		s.StoreTrouble = machine.StoreTrouble(c, uint32(os.Geteuid()))
	}
	s.Links, s.Damage = a.links(), ledger.FoundDamage(c.Store.Dir)
	if db := a.Store(); db != nil {
		a.look(ctx, db, &s, age)
	}
	if answers, refused := a.tills.tally.Counts(); len(answers)+len(refused) > 0 {
		s.Asks = &health.Asks{Answers: answers, Refused: refused}
	}
	if a.reporter != nil {
		m := a.reporter.Status()
		s.MQTT = &m
	}
	if a.scrape != nil {
		if err := a.scrape.Problem(); err != nil {
			s.MetricsError = err.Error()
		}
	}
	s.Problems = health.Problems(&s, c)
	a.onsets.Date(s.At, s.Problems)
	a.logProblems(looked, s.Problems)
	s.Verdict = health.Verdict(s.Problems)
	return s
}

// logProblems logs the begin and the end of each problem.
func (a *Agent) logProblems(looked time.Time, all []health.Problem) {
	begun, over := a.changes.Of(looked, all)
	for _, p := range begun {
		level := map[string]slog.Level{health.Failing: slog.LevelError, health.Degraded: slog.LevelWarn}[p.Level]
		a.log.Log(context.Background(), level, "problem.begins", "code", p.Code, "about", p.About, "text", p.Text.EN)
	}
	for _, p := range over {
		a.log.Info("problem.ends", "code", p.Code, "about", p.About, "for", time.Since(p.Since).Round(time.Second))
	}
}

// look fills in the store's figures, those of an earlier call if they are not older than
// age.
func (a *Agent) look(ctx context.Context, db *ledger.DB, s *health.Snapshot, age time.Duration) {
	// The result is kept for other callers, too: the end of this one must not be their error.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	s.RolledBack, s.StoreBytes = db.Renewed(), db.Size()
	a.lookMu.Lock()
	defer a.lookMu.Unlock()
	if time.Since(a.looked) >= age {
		a.outbox, a.counts, a.lookErr = Look(ctx, db, s.At.In(a.o.Config.Time.Location()))
		a.looked = time.Now()
	}
	s.Outbox, s.Counts = a.outbox, a.counts
	if time.Since(a.guardLooked) >= max(age, guardAge) || age == 0 {
		a.guardSeen, a.guardLooked = LookAtGuard(ctx, db, a.o.Config, s.At, uint32(os.Geteuid())), time.Now()
	}
	s.Guarding = a.guardSeen
	if a.lookErr != nil {
		s.StoreError, s.StoreFull = a.lookErr.Error(), errors.Is(a.lookErr, ledger.ErrDiskFull)
	}
}

// glanceAge is how old the store's figures may be in a Glance.
const glanceAge = 500 * time.Millisecond

// guardAge is how old what is known of the guard may be in a Glance.
const guardAge = time.Minute

// Look returns the figures of a store, also of one that is only open for reading. Today is
// the day that now is in its location.
func Look(ctx context.Context, db *ledger.DB, now time.Time) (health.Outbox, ledger.Counts, error) {
	stat, err := db.OutboxStat(ctx)
	if err != nil {
		return health.Outbox{}, ledger.Counts{}, err
	}
	n, err := db.Counts(ctx, now)
	return health.OutboxOf(&stat), n, err
}

// links returns the state of every link of the configuration.
func (a *Agent) links() []health.Link {
	a.mu.Lock()
	workers := a.workers
	a.mu.Unlock()
	all := make([]health.Link, 0, len(a.o.Links))
	for _, l := range a.o.Links {
		s := ingest.Untried(l.Config.Name, l.Config.Wire, l.Config.Port, a.began.Round(0))
		if !l.Config.Enabled {
			s.State, s.Reason, s.Untried, s.Verdict = ingest.StateDisabled, "enabled = false", false, ingest.VerdictDisabled
		}
		for _, w := range workers {
			if h := w.Health(); h.Name == l.Config.Name {
				h.Port = cmp.Or(h.Port, l.Config.Port)
				s = h
			}
		}
		link := health.LinkIn(&s, a.o.Config.Time.Location())
		link.Guard = cmp.Or(l.Config.Guard, config.GuardOff)
		all = append(all, link)
	}
	return all
}

// certDays returns the days until the terminal's certificate ends, nil without one.
func (a *Agent) certDays() *int {
	if a.o.CertEnds == nil {
		return nil
	}
	end, ok := a.o.CertEnds()
	if !ok {
		return nil
	}
	days := int(end.Sub(a.clock.CertTime()).Hours() / 24)
	return &days
}
