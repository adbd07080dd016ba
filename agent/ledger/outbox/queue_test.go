package outbox

import (
	"testing"
	"time"
)

// TestAStepOfTheWallClockMovesNoRetry: within one process times count by the monotonic
// clock, where they have its reading.
func TestAStepOfTheWallClockMovesNoRetry(t *testing.T) {
	begin := time.Now()
	q := New(begin)
	q.Committed([]int64{1}, Figures{Last: 1}, Tallies{})
	retry := begin.Add(time.Minute)
	q.Sent("", []int64{1}, retry)
	if picked, next := q.Due(begin.Add(59*time.Second), 1); len(picked) != 0 || next.Sub(retry).Abs() >= time.Second {
		t.Errorf("due %v, next %v", picked, next)
	}
	if picked, _ := q.Due(retry, 1); len(picked) != 1 {
		t.Error("not due after its wait")
	}
}
