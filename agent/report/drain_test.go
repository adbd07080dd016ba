package report

import (
	"testing"
	"time"
)

// The first wait is a setting (delivery.ack_timeout); it doubles to 15 min all the same.
func TestRule05_TheFirstWaitIsASetting(t *testing.T) {
	for attempt, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 4: 16 * time.Second, 12: retryMost} {
		if got := retryAfter(attempt, 2*time.Second); got != want {
			t.Errorf("attempt %d: %v, want %v", attempt, got, want)
		}
	}
}

// A clock that was ahead when something was noted keeps nothing for longer than it
// lasts, once it is set right.
func TestAClockSetBackEndsWhatLasts(t *testing.T) {
	start := time.Date(2026, 8, 23, 9, 0, 0, 0, time.UTC)
	now := start.Add(5 * time.Hour)
	p := newProblems(func() time.Time { return now })
	p.set("lasting", "", 10*time.Minute)
	p.set("other", "", 0)
	for _, step := range []struct {
		at   time.Time
		want int
	}{{start, 2}, {start.Add(9 * time.Minute), 2}, {start.Add(11 * time.Minute), 1}} {
		now = step.at
		if got := p.list(); len(got) != step.want {
			t.Errorf("at %s: %d problems, want %d", now, len(got), step.want)
		}
	}
	b := newBucket(func() time.Time { return now }, 1, time.Minute)
	b.take()
	now = start
	if _, ok := b.take(); ok {
		t.Error("a clock set back lets through at once what it should hold")
	}
	now = start.Add(time.Minute)
	if _, ok := b.take(); !ok {
		t.Error("still held a minute after the clock was set back")
	}
}
