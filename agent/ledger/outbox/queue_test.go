package outbox

import (
	"slices"
	"testing"
	"time"

	"yuanlu/agent/ledger/rows"
)

// TestAStepOfTheWallClockMovesNoRetry: within one process times count by the monotonic
// clock, where they have its reading.
func TestAStepOfTheWallClockMovesNoRetry(t *testing.T) {
	begin := time.Now()
	q := New(begin)
	q.Committed([]int64{1}, Figures{Last: 1}, Tallies{})
	retry := begin.Add(time.Minute)
	q.Sent("", []int64{1}, retry)
	if picked, next := q.Due(begin.Add(59*time.Second), 1, nil); len(picked) != 0 || next.Sub(retry).Abs() >= time.Second {
		t.Errorf("due %v, next %v", picked, next)
	}
	if picked, _ := q.Due(retry, 1, nil); len(picked) != 1 {
		t.Error("not due after its wait")
	}
}

// TestRule05_NothingIsSentAgainBeforeWhatWasNeverSent: while a queue is being sent and no one
// acknowledges, the first retries do not hold up the rest; what was asked for again goes in
// its place.
func TestRule05_NothingIsSentAgainBeforeWhatWasNeverSent(t *testing.T) {
	begin := time.Now()
	q := New(begin)
	q.Committed([]int64{1, 2, 3, 4, 5, rows.FirstEvent}, Figures{Last: 5}, Tallies{})
	due := func(at time.Time, limit int, except ...int64) (numbers []int64) {
		picked, _ := q.Due(at, limit, except)
		for _, e := range picked {
			numbers = append(numbers, e.Number)
		}
		return numbers
	}
	check := func(what string, got []int64, want ...int64) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("at first", due(begin, 3), 1, 2, 3)
	check("with two in flight", due(begin, 3, 1, 2), 3, 4, 5)
	q.Sent("", []int64{1, 2}, begin.Add(30*time.Second))
	check("before the retries", due(begin.Add(time.Second), 9), 3, 4, 5, rows.FirstEvent)
	later := begin.Add(31 * time.Second)
	check("with retries", due(later, 9), 3, 4, 5, 1, 2, rows.FirstEvent)
	check("with a retry in flight", due(later, 9, 4, 1, rows.FirstEvent), 3, 5, 2)
	q.Sent("", []int64{3, 4, 5}, later.Add(30*time.Second))
	check("retries alone", due(later, 9), 1, 2, rows.FirstEvent)
	q.Sent("", []int64{1, 2, rows.FirstEvent}, later.Add(60*time.Second))
	check("all sent", due(later, 9))
	q.Resend(2)
	check("asked for again", due(later, 9), 2, 3, 4, 5)
	q.Committed([]int64{6}, Figures{Last: 6}, Tallies{})
	check("and a new one", due(later.Add(time.Minute), 9), 2, 3, 4, 5, 6, 1)
}
