package main

import (
	"context"
	"time"
)

// Times of retention: every hour, a thousand of each kind at a time.
const (
	retainEvery = time.Hour
	retainFirst = time.Minute
	retainStep  = 1000
	retainTime  = 30 * time.Second
)

// retain removes what is older than the desk keeps, until ctx ends.
func (d *desk) retain(ctx context.Context) {
	if d.keep == 0 {
		return
	}
	timer := time.NewTimer(retainFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait := retainEvery
		work, cancel := context.WithTimeout(ctx, retainTime)
		n, err := d.store.Retain(work, d.now(), d.keep, retainStep)
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Warn("store.retain", "err", err)
		case n > 0:
			d.log.Info("store.retained", "removed", n)
			wait = time.Second // there may be more
		}
		timer.Reset(wait)
	}
}

// Times of what happens by itself in the case desk.
const (
	tickEvery = 5 * time.Second
	tickTime  = 30 * time.Second
)

// tick lets happen what is due in the case desk, until ctx ends.
func (d *desk) tick(ctx context.Context) {
	timer := time.NewTicker(tickEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		work, cancel := context.WithTimeout(ctx, tickTime)
		n, err := d.store.Tick(work, d.now())
		cancel()
		if err != nil && ctx.Err() == nil {
			d.log.Warn("work.tick", "err", err)
		} else if n > 0 {
			d.log.Info("work.due", "events", n)
		}
	}
}

// Times of stamping: a stamp is due once a day; where the authority does not answer it is asked again.
const (
	stampEvery = 10 * time.Minute
	stampTime  = time.Minute
)

// stamp has the desk's log stamped, until ctx ends.
func (d *desk) stamp(ctx context.Context) {
	if d.stamping == nil {
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		work, cancel := context.WithTimeout(ctx, stampTime)
		size, err := d.store.Stamp(work, d.now(), d.stamping.stamper(work))
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Warn("evidence.stamp", "err", err, "remedy", "see whether --tsa answers; packs say that their desk's log is not stamped")
		case size > 0:
			d.log.Info("evidence.stamped", "size", size)
		}
		timer.Reset(stampEvery)
	}
}

// Times of days that are matched again.
const (
	matchEvery = 2 * time.Second
	matchTime  = 5 * time.Minute
)

// matchDays matches the days of which something new came, until ctx ends.
func (d *desk) matchDays(ctx context.Context) {
	timer := time.NewTimer(matchEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		work, cancel := context.WithTimeout(ctx, matchTime)
		day, found, err := d.store.MatchDue(work, d.now())
		cancel()
		wait := matchEvery
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Warn("bills.match", "day", day, "err", err)
		case found:
			d.log.Info("bills.matched", "day", day)
			wait = time.Millisecond // there may be more
		}
		timer.Reset(wait)
	}
}
