package refund

import "time"

// YearOf returns the year of the latest day with this month and day that is not after
// the day after now, in now's zone: what a date MMDD of a wire means (wires.md,
// Common). ok is false where there is no such day.
func YearOf(m, d int, now time.Time) (year int, ok bool) {
	last := now.AddDate(0, 0, 1)
	// Two leap days are at most eight years apart.
	for y := last.Year(); y >= last.Year()-8; y-- {
		if DayExists(y, m, d) && (y < last.Year() || m < int(last.Month()) || m == int(last.Month()) && d <= last.Day()) {
			return y, true
		}
	}
	return 0, false
}

// DayExists reports whether year y has a day d of month m.
func DayExists(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	return d <= time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
