package agent

import (
	"context"
	"errors"
	"time"

	"yuanlu/agent/ledger"
)

// Pauses between two attempts to open the store. A store that works again is taken
// within a second: nothing can be confirmed before.
const (
	storeRetryMin = 50 * time.Millisecond
	storeRetryMax = 800 * time.Millisecond
)

// storeOptions says how the configuration wants the store opened.
func (a *Agent) storeOptions() ledger.Options {
	c := a.o.Config
	grace := c.Case.PendingGrace
	if grace == 0 {
		grace = -1 // none; 0 would be the ledger's default
	}
	return ledger.Options{
		Dir: c.Store.Dir, Mount: c.Store.Mount, Retention: c.Store.Retention, Terminal: c.Terminal.ID,
		Judge: a.o.Judge, MinSeverity: a.o.Severity, Grace: grace, OutboxMaxBytes: c.Delivery.MaxBytes,
		Now: a.localNow, Log: a.log,
	}
}

// localNow returns the system's time in the zone of the configuration: what is "today"
// for the store.
func (a *Agent) localNow() time.Time { return a.clock.Now().In(a.o.Config.Time.Location()) }

// sawNewest tells the clock the newest time in the store.
func (a *Agent) sawNewest(ctx context.Context, db *ledger.DB) {
	if newest, err := db.Newest(ctx); err == nil {
		a.clock.Saw(newest)
	}
}

// openStore tries once.
func (a *Agent) openStore(ctx context.Context) (*ledger.DB, error) {
	db, err := ledger.Open(ctx, a.storeOptions())
	a.mu.Lock()
	a.storeErr = err
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	a.sawNewest(ctx, db)
	a.storedAhead(ctx, db)
	a.store.Store(db)
	return db, nil
}

// storeResult keeps why the last transaction failed, nil if it did not.
func (a *Agent) storeResult(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.storeErr = err
}

// openStoreLater tries until it works or ctx ends (then it returns nil): the disk
// may be full, read-only, or not mounted yet. Nothing is confirmed meanwhile.
func (a *Agent) openStoreLater(ctx context.Context, err error) (db *ledger.DB) {
	said := ""
	say := func() {
		a.log.Error("store.unavailable", "err", err)
		if text := oneLine(err.Error()); text != said {
			said = text
			a.o.Notify("STATUS=the store cannot be opened: " + text)
			a.wake()
		}
	}
	say()
	untilDone(ctx, func() bool {
		if db, err = a.openStore(ctx); err != nil && ctx.Err() == nil {
			say()
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

// releaseHeld says the verdicts whose pending_grace has passed.
func (a *Agent) releaseHeld(ctx context.Context, db *ledger.DB) error {
	longest := min(idleTick, max(a.o.Config.Case.PendingGrace/4, 100*time.Millisecond))
	for {
		running := time.Since(a.began)
		applied, next, err := db.ReleaseHeld(ctx, running)
		wait := longest
		switch {
		case err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable):
			a.log.Error("held.failed", "err", err)
		case next > 0:
			wait = min(longest, max(next-running, 10*time.Millisecond))
		}
		a.applied(applied)
		a.timers["held"].Add(1)
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// redatePause is between two steps of Redate, so that records come first.
const redatePause = 50 * time.Millisecond

// redate has the records that were dated by a clock that was not trusted dated again once
// it is.
func (a *Agent) redate(ctx context.Context, db *ledger.DB) error {
	for {
		a.timers["redate"].Add(1)
		wait := clockEvery
		if a.clock.Synced() {
			done, err := db.Redate(ctx, a.clock.Boot())
			a.applied(done.Applied)
			switch {
			case err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable):
				a.log.Error("redate.failed", "err", err)
			case done.More:
				wait = redatePause
			case done.Count+done.Unknown > 0:
				a.log.Warn("records.redated", "records", done.Count, "step", done.Step, "unknown", done.Unknown)
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
func (a *Agent) retain(ctx context.Context, db *ledger.DB) error {
	next := time.Now().Add(time.Minute) // not in the way of the start
	for {
		a.timers["retention"].Add(1)
		wait := idleTick
		if !time.Now().Before(next) {
			removed, err := db.Retain(ctx, a.retainBefore(ctx, db), retainStep)
			switch {
			case err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrUnavailable):
				a.log.Error("retention.failed", "err", err)
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

// retainBefore returns the time that retention counts from. A clock that nobody
// vouches for must not throw records away: then the newest record has a say too.
func (a *Agent) retainBefore(ctx context.Context, db *ledger.DB) time.Time {
	now := a.o.Now()
	if a.clock.Synced() {
		return now
	}
	if newest, err := db.Newest(ctx); err != nil || newest.Before(now) {
		return newest
	}
	return now
}

// sleep waits; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
