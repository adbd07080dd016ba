package agent

import (
	"encoding/hex"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/wiretest"
)

// misposUndated is a sale, or a refund of the sale with number original, without date and
// time, or with the more that is given.
func misposUndated(t *testing.T, trace, original string, more ...[2]string) []byte {
	t.Helper()
	data := []byte{0x9F, 0x01, 0, 1, 2}
	parts := [][2]string{{"9F14", "00"}, {"9F04", "898000000000001"}, {"9F05", "10000001"}, {"9F02", "000000000350"},
		{"9F0B", "4111111111111111"}, {"9F0D", "000001"}, {"9F0E", trace}, {"9F10", "261103" + trace}}
	parts = append(parts, more...)
	if original != "" {
		data[4] = 4
		parts = append(parts, [2]string{"9F21", "261103" + original})
	}
	for _, part := range parts {
		tag, err := hex.DecodeString(part[0])
		if err != nil {
			t.Fatal(err)
		}
		data = append(append(append(data, tag...), 0, byte(len(part[1]))), part[1]...)
	}
	raw, err := wiretest.AppendSTX(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// tell writes a frame and waits until its record is durable.
func (r *rig) tell(t *testing.T, raw []byte) {
	t.Helper()
	before := r.agent.Snapshot(t.Context()).Records
	if _, err := r.firmware.Write(raw); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); r.agent.Snapshot(t.Context()).Records == before; {
		if time.Now().After(deadline) {
			t.Fatal("the record is not stored")
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestRecordsGetTheirDateAgain: a terminal that starts at 1970, is set to 2001 by hand,
// restarts the agent, and reaches a time server at last. Its sale and its refund state no
// time, and another sale no year; their dates, the verdict and the case are right in the end.
func TestRecordsGetTheirDateAgain(t *testing.T) {
	var shift atomic.Int64
	var synced atomic.Bool
	setTo := func(at time.Time) { shift.Store(int64(time.Until(at))) }
	change := func(o *Options) {
		o.Clock = NewClock(func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }, time.Time{}, func() (bool, time.Duration) { return synced.Load(), 0 })
	}
	setTo(time.Date(1970, 1, 1, 0, 0, 30, 0, time.UTC))
	r := newRig(t, "", change)
	stop := r.run(t)
	r.await(t, "READY=1")
	sold := time.Now()
	r.tell(t, misposUndated(t, "000001", ""))
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	setTo(time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC))
	again := newRig(t, "", func(o *Options) { change(o); o.Config.Store = r.config.Store })
	r = again
	stop = r.run(t)
	r.await(t, "READY=1")
	paid := time.Now()
	r.tell(t, misposUndated(t, "000002", "000001"))
	r.tell(t, misposUndated(t, "000003", "", [2]string{"9F11", paid.In(r.config.Time.Location()).Format("0102")}, [2]string{"9F12", paid.In(r.config.Time.Location()).Format("150405")}))
	opened := r.line(t, "case.opened")
	if opened.Field("finding") != "out_of_window" {
		t.Errorf("line %s", opened)
	}

	shift.Store(0)
	synced.Store(true)
	line := r.line(t, "records.redated")
	if line.Field("records") != "3" || line.Field("unknown") != "0" || line.Field("step") == "0s" {
		t.Errorf("line %s", line)
	}
	if cleared := r.line(t, "case.cleared"); cleared.Field("case") != opened.Field("case") {
		t.Errorf("line %s", cleared)
	}
	if n := r.agent.Snapshot(t.Context()).Records; n != 2 {
		t.Errorf("%d records since the start, want 2", n)
	}
	want := []time.Time{sold, paid, paid}
	for one, err := range r.agent.Store().Records(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := one.Record.Time(); !ok || at.Sub(want[one.Seq-1]).Abs() > time.Minute {
			t.Errorf("record %d: at %s, want %s", one.Seq, one.Record.At, want[one.Seq-1])
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestReception: what a frame is dated by and the start of the system belong to each
// other, whichever clock that is; and while one clock runs, the start stays where it is.
func TestReception(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, shift, synced := time.Now(), -30*365*24*time.Hour, false
		c := NewClock(func() time.Time { return time.Now().Add(shift) }, time.Time{}, func() (bool, time.Duration) { return synced, 0 })
		c.boot, c.uptime = "b", func() (time.Duration, bool) { return time.Since(began) + time.Hour, true }
		wrong := c.Reception(time.UTC)
		if want := began.Add(shift - time.Hour); !wrong.Boot.At.Equal(want) || wrong.Boot.ID != "b" || wrong.Synced || !wrong.HasNow {
			t.Errorf("%+v, want a start at %s", wrong, want)
		}
		<-time.After(time.Minute)
		if later := c.Reception(time.UTC); later.Boot != wrong.Boot || later.Now.Sub(wrong.Now) != time.Minute {
			t.Errorf("a minute later %+v", later)
		}
		shift, synced = 0, true
		<-time.After(syncedFor)
		if right := c.Boot(); !right.At.Equal(began.Add(-time.Hour)) {
			t.Errorf("by the right clock the start was %s", right.At)
		}
		c.uptime = func() (time.Duration, bool) { return 0, false }
		if c.Boot() != (refund.Boot{}) {
			t.Error("a start that is not known")
		}
	})
}

func TestKernelUptime(t *testing.T) {
	first, ok := kernelUptime()
	second, ok2 := kernelUptime()
	if !ok || !ok2 || first <= 0 || second < first {
		t.Errorf("%s, then %s", first, second)
	}
	if boot := kernelBoot(); len(boot) != 36 || boot != kernelBoot() {
		t.Errorf("this start is called %q", boot)
	}
}
