package agent

import (
	"bytes"
	"context"
	"log/slog"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"yuanlu/agent/beat"
)

// timers count the turns of goroutines that only wait for time to pass, by name: they
// show with it that they go on.
type timers map[string]*atomic.Uint64

func newTimers(names ...string) timers {
	t := timers{}
	for _, name := range names {
		t[name] = new(atomic.Uint64)
	}
	return t
}

// defaultWatchdog is the limit where no service manager sets one: stalls are logged, and
// the process goes on.
const defaultWatchdog = time.Minute

// watchdog finds out whether every goroutine makes progress. Each shows a counter that
// it moves at least every beat.Every, busy or not; one whose counter stands still
// for limit is stalled. It is used by one goroutine.
type watchdog struct {
	limit time.Duration
	seen  map[string]sign
}

// feed keeps the service manager, which wants WATCHDOG=1 every limit, content while
// all counters move, with a line about the state that is at most beat.Every old. A goroutine
// that makes no progress is named in the log, with what it was doing.
func feed(ctx context.Context, limit time.Duration, counters func() map[string]uint64, alive func(), log *slog.Logger) error {
	if limit <= 0 {
		limit = defaultWatchdog
	}
	dog, logged := newWatchdog(limit*3/4), ""
	for {
		switch stalled := strings.Join(dog.stalled(time.Now(), counters()), ", "); {
		case stalled == "":
			alive()
			logged = ""
		case stalled != logged:
			log.Error("watchdog.stalled", "who", stalled)
			logStacks(log)
			logged = stalled
		}
		if !rest(ctx, min(limit/4, beat.Every)) {
			return nil
		}
	}
}

// sign is when the counter of one goroutine was last seen to move.
type sign struct {
	count uint64
	at    time.Time
}

func newWatchdog(limit time.Duration) *watchdog {
	return &watchdog{limit: limit, seen: map[string]sign{}}
}

// stalled returns the names of those that stand still, sorted. now needs its
// monotonic reading: setting the clock stalls none.
func (w *watchdog) stalled(now time.Time, counters map[string]uint64) []string {
	var names []string
	for name, count := range counters {
		s, ok := w.seen[name]
		switch {
		case !ok || s.count != count:
			w.seen[name] = sign{count, now}
		case now.Sub(s.at) >= w.limit:
			names = append(names, name)
		}
	}
	for name := range w.seen {
		if _, there := counters[name]; !there {
			delete(w.seen, name)
		}
	}
	slices.Sort(names)
	return names
}

// logStacks writes where the goroutines stand; function names and lines only, so
// no value of a record can be in it.
func logStacks(log *slog.Logger) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return
	}
	for i, block := range strings.Split(b.String(), "\n\n") {
		if i >= 40 {
			break
		}
		log.Error("watchdog.stack", "n", i, "at", framesOf(block))
	}
}

// framesOf takes the function names out of one goroutine's stack, innermost first.
func framesOf(block string) string {
	var names []string
	for line := range strings.Lines(block) {
		if fields := strings.Fields(line); len(fields) >= 3 && fields[0] == "#" {
			names = append(names, strings.Join(fields[2:], " "))
		}
	}
	return strings.Join(names[:min(len(names), 8)], " < ")
}
