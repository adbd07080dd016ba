package agent

import (
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

// waitingEvents returns what waits in the outbox besides cases, by type.
func waitingEvents(t *testing.T, a *Agent) map[string]refund.Notice {
	t.Helper()
	all := map[string]refund.Notice{}
	db := a.Store()
	if db == nil {
		return all
	}
	due, _, err := db.Due(t.Context(), time.Now().Add(24*time.Hour), 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range due {
		if n.Class == refund.NoticeEvent {
			all[n.Type] = n
		}
	}
	return all
}

// TestClockSetIsAnEvent: the wall clock jumps against the monotonic one by an hour,
// and loses its synchronisation.
func TestClockSetIsAnEvent(t *testing.T) {
	var jump atomic.Int64
	var synced atomic.Bool
	synced.Store(true)
	r := newRig(t, "", func(o *Options) {
		o.Clock = NewClock(func() time.Time { return time.Now().Add(time.Duration(jump.Load())).Round(0) }, time.Time{}, func() (bool, time.Duration) { return synced.Load(), 0 })
	})
	before := int64(0)
	r.agent.clock.passed = func(from, to time.Time) time.Duration { // called by the clock's goroutine alone
		jumped := jump.Load()
		defer func() { before = jumped }()
		return to.Sub(from) - time.Duration(jumped-before)
	}
	stop := r.run(t)
	r.await(t, "READY=1")
	<-time.After(clockEvery + clockEvery/2) // two looks at a clock that is not set
	if got := waitingEvents(t, r.agent); len(got) != 0 {
		t.Errorf("nothing has happened: %v", got)
	}
	jump.Store(int64(time.Hour))
	synced.Store(false)
	if line := r.line(t, "clock.stepped"); line.Code == "" {
		t.Error("not in the log")
	}
	r.line(t, "clock.unsynced")
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := waitingEvents(t, r.agent)
		if n, ok := got["clock.stepped"]; ok {
			if _, ok := got["clock.unsynced"]; ok && n.Subject == "clock" {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no event: %v", got)
		}
		<-time.After(20 * time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
