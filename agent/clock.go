package agent

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent/beat"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
)

const (
	// clockEvery is how often the clock is looked at.
	clockEvery = beat.Every
	// stepLimit is the jump of the clock against the monotonic one that counts as a step.
	stepLimit = 2 * time.Second
	// syncedFor is how long one answer of the kernel is used.
	syncedFor = time.Second
)

// Clock is the system's clock, and whether it is trusted. Everything goes by it
// (envelopes, ttl, health, timers, retention) but two things, which have names of
// their own because a time that is not the system's may do harm elsewhere: Dating and
// CertTime. It is safe for concurrent use. Page: wires.md, Common.
type Clock struct {
	now func() time.Time
	ask func() (synced bool, offset time.Duration)
	// passed is the monotonic time between two readings of now; a test that sets the
	// clock replaces it.
	passed func(from, to time.Time) time.Duration
	// uptime is the time since the system was started, ok false where it is not known;
	// boot names that start.
	uptime func() (since time.Duration, ok bool)
	boot   string

	mu      sync.Mutex // guards all below
	base    time.Time  // the latest known of build date and store; it goes on from baseAt
	baseAt  time.Time  // when that was, by now, with its monotonic reading
	synced  bool
	offset  time.Duration
	askedAt time.Time
	last    time.Time // of the last check for a step
}

// NewClock makes a clock on now (with its monotonic reading) that asks the kernel
// whether the time is synchronised. ask replaces the kernel where it is not nil.
func NewClock(now func() time.Time, build time.Time, ask func() (bool, time.Duration)) *Clock {
	if ask == nil {
		ask = kernelClock
	}
	return &Clock{now: now, ask: ask, base: build, baseAt: now(), uptime: kernelUptime, boot: kernelBoot(),
		passed: func(from, to time.Time) time.Duration { return to.Sub(from) }}
}

// kernelUptime is the clock that is never set and goes on while the system sleeps.
func kernelUptime() (since time.Duration, ok bool) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// kernelBoot returns the kernel's name for this start of the system, "" if it has none.
func kernelBoot() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// kernelClock asks adjtimex(2): STA_UNSYNC is what every time daemon clears.
func kernelClock() (synced bool, offset time.Duration) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil || state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return false, 0
	}
	offset = time.Duration(t.Offset) * time.Microsecond
	if t.Status&unix.STA_NANO != 0 {
		offset = time.Duration(t.Offset)
	}
	return true, offset
}

// Now returns the time of the system's clock, trusted or not.
func (c *Clock) Now() time.Time { return c.now() }

// Dating returns what the years of MMDD and a missing `at` are made from.
func (c *Clock) Dating() ingest.Dating { return ingest.DatingFrom(c.guess()) }

// Reception returns what a frame that comes now is dated by; zone is that of times on a
// wire.
func (c *Clock) Reception(zone *time.Location) ingest.Clock {
	// Trust is asked for first: if it comes meanwhile, a right date counts as one that is
	// to be made again, which does it no harm. The other way round a wrong one would stay.
	synced := c.Synced()
	now, at := c.now(), c.guess()
	return ingest.Clock{Now: now, Dating: ingest.DatingFrom(at), Synced: synced, Zone: zone, HasNow: true, Boot: c.bootBy(at, now)}
}

// Boot returns the start of the system by the time that dates are made from; the zero
// Boot if it is not known.
func (c *Clock) Boot() refund.Boot { return c.bootBy(c.guess(), c.now()) }

// bootBy returns the start of the system if it is now at by the clock that dates are made
// from, and now by the system's.
func (c *Clock) bootBy(at, now time.Time) refund.Boot {
	since, ok := c.uptime()
	if !ok || c.boot == "" {
		return refund.Boot{}
	}
	return refund.Boot{ID: c.boot, At: at.Add(-since), System: now.Add(-since)}
}

// CertTime returns the time that certificates are checked with: a terminal whose clock
// stands at 1970 must still reach its broker.
func (c *Clock) CertTime() time.Time { return c.guess() }

// guess is the system's clock where it is trusted; else the latest of it, the newest
// `at` in the store and the build date, which goes on as time does.
func (c *Clock) guess() time.Time {
	synced, now := c.Synced(), c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.base.Add(now.Sub(c.baseAt)); !synced && !c.base.IsZero() && at.After(now) {
		return at
	}
	return now
}

// Synced reports whether the system's clock is synchronised.
func (c *Clock) Synced() bool {
	synced, _ := c.State()
	return synced
}

// State reports whether the clock is synchronised, and its last known offset.
func (c *Clock) State() (synced bool, offset time.Duration) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.askedAt); c.askedAt.IsZero() || age < 0 || age >= syncedFor {
		c.synced, c.offset = c.ask()
		c.askedAt = now
	}
	return c.synced, c.offset
}

// Saw takes in the newest `at` of the store (ledger.DB.Newest).
func (c *Clock) Saw(newest time.Time) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if newest.After(c.base.Add(now.Sub(c.baseAt))) {
		c.base, c.baseAt = newest, now
	}
}

// Step reports by how much the clock was set since the last call, 0 if it was not.
func (c *Clock) Step() time.Duration {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last
	c.last = now
	if last.IsZero() {
		return 0
	}
	// Sub uses the monotonic readings; Round(0) takes them away.
	jump := now.Round(0).Sub(last.Round(0)) - c.passed(last, now)
	if jump.Abs() < stepLimit {
		return 0
	}
	return jump
}
