package logbook

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// linesOf returns the lines of a log with this code.
func linesOf(out, code string) []Line {
	var all []Line
	for line := range strings.Lines(out) {
		if l, ok := ParseLine(strings.TrimSpace(line)); ok && l.Code == code {
			all = append(all, l)
		}
	}
	return all
}

// TestRateOfACode: ten at once, then one a second, and how many were left out before
// it; each link by itself, and other codes not at all.
func TestRateOfACode(t *testing.T) {
	now := clock()
	out := logged(t, Options{Now: func() time.Time { return now }}, func(l *slog.Logger) {
		for i := range 1000 {
			l.Warn("message.refused", "link", "pos", "error", fmt.Sprintf("field %d", i))
			if i%100 == 0 {
				l.Warn("message.refused", "link", "printer", "error", fmt.Sprintf("field %d", i))
			}
			now = now.Add(10 * time.Millisecond)
		}
		l.Info("other", "n", 1)
	})
	perLink := map[string]int{}
	leftOut := 0
	for _, l := range linesOf(out, "message.refused") {
		perLink[l.Field("link")]++
		var n int
		if _, err := fmt.Sscan(l.Field("left_out"), &n); err == nil {
			leftOut += n
		}
	}
	for _, l := range linesOf(out, "log.left_out") { // at the end, for what had no line since
		var n int
		if _, err := fmt.Sscan(l.Field("lines"), &n); err != nil || l.Field("of") != "message.refused" || l.Field("link") != "pos" {
			t.Errorf("%s", l)
		}
		leftOut += n
	}
	// 10 s are ten more than the burst.
	if perLink["pos"] < 19 || perLink["pos"] > 20 || perLink["printer"] != 10 || len(linesOf(out, "other")) != 1 {
		t.Errorf("logged %v", perLink)
	}
	if perLink["pos"]+leftOut != 1000 {
		t.Errorf("%d logged and %d left out of 1000", perLink["pos"], leftOut)
	}
}

// TestLeftOutIsSaidInSilence: the count does not wait for another line of its code.
func TestLeftOutIsSaidInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Open(Options{Now: time.Now})
		for i := range 100 {
			b.Logger().Warn("message.refused", "error", fmt.Sprintf("field %d", i))
		}
		<-time.After(leftOutAfter + time.Second)
		last := b.Last(1, nil)
		if len(last) != 1 || last[0].Code != "log.left_out" || last[0].Field("lines") != "90" {
			t.Errorf("last %v", last)
		}
		<-time.After(time.Hour)
		if again := b.Last(1, nil); len(again) != 1 || !again[0].Time.Equal(last[0].Time) {
			t.Errorf("logged twice: %v", again)
		}
		shut(t, b)
	})
}

// TestErrorsAndCasesAreAlwaysSaid, however many there are at once.
func TestErrorsAndCasesAreAlwaysSaid(t *testing.T) {
	b := Open(Options{Now: clock, Ring: 2000})
	counts := map[string]int{}
	for i := range 500 {
		b.Logger().Error("store.unavailable", "err", i)
		b.Logger().Warn("case.opened", "case", i, "link", "pos")
		b.Logger().Warn("case.revised", "case", "01J9", "link", "pos") // the same each time
	}
	for _, l := range b.Last(2000, nil) {
		counts[l.Code]++
	}
	if d := cmp.Diff(map[string]int{"store.unavailable": 500, "case.opened": 500, "case.revised": 500}, counts); d != "" {
		t.Error(d)
	}
	shut(t, b)
}

// TestNumbersThatChangeAreNoOtherLine: whatever the code.
func TestNumbersThatChangeAreNoOtherLine(t *testing.T) {
	out := logged(t, Options{Now: clock}, func(l *slog.Logger) {
		for i := range 100 {
			l.Warn("link.noise", "link", "pos", "offset", i, "skipped", 2*i, "frames", 3*i, "bytes", 4*i)
		}
	})
	var got []string
	for _, l := range linesOf(out, "link.noise") {
		got = append(got, l.Field("repeat"))
	}
	if d := cmp.Diff([]string{"", "10", "100"}, got); d != "" {
		t.Error(d)
	}
}

// TestCaseOutlivesAWeekOfNoise: a case is shown a week later, by the daemon, by a later
// one and from the files, though the log has been filled many times over.
func TestCaseOutlivesAWeekOfNoise(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		var minutes atomic.Int64 // the files ask for the time too, beside this test
		o := Options{File: filepath.Join(t.TempDir(), "yuanlu.log"), MaxBytes: 64 << 10, Keep: 1, Ring: 100, Zone: cst, JSON: asJSON,
			Now: func() time.Time { return clock().Add(time.Duration(minutes.Load()) * time.Minute) }}
		b := Open(o)
		wants := func(l Line) bool { return IsCase(l) }
		b.Logger().Warn("case.opened", "case", "01J9", "link", "pos")
		for i := range 7 * 24 * 60 {
			b.Logger().Warn("message.refused", "link", "pos", "error", fmt.Sprintf("field %d", i))
			if i%8 == 0 {
				b.Logger().Error("store.unavailable", "err", strings.Repeat("x", 500)+fmt.Sprint(i))
			}
			minutes.Add(1)
			if i%100 == 0 { // the way to the files is no faster than a disk
				b.mu.Lock()
				for len(b.file.lines) > 0 {
					b.mu.Unlock()
					<-time.After(time.Millisecond)
					b.mu.Lock()
				}
				b.mu.Unlock()
			}
		}
		check := func(who string, lines []Line, err error) {
			t.Helper()
			if err != nil || len(lines) != 1 || lines[0].Field("case") != "01J9" {
				t.Errorf("%s, JSON %v: %v, %v", who, asJSON, lines, err)
			}
		}
		last, err := b.Cases(10, wants)
		check("the daemon", last, err)
		shut(t, b)
		for _, f := range Files(o.File, o.Keep) {
			if text, err := os.ReadFile(f); err != nil || strings.Contains(string(text), "case.opened") {
				t.Errorf("the noise did not fill %s, %v", f, err)
			}
		}
		last, err = Tail(Files(CaseFile(o.File), o.Keep), 10, wants)
		check("the files", last, err)
		later := Open(o)
		last, err = later.Cases(10, wants)
		check("a later daemon", last, err)
		shut(t, later)
	}
}

// TestInvisibleCharactersStandAsEscapes: in values and codes; the line reads back.
func TestInvisibleCharactersStandAsEscapes(t *testing.T) {
	const name = "a\u00adb\u200b\ufeff\u3164\ufe0f\U000e0041"
	out := logged(t, Options{Now: clock}, func(l *slog.Logger) { l.Warn("co\u200bde", "operator", name, "one", "\u3164") })
	for _, r := range out {
		if r > 0x7e {
			t.Errorf("%U in %q", r, out)
		}
	}
	l, ok := ParseLine(strings.TrimSpace(out))
	if !ok || l.Field("operator") != name || l.Field("one") != "\u3164" {
		t.Errorf("reads back as %+v", l)
	}
}
