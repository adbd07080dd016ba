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
	for _, e := range table {
		if e.letters == letters {
			return true
		}
	}
	return false
}
