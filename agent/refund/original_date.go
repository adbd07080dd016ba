package refund

import "time"

// sameClock is how far a refund's time may lie before its sale's without doubt about
// the clock (verdicts.md § 2 d, § 3).
const sameClock = 5 * time.Minute

// day is a calendar day without a zone: days since 1970-01-01.
type day int

// dayOf returns the local date of t, as its offset is written.
func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return civil(y, int(m), d)
}

func civil(year, month, dom int) day {
	return day(time.Date(year, time.Month(month), dom, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// exists reports whether the calendar has this date.
func exists(year, month, dom int) bool {
	if month < 1 || month > 12 || dom < 1 {
		return false
	}
	_, _, d := time.Date(year, time.Month(month), dom, 0, 0, 0, 0, time.UTC).Date()
	return d == dom
}

// String returns YYYY-MM-DD.
func (d day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// parseDay is the inverse of String.
func parseDay(s string) (day, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return dayOf(t), err == nil
}

// refundDate reads original.date for a refund made on the day made (verdicts.md § 2, Dates).
// given: it names a day that exists. flaw: it is stated and no such day.
func refundDate(s string, made day) (on day, given, flaw bool) {
	if !Given(s) {
		return 0, false, false
	}
	if digits(s) && len(s) == 4 {
		on, ok := latestMMDD(number(s[:2]), number(s[2:]), made)
		return on, ok, !ok
	}
	if len(s) == 10 && s[4] == '-' && s[7] == '-' && digits(s[:4]) && digits(s[5:7]) && digits(s[8:]) {
		y, m, d := number(s[:4]), number(s[5:7]), number(s[8:])
		if y > 0 && exists(y, m, d) {
			return civil(y, m, d), true, false
		}
	}
	return 0, false, true
}

// latestMMDD returns the latest such day that is not after the day after made.
func latestMMDD(month, dom int, made day) (day, bool) {
	if !exists(2000, month, dom) { // a leap year: no year has it
		return 0, false
	}
	last := made + 1
	year := time.Unix(int64(last)*86400, 0).UTC().Year()
	for y := year; y > year-9; y-- { // two leap years may be eight years apart
		if exists(y, month, dom) && civil(y, month, dom) <= last {
			return civil(y, month, dom), true
		}
	}
	return 0, false
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// number reads digits; the caller knows that they are.
func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// nearDay reports whether two days are at most one apart.
func nearDay(a, b day) bool { return a-b <= 1 && b-a <= 1 }
