package refund

import (
	"strings"
	"time"
)

// ParseTime reads an RFC 3339 time with offset, as `at` and `from` are written
// (records.md). It is stricter than time.Parse, which takes an hour of one digit, a
// comma before the fraction and an offset of 24 hours. The result keeps the offset,
// so its date is the local date as written. ok is false for anything else, and for
// what no calendar or clock has (30 February, 24:00, a leap second).
func ParseTime(s string) (t time.Time, ok bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) < seconds+1 || !timeShape(s[seconds:]) {
		return time.Time{}, false
	}
	if s[10] == 't' || s[len(s)-1] == 'z' { // RFC 3339 § 5.6 allows them
		s = strings.ToUpper(s)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil && s[13] == ':' // an hour has two digits
}

// timeShape reports whether a time of day goes on rightly after its seconds: a
// fraction or none, and an offset.
func timeShape(rest string) bool {
	if rest[0] == '.' {
		i := 1
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		if i == 1 || i == len(rest) {
			return false
		}
		rest = rest[i:]
	}
	switch {
	case rest == "Z" || rest == "z":
		return true
	case len(rest) != len("+08:00") || rest[0] != '+' && rest[0] != '-':
		return false
	}
	return rest[1:3] < "24" && rest[4:] < "60" // digits: time.Parse sees to it
}
