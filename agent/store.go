package agent

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/beat"
	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// Pauses between two attempts to open the store. A store that works again is taken
// within a second: nothing can be confirmed before.
const (
	storeRetryMin = 50 * time.Millisecond
	storeRetryMax = 800 * time.Millisecond
)

// store is the ledger of one run: it is opened as soon as that works, and kept in order.
// The fields before db are not changed after the start.
type store struct {
	options  ledger.Options
	clock    *Clock
	outcomes *outcomes
	log      *slog.Logger
	notify   func(state string) // the service manager
	wake     func()             // the reporter
	began    time.Time
	timers   timers

	db atomic.Pointer[ledger.DB] // nil while it was not opened yet
	mu sync.Mutex
	// err is why the store is not open, or does not take records; guarded by mu.
	err error
}

// ledgerOptions returns how a configuration wants the store opened.
func ledgerOptions(o *Options, clock *Clock) ledger.Options {
	c := o.Config
	grace := c.Case.PendingGrace
	if grace == 0 {
		grace = -1 // none; 0 would be the ledger's default
	}
	zone := c.Time.Location() // "today" of the store is a day there
	return ledger.Options{
		Dir: c.Store.Dir, Mount: c.Store.Mount, Retention: c.Store.Retention, Terminal: c.Terminal.ID,
		Judge: o.Judge, MinSeverity: o.Severity, Grace: grace, OutboxMaxBytes: c.Delivery.MaxBytes,
		Now: func() time.Time { return clock.Now().In(zone) }, Log: o.Book.Logger(),
		Level: func(link string) ask.Level { return levelOf(c, link) },
	}
}

// levelOf returns the level of the guard on a link.
func levelOf(c *config.Config, link string) ask.Level {
	for i := range c.Links {
		if l := &c.Links[i]; l.Name == link && l.Guard != "" {
			return ask.Level(l.Guard)
		}
	}
	return ask.Off
}

// sawNewest shows the clock the newest time in the store.
func (s *store) sawNewest(ctx context.Context, db *ledger.DB) {
	if newest, err := db.Newest(ctx); err == nil {
		s.clock.Saw(newest)
	}
}

// open tries once.
func (s *store) open(ctx context.Context) (*ledger.DB, error) {
	db, err := ledger.Open(ctx, s.options)
	s.result(err)
	if err != nil {
		return nil, err
	}
	s.sawNewest(ctx, db)
	s.outcomes.storedAhead(ctx, db)
	s.db.Store(db)
	return db, nil
}

// result keeps why the last transaction failed, nil if it did not.
func (s *store) result(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// failure returns what result has kept.
func (s *store) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Submit implements ingest.Applier: what becomes durable is logged and reported once the
// link has its answer.
func (s *store) Submit(arrivals []refund.Arrival, done func([]refund.Applied, error)) {
	s.db.Load().Submit(arrivals, func(applied []refund.Applied, err error) {
		if err == nil || errors.Is(err, ledger.ErrUnavailable) {
			s.result(err)
		}
		if done(applied, err); err == nil {
			s.outcomes.take(applied)
		}
	})
}

// openLater tries until it works or ctx ends (then it returns nil): the disk
// may be full, read-only, or not mounted yet. Nothing is confirmed meanwhile.
func (s *store) openLater(ctx context.Context, err error) (db *ledger.DB) {
	notified := ""
	failed := func() {
		s.log.Error("store.unavailable", "err", err)
		if text := strings.Join(strings.Fields(err.Error()), " "); text != notified {
			notified = text
			s.notify("STATUS=the store cannot be opened: " + text)
			s.wake()
		}
	}
	failed()
	untilDone(ctx, func() bool {
		if db, err = s.open(ctx); err != nil && ctx.Err() == nil {
			failed()
		}
		return err == nil || ctx.Err() != nil
	})
	return db
}

// untilDone calls try until it reports that it is done or ctx ends. The pauses grow up
// to storeRetryMax; after an attempt that took longer, the pause is as long as that was.
func untilDone(ctx context.Context, try func() bool) {
	longest := storeRetryMax
	for wait := storeRetryMin; sleep(ctx, wait); wait = min(2*wait, longest) {
		began := time.Now()
		if try() {
			return
		}
		longest = max(storeRetryMax, time.Since(began))
	}
}

// releaseDue releases the verdicts whose pending_grace has passed.
func (s *store) releaseDue(ctx context.Context, db *ledger.DB) error {
	longest := min(beat.Every, max(s.options.Grace/4, 100*time.Millisecond))
	for {
		running := time.Since(s.began)
		applied, next, err := db.ReleaseDue(ctx, running)
		wait := beat.In(time.Now(), longest)
		switch {
		case err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable):
			s.log.Error("held.failed", "err", err)
		case next > 0:
			wait = min(wait, max(next-running, 10*time.Millisecond))
		}
		s.outcomes.take(applied)
		s.timers["held"].Add(1)
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// redatePause is between two steps of Redate, so that records come first.
const redatePause = 50 * time.Millisecond

// redate has the records that were dated by a clock that was not trusted dated again once
// it is.
func (s *store) redate(ctx context.Context, db *ledger.DB) error {
	for {
		s.timers["redate"].Add(1)
		wait := beat.In(time.Now(), clockEvery)
		if s.clock.Synced() {
			done, err := db.Redate(ctx, s.clock.Boot())
			s.outcomes.take(done.Applied)
			switch {
			case err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable):
				s.log.Error("redate.failed", "err", err)
			case done.More:
				wait = redatePause
			case done.Count+done.Unknown > 0:
				s.log.Warn("records.redated", "records", done.Count, "step", done.Step, "unknown", done.Unknown)
			}
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// tally has the tallies of the days that are over queued, once the clock is trusted.
func (s *store) tally(ctx context.Context, db *ledger.DB) error {
	for {
		s.timers["tally"].Add(1)
		wait := beat.In(time.Now(), beat.Every)
		if s.clock.Synced() {
			queued, more, err := db.SendTallies(ctx, s.clock.Now())
			switch {
			case err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable):
				s.log.Error("tally.failed", "err", err)
			case queued > 0:
				s.log.Info("tally.queued", "tallies", queued)
				s.wake()
			}
			if more {
				wait = redatePause
			}
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

const (
	retainEvery = time.Hour
	retainStep  = 200                    // records per transaction
	retainPause = 250 * time.Millisecond // between two, so that records come first
)

// retain removes what is older than store.retention, in small steps.
func (s *store) retain(ctx context.Context, db *ledger.DB) error {
	next := time.Now().Add(time.Minute) // not in the way of the start
	for {
		s.timers["retention"].Add(1)
		wait := beat.In(time.Now(), beat.Every)
		if !time.Now().Before(next) {
			removed, err := db.Retain(ctx, s.retainBefore(ctx, db), retainStep)
			switch {
			case err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable):
				s.log.Error("retention.failed", "err", err)
				next = time.Now().Add(retainEvery)
			case err == nil && removed > 0:
				wait = retainPause
			default:
				next = time.Now().Add(retainEvery)
			}
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// retainBefore returns the time that retention counts from. A clock that is not trusted
// must not throw records away: then no later time than that of the newest record counts.
func (s *store) retainBefore(ctx context.Context, db *ledger.DB) time.Time {
	now := s.clock.Now()
	if s.clock.Synced() {
		return now
	}
	if newest, err := db.Newest(ctx); err != nil || newest.Before(now) {
		return newest
	}
	return now
}
