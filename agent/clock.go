package agent

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// stepLimit is the jump of the clock against the monotonic one that counts as a step.
	stepLimit = 2 * time.Second
	// syncedFor is how long one answer of the kernel is believed.
	syncedFor = time.Second
)

// Clock is the agent's idea of the time (contract/wires.md, Common): the latest of
// the system's clock, the newest trusted time in the store and the build date, and
// whether the system's clock is trusted. It is safe for concurrent use.
type Clock struct {
	now func() time.Time
	ask func() (synced bool, offset time.Duration)
	// passed is the monotonic time between two readings of now; a test that sets the
	// clock replaces it.
	passed func(from, to time.Time) time.Duration

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
	return &Clock{now: now, ask: ask, base: build, baseAt: now(),
		passed: func(from, to time.Time) time.Duration { return to.Sub(from) }}
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

// Now gives the time. It goes on as time does, whatever it is made from.
func (c *Clock) Now() time.Time {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest(now)
}

// latest is called with mu held.
func (c *Clock) latest(now time.Time) time.Time {
	if at := c.base.Add(now.Sub(c.baseAt)); !c.base.IsZero() && at.After(now) {
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

// Saw takes in the newest trusted time of the store.
func (c *Clock) Saw(t time.Time) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.latest(now)) {
		c.base, c.baseAt = t, now
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
