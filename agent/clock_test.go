package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/ingest"
)

// TestOneRecordDoesNotMoveTheClock: the newest record of the store serves to make
// dates from, and only while the clock is not trusted; all else goes by the system's
// clock. Before, one record dated a day ahead moved everything, for good.
func TestOneRecordDoesNotMoveTheClock(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		name                       string
		trusted                    bool
		clock, store, build, dates string
	}{
		{"a record ahead of a trusted clock", true, "2026-08-23", "2026-08-24", "2026-01-01", "2026-08-23"},
		{"a build ahead of a trusted clock", true, "2026-08-23", "", "2026-09-01", "2026-08-23"},
		{"a good clock that is not trusted", false, "2026-08-23", "2026-08-22", "2026-01-01", "2026-08-23"},
		{"a clock at 1970", false, "1970-01-01", "2026-08-22", "2026-01-01", "2026-08-22"},
		{"a clock at 1970, an empty store", false, "1970-01-01", "", "2026-01-01", "2026-01-01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewClock(func() time.Time { return at(tt.clock) }, at(tt.build), func() (bool, time.Duration) { return tt.trusted, 0 })
			if tt.store != "" {
				c.Saw(at(tt.store))
				c.Saw(at("2020-01-01"))
			}
			if got := c.Now().Format(time.DateOnly); got != tt.clock {
				t.Errorf("the system's clock says %s, want %s", got, tt.clock)
			}
			if got := c.Dating(); got != ingest.DatingFrom(at(tt.dates)) {
				t.Errorf("dates are made from %v, want %s", got, tt.dates)
			}
			if got := c.CertTime().Format(time.DateOnly); got != tt.dates {
				t.Errorf("certificates are checked with %s, want %s", got, tt.dates)
			}
		})
	}
}

func TestDatingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := time.Now().AddDate(20, 0, 0)
		c := NewClock(time.Now, time.Time{}, func() (bool, time.Duration) { return false, 0 })
		c.Saw(store)
		<-time.After(time.Minute)
		if got := c.CertTime(); !got.Equal(store.Add(time.Minute)) {
			t.Errorf("a minute later it is %s, want %s", got, store.Add(time.Minute))
		}
		c.Saw(store.Add(30 * time.Second))
		if got := c.CertTime(); !got.Equal(store.Add(time.Minute)) {
			t.Errorf("an older record set it to %s", got)
		}
	})
}

func TestClockTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, synced := 0, false
		c := NewClock(time.Now, time.Time{}, func() (bool, time.Duration) {
			asked++
			return synced, time.Millisecond
		})
		for range 100 {
			if c.Synced() {
				t.Fatal("trusted")
			}
		}
		synced = true
		<-time.After(syncedFor)
		if !c.Synced() || asked != 2 {
			t.Errorf("synced %v after %d questions", c.Synced(), asked)
		}
	})
}

func TestStep(t *testing.T) {
	now := time.Now()
	c := NewClock(func() time.Time { return now }, time.Time{}, func() (bool, time.Duration) { return true, 0 })
	if d := c.Step(); d != 0 {
		t.Errorf("first look: %s", d)
	}
	now = now.Add(time.Minute)
	if d := c.Step(); d != 0 {
		t.Errorf("time passing: %s", d)
	}
}

func TestKernelClock(t *testing.T) {
	synced, offset := kernelClock()
	if !synced && offset != 0 {
		t.Errorf("not synced, offset %s", offset)
	}
}

func TestWatchdog(t *testing.T) {
	w := newWatchdog(time.Minute)
	now := time.Now()
	counts := map[string]uint64{"a": 1, "b": 1}
	for i := range 5 {
		if names := w.stalled(now, counts); len(names) != 0 && i < 3 {
			t.Fatalf("round %d: %v", i, names)
		}
		counts["a"]++
		now = now.Add(20 * time.Second)
	}
	if names := w.stalled(now, counts); len(names) != 1 || names[0] != "b" {
		t.Errorf("stalled: %v", names)
	}
	counts["b"]++
	if names := w.stalled(now, counts); len(names) != 0 {
		t.Errorf("after progress: %v", names)
	}
	delete(counts, "b")
	now = now.Add(time.Hour)
	counts["a"]++
	if names := w.stalled(now, counts); len(names) != 0 {
		t.Errorf("one that is gone: %v", names)
	}
}
