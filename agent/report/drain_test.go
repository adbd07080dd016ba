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
