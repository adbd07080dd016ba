package agent

import (
	"testing"
	"time"
)

func TestCertificateIsSpokenOfAheadOfItsEnd(t *testing.T) {
	const day = 24 * time.Hour
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	var w certWatch
	var said []int
	for hour := 100 * 24; hour > -48; hour-- {
		if w.look(end, end.Add(-time.Duration(hour)*time.Hour)) {
			said = append(said, hour)
		}
	}
	if want := []int{30 * 24, 14 * 24, 7 * 24, 3 * 24, 24, 0}; len(said) != len(want) {
		t.Errorf("said %v hours before the end, want %v", said, want)
	} else {
		for i := range want {
			if said[i] != want[i] {
				t.Errorf("said %v hours before the end, want %v", said, want)
			}
		}
	}
	// A clock that is set back says nothing twice; a renewed certificate is another one.
	if w.look(end, end.Add(-20*day)) {
		t.Error("said again after the clock was set back")
	}
	if w.look(end.Add(365*day), end) {
		t.Error("a year ahead")
	}
	if !w.look(end.Add(10*day), end) {
		t.Error("a renewed one that ends in ten days is not said")
	}
	// The first look of a life says what is due.
	if w := (&certWatch{}); !w.look(end, end.Add(-20*day)) || w.look(end, end.Add(-19*day)) {
		t.Error("twenty days ahead at the start: once")
	}
}
