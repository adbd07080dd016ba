// Package beat has what only waits for time to pass wake together. Each thread that a timer
// wakes costs an idle terminal as much as the work that it then does.
package beat

import "time"

// Every is the longest that an idle goroutine waits before it shows that it is alive, and that
// a read of a silent line takes.
const Every = 4 * time.Second

// In returns how long it is from now to the next multiple of d by the wall clock: more than 0
// and at most d. Waits of d and of its multiples, each for In, end together; setting the
// clock makes none longer than d.
func In(now time.Time, d time.Duration) time.Duration {
	return d - (time.Duration(now.UnixNano())%d+d)%d
}
