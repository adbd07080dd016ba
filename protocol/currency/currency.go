// Package currency knows the currencies of ISO 4217, as a table with a date.
package currency

import "sort"

// ByNumber returns the letters of a three-digit ISO 4217 number ("156" is "CNY"),
// the newest ones where a number was used twice. ok is false for a number that
// is in no list.
func ByNumber(number string) (letters string, ok bool) {
	i := sort.Search(len(table), func(i int) bool { return table[i].number >= number })
	if i == len(table) || table[i].number != number {
		return "", false
	}
	return table[i].letters, true
}

// Known reports whether letters ("CNY") are a currency of ISO 4217, in use or
// withdrawn since 2011.
func Known(letters string) bool {
	_, ok := find(letters)
	return ok
}

// MinorUnits returns the number of decimal places of a currency ("CNY" has 2). ok
// is false where the letters are unknown or the standard gives none (gold, test
// codes).
func MinorUnits(letters string) (places int, ok bool) {
	e, ok := find(letters)
	if !ok || e.minor < 0 {
		return 0, false
	}
	return int(e.minor), true
}

// Withdrawn returns the day (YYYY-MM-DD) from which letters are no longer in use,
// "" for those that are.
func Withdrawn(letters string) string {
	e, _ := find(letters)
	return e.until
}

func find(letters string) (entry, bool) {
	for _, e := range table {
		if e.letters == letters {
			return e, true
		}
	}
	return entry{}, false
}
