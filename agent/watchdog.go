package agent

import (
	"slices"
	"time"
)

// watchdog says whether every goroutine makes progress. Each shows a counter that
// it moves at least every idleTick, busy or not; one whose counter stands still
// for limit is stalled. It is used by one goroutine.
type watchdog struct {
	limit time.Duration
	seen  map[string]sign
}

// sign is the last sign of life of one goroutine.
type sign struct {
	count uint64
	at    time.Time
}

func newWatchdog(limit time.Duration) *watchdog {
	return &watchdog{limit: limit, seen: map[string]sign{}}
}

// stalled returns the names of those that stand still, sorted. now needs its
// monotonic reading: setting the clock stalls nobody.
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
