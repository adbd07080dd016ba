package bills

import (
	"strings"
	"time"
)

// zone is what every time of a bill is in (bills.md § 3).
const zone = "+08:00"

// parseYuan returns an amount of yuan in fen: an optional minus, 1 to 10 digits, optionally
// a point and 1 or 2 digits (bills.md § 3).
func parseYuan(s string) (fen int64, ok bool) {
	rest, negative := strings.CutPrefix(s, "-")
	whole, part, point := strings.Cut(rest, ".")
	if !digits(whole) || len(whole) > 10 || point && (!digits(part) || len(part) > 2) {
		return 0, false
	}
	for _, c := range []byte((whole + part + "00")[:len(whole)+2]) {
		fen = fen*10 + int64(c-'0')
	}
	if negative {
		fen = -fen
	}
	return fen, true
}

// isNumber reports whether s may be the number of something: 1 to 128 of the characters
// that platforms number with.
func isNumber(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case digit(c), c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		case strings.IndexByte("_*@|.:-", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// given returns a number, or "" for one that means that there is none.
func given(s string) string {
	if s == "0" {
		return ""
	}
	return s
}

// givenZeros is given for fields in which any number of zeros means that there is none.
func givenZeros(s string) string {
	if strings.Trim(s, "0") == "" {
		return ""
	}
	return s
}

// padded returns digits with zeros before them up to a width; all else as it is.
func padded(s string, width int) string {
	if !digits(s) || len(s) >= width {
		return s
	}
	return strings.Repeat("0", width-len(s)) + s
}

// isDate reports whether s is a date yyyy-MM-dd that exists.
func isDate(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	_, ok := dateOf(s[:4] + s[5:7] + s[8:])
	return ok
}

// isClock reports whether s is a time HH:mm:ss that exists.
func isClock(s string) bool {
	return len(s) == 8 && s[2] == ':' && s[5] == ':' && isClock6(s[:2]+s[3:5]+s[6:])
}

// isClock6 reports whether s is a time HHmmss that exists.
func isClock6(s string) bool {
	return len(s) == 6 && digits(s) && s[:2] < "24" && s[2] < '6' && s[4] < '6'
}

// dateOf returns the date of yyyyMMdd, if it exists.
func dateOf(s string) (date time.Time, ok bool) {
	if len(s) != 8 || !digits(s) || s[:4] == "0000" {
		return date, false
	}
	date, err := time.Parse("20060102", s)
	return date, err == nil
}

// rfc3339 returns the time of yyyy-MM-dd HH:mm:ss, which isTime has seen.
func rfc3339(s string) string { return s[:10] + "T" + s[11:] + zone }

// isTime reports whether s is a time yyyy-MM-dd HH:mm:ss that exists.
func isTime(s string) bool {
	return len(s) == 19 && s[10] == ' ' && isDate(s[:10]) && isClock(s[11:])
}

// shown returns what may be kept of a cell with a card number: 12 to 19 digits, or 5 to 23
// digits and stars, masked (records.md, shown); "" of anything else.
func shown(s string) string {
	masked := strings.Contains(s, "*") && len(s) >= 5 && len(s) <= 23 && digits(strings.ReplaceAll(s, "*", "")+"0")
	if !masked && (len(s) < 12 || len(s) > 19 || !digits(s)) {
		return ""
	}
	first := 6
	if len(s) < 11 {
		first = 0
	}
	return s[:first] + strings.Repeat("*", len(s)-first-4) + s[len(s)-4:]
}

// nameDay returns the day that a file's base name states: the first INNyymmdd, else the
// first yyyymmdd or yyyy-mm-dd of this century that is a date (bills.md § 2).
func nameDay(name string) (day time.Time, ok bool) {
	for i := range len(name) - 8 {
		if name[i:i+3] != "INN" {
			continue
		}
		if day, ok := dateOf("20" + name[i+3:i+9]); ok {
			return day, true
		}
	}
	for i := range len(name) - 7 {
		if name[i:i+2] != "20" {
			continue
		}
		if day, ok := dateOf(name[i : i+8]); ok {
			return day, true
		}
		if i+10 <= len(name) && isDate(name[i:i+10]) {
			return dateOf(name[i:i+4] + name[i+5:i+7] + name[i+8:i+10])
		}
	}
	return day, false
}
