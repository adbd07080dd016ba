package ingest

import (
	"strconv"
	"time"

	"yuanlu/agent/refund"
)

// Clock is what is known about the time when a frame is looked at
// (wires.md, Common).
type Clock struct {
	Now    time.Time // of reception, by the system's clock
	Dating Dating    // what dates are made from; zero: Now
	Synced bool      // whether the clock behind Now is trusted
	Zone   *time.Location
	// Boot is the start of the system by the same clock as Dating; zero: not known.
	Boot refund.Boot
	// HasNow: records without a time of their own are dated by Dating. False in a
	// replay that does not know the time of reception.
	HasNow bool
}

// Dating is the *now* of wires.md, Common: the moment that the years of MMDD
// and a missing `at` are made from. While the system's clock is not trusted it may be
// the time of a record, so nothing else may go by it: only this package can open it.
type Dating struct{ at time.Time }

// DatingFrom makes a Dating of a moment.
func DatingFrom(at time.Time) Dating { return Dating{at} }

// dating is the moment that dates are made from.
func (c Clock) dating() time.Time {
	if c.Dating.at.IsZero() {
		return c.Now
	}
	return c.Dating.at
}

// at is the clock as it stood at an earlier time of reception.
func (c Clock) at(received time.Time) Clock {
	c.Dating = DatingFrom(c.dating().Add(received.Sub(c.Now)))
	c.Now = received
	return c
}

// short is the clock without digits that no one needs.
func (c Clock) short() Clock {
	c.Dating = DatingFrom(c.dating().Truncate(time.Millisecond))
	c.Now = c.Now.Truncate(time.Millisecond)
	return c
}

// DefaultZone is the zone of times on a wire where none is set: +08:00.
func DefaultZone() *time.Location { return time.FixedZone("", 8*3600) }

func (c Clock) zone() *time.Location {
	if c.Zone == nil {
		return DefaultZone()
	}
	return c.Zone
}

// received returns the time of reception as `at`, "" if it is not to be used.
func (c Clock) received() string {
	if !c.HasNow {
		return ""
	}
	return c.dating().In(c.zone()).Format(time.RFC3339Nano)
}

// moment returns the `at` of a date (YYYYMMDD or MMDD) and a time of day (hhmmss), all
// digits, as they stand on a wire. ok is false where they are no moment: one of them
// is missing, or there is no such date or time.
func (c Clock) moment(date, clock string) (at string, ok bool) {
	if len(clock) != 6 {
		return "", false
	}
	h, m, s := two(clock), two(clock[2:]), two(clock[4:])
	if h < 0 || m < 0 || s < 0 || h > 23 || m > 59 || s > 59 {
		return "", false
	}
	y, mon, d, ok := c.day(date)
	if !ok {
		return "", false
	}
	return time.Date(y, mon, d, h, m, s, 0, c.zone()).Format(time.RFC3339), true
}

// day reads a date. One without a year is the latest such day not after tomorrow.
func (c Clock) day(date string) (int, time.Month, int, bool) {
	switch len(date) {
	case 8:
		y, err := strconv.Atoi(date[:4])
		m, d := two(date[4:]), two(date[6:])
		return y, time.Month(m), d, err == nil && y > 0 && refund.DayExists(y, m, d)
	case 4:
		m, d := two(date), two(date[2:])
		y, ok := refund.YearOf(m, d, c.dating().In(c.zone()))
		return y, time.Month(m), d, ok
	}
	return 0, 0, 0, false
}

// yearless reports whether a date that stands on a wire states no year.
func yearless(date string) bool { return len(date) == 4 }

// two reads the first two digits of s, -1 if they are none.
func two(s string) int {
	if len(s) < 2 || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return -1
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}
