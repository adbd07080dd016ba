package casework

import (
	"regexp"
	"slices"
	"strconv"
	"time"
)

const (
	minute = int64(60)
	hour   = 60 * minute
	day    = 24 * hour
)

// Calendar is when the desk works (casework.md § 8): its zone, and the hours of workdays.
type Calendar struct {
	zone         *time.Location
	from, to     int64   // hours, seconds of a day
	week         [8]bool // 1 is Monday
	perWeek      int64
	closed, open map[int64]bool // days since 1970-01-01
	last         int64          // the latest of both
}

// DefaultCalendar is that of casework.md § 10: +08:00, 09:00 to 18:00, Monday to Friday.
func DefaultCalendar() Calendar {
	c := Calendar{zone: time.FixedZone("", int(8*hour)), from: 9 * hour, to: 18 * hour, closed: map[int64]bool{}, open: map[int64]bool{}}
	for d := 1; d <= 5; d++ {
		c.week[d] = true
	}
	c.perWeek = 5
	return c
}

// Format writes a time as journals have it (casework.md § 1).
func (c *Calendar) Format(t int64) string {
	return time.Unix(t, 0).In(c.zone).Format("2006-01-02T15:04:05-07:00")
}

// since writes when a track came to its state, and "" while that is none: the second 0 is a
// time like any other.
func (c *Calendar) since(t track) string {
	if t.state == none {
		return ""
	}
	return c.Format(t.since)
}

// date returns the day of a time in the desk's zone, and the seconds since its beginning.
func (c *Calendar) date(t int64) (days, seconds int64) {
	_, offset := time.Unix(t, 0).In(c.zone).Zone()
	local := t + int64(offset)
	days = local / day
	if local%day < 0 {
		days--
	}
	return days, local - days*day
}

// at returns the time of so many seconds of a day in the desk's zone.
func (c *Calendar) at(days, seconds int64) int64 {
	_, offset := time.Unix(0, 0).In(c.zone).Zone()
	return days*day + seconds - int64(offset)
}

func (c *Calendar) workday(days int64) bool {
	if c.open[days] {
		return true
	}
	return !c.closed[days] && c.week[(days+3)%7+1] // 1970-01-01 was a Thursday
}

// after returns the earliest time by which so much working time has passed since t
// (casework.md § 8).
func (c *Calendar) after(t, seconds int64) int64 {
	days, now := c.date(t)
	length := c.to - c.from
	for {
		if days > c.last && now <= c.from {
			weeks := max(0, seconds/length/c.perWeek-1) // whole weeks without a special date
			days, seconds = days+7*weeks, seconds-weeks*c.perWeek*length
		}
		if begin := max(c.from, now); c.workday(days) && begin < c.to {
			if seconds <= c.to-begin {
				return c.at(days, begin+seconds)
			}
			seconds -= c.to - begin
		}
		days, now = days+1, 0
	}
}

// days is after for working days.
func (c *Calendar) days(t, n int64) int64 { return c.after(t, n*(c.to-c.from)) }

// cutoff returns the first time that is hh:mm in the desk's zone after t.
func (c *Calendar) cutoff(t int64, hhmm string) int64 {
	of, _ := clock(hhmm)
	days, now := c.date(t)
	if of <= now {
		days++
	}
	return c.at(days, of)
}

var (
	clockForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	zoneForm  = regexp.MustCompile(`^[+-](0[0-9]|1[0-4]):[0-5][0-9]$`)
	timeForm  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)
)

// clock reads 09:00 as seconds.
func clock(s string) (int64, bool) {
	if !clockForm.MatchString(s) {
		return 0, false
	}
	h, m := int64(s[0]-'0')*10+int64(s[1]-'0'), int64(s[3]-'0')*10+int64(s[4]-'0')
	return h*hour + m*minute, true
}

// moment reads an RFC 3339 time of the years 1970 to 2099; a fraction is dropped.
func moment(s string) (int64, bool) {
	if !timeForm.MatchString(s) || !century(s) {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.Unix(), err == nil
}

// written reads a time of a journal, as Format wrote it: also one that lies outside the
// years 1970 to 2099, because what is computed (an expiry, an input time in the desk's
// zone) is bound to no years.
func written(s string) (int64, bool) {
	const behind = len("-01-02T15:04:05-07:00")
	digits, rest := s[:max(0, len(s)-behind)], s[max(0, len(s)-behind):]
	year, err := strconv.Atoi(digits)
	t, bad := time.Parse("2006-01-02T15:04:05-07:00", "2000"+rest) // a leap year
	if err != nil || bad != nil || len(digits) < 4 {
		return 0, false
	}
	return time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, t.Location()).Unix(), true
}

// date reads a date of the years 1970 to 2099 as days since 1970-01-01.
func date(s string) (int64, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return t.Unix() / day, err == nil && century(s)
}

func century(s string) bool {
	year, err := strconv.Atoi(s[:4])
	return err == nil && year >= 1970 && year <= 2099
}

// calendar reads the line of casework.md § 10.
func calendar(v value) (Calendar, bool) {
	f := object(v)
	c := DefaultCalendar()
	if z, ok := f.maybe("zone"); ok {
		f.check(z.kind == '"' && zoneForm.MatchString(z.text))
		if !f.bad {
			offset, _ := clock(z.text[1:])
			if z.text[0] == '-' {
				offset = -offset
			}
			c.zone = time.FixedZone("", int(offset))
		}
	}
	if h, ok := f.maybe("hours"); ok {
		f.check(h.kind == '[' && len(h.list) == 2)
		if !f.bad {
			var first, second bool
			c.from, first = clock(h.list[0].string())
			c.to, second = clock(h.list[1].string())
			f.check(first && second && c.from < c.to)
		}
	}
	if w, ok := f.maybe("week"); ok {
		f.check(w.kind == '[' && len(w.list) > 0)
		c.week, c.perWeek = [8]bool{}, 0
		for _, d := range w.list {
			c.week[max(0, min(7, f.within(d, 1, 7)))] = true
		}
		for _, works := range c.week[1:] {
			if works {
				c.perWeek++
			}
		}
	}
	closed, open := f.dates("closed"), f.dates("open")
	for _, d := range slices.Concat(closed, open) {
		c.last = max(c.last, d)
	}
	for _, d := range closed {
		c.closed[d] = true
	}
	for _, d := range open {
		f.check(!c.closed[d])
		c.open[d] = true
	}
	return c, f.done()
}

func (v *value) string() string {
	if v.kind != '"' {
		return ""
	}
	return v.text
}

func (f *form) dates(name string) (out []int64) {
	v, ok := f.maybe(name)
	f.check(!ok || v.kind == '[')
	for _, e := range v.list {
		d, ok := date(e.string())
		f.check(ok)
		out = append(out, d)
	}
	return out
}
