// Package explain holds what a decoder saw of a message, field by field, for people who
// look for the reason why an acquirer's messages are not understood. Nothing in it
// identifies anybody: what may be a number of a card or an account is masked, and of what
// no decoder reads only the kind and length are shown.
package explain

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Field is one field, tag or member as its decoder saw it.
type Field struct {
	Name   string `json:"name"`            // "F2", "9F0B", "body.payer.openid"
	At     int    `json:"at"`              // of its first byte, head included, counted from 0 in the message
	Length int    `json:"length"`          // of the value: digits, characters or bytes as its form counts them
	Kind   string `json:"kind,omitempty"`  // what sort of value it is and how long
	Value  string `json:"value,omitempty"` // masked; "" where it is not shown
	Became string `json:"became"`          // member of the record, or why it is none
}

// Refused ends the fields of a message that was refused at a field: with why, and without
// the values of those before it, for which shown returns false. Where fields have another
// form than the decoder's, each is read from the place of another: a card's expiry date
// stands where the merchant should.
func Refused(fields []Field, shown func(*Field) bool, name string, at int, got, want string) []Field {
	for i := range fields {
		if !shown(&fields[i]) {
			fields[i].Value = ""
		}
	}
	return append(fields, Field{Name: name, At: at, Became: "refused: got " + got + ", want " + want})
}

const (
	maxShown = 48 // characters of a value
	cardRun  = 13 // digits in a row that may be a card number
	wordRun  = 20 // letters and digits in a row that may be an openid or a token
)

// Text returns a value that should identify no person: of 13 or more digits in a row (single
// spaces and hyphens between them count for nothing) the first 6 and last 4 stay, of 20
// or more letters, digits, - and _ the first 4 and last 4. What cannot be printed is a ?,
// and what is longer than 48 characters is cut.
func Text(s string) string {
	c := []rune(strings.ToValidUTF8(s, "?"))
	for i := range c {
		if !unicode.IsPrint(c[i]) {
			c[i] = '?'
		}
	}
	maskRuns(c, isWord, wordRun, 4)
	maskDigits(c)
	if len(c) > maxShown {
		c = append(c[:maxShown], '…')
	}
	return string(c)
}

// Name returns the name of a member as a message states it: letters and _ as they are,
// anything else, which may be no name at all, as Text returns it.
func Name(s string) string {
	if len(s) <= maxShown && strings.IndexFunc(s, func(r rune) bool { return !isWord(r) || r >= '0' && r <= '9' }) < 0 {
		return s
	}
	return Text(s)
}

// maskRuns masks the inside of runs of at least least characters.
func maskRuns(c []rune, in func(rune) bool, least, lead int) {
	for i := 0; i < len(c); {
		end := i
		for end < len(c) && in(c[end]) {
			end++
		}
		if end-i >= least {
			stars(c[i+lead : end-4])
		}
		i = max(end, i+1)
	}
}

// maskDigits masks the inside of long runs of digits, which single spaces and hyphens do
// not end.
func maskDigits(c []rune) {
	for i := 0; i < len(c); {
		var at []int // places of the digits
		end := i
		for k := i; k < len(c); k++ {
			if c[k] >= '0' && c[k] <= '9' || c[k] >= '０' && c[k] <= '９' {
				at, end = append(at, k), k+1
			} else if len(at) == 0 || end != k || c[k] != ' ' && c[k] != '-' {
				break
			}
		}
		if len(at) >= cardRun {
			for _, k := range at[6 : len(at)-4] {
				c[k] = '*'
			}
		}
		i = max(end, i+1)
	}
}

func isWord(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_'
}

func stars(c []rune) {
	for i := range c {
		c[i] = '*'
	}
}

// Identity returns the masked form of the number or name of a card or account. Of 11 or
// more digits and stars the first 6 and last 4 stay, of 9 or more other ASCII characters
// the first and last 4, of a text no more than digits at its end; a shorter one is stars.
func Identity(s string) string {
	c := []rune(strings.TrimRight(strings.ToValidUTF8(s, "?"), " "))
	lead, tail, ascii := 0, 0, true
	for _, r := range c {
		ascii = ascii && r > ' ' && r < unicode.MaxASCII
	}
	switch {
	case len(c) >= 11 && strings.Trim(string(c), "0123456789*") == "":
		lead, tail = 6, 4
	case ascii && len(c) >= 9:
		lead, tail = 4, 4
	case len(c) >= 9:
		for tail < 4 && c[len(c)-1-tail] >= '0' && c[len(c)-1-tail] <= '9' {
			tail++
		}
	}
	stars(c[lead : len(c)-tail])
	if len(c) > maxShown {
		c = append(append(c[:maxShown-5:maxShown-5], '…'), c[len(c)-4:]...)
	}
	return string(c)
}

// Kind returns what sort of value it is and how long, and nothing of it.
func Kind(b []byte) string {
	digits, ascii := true, true
	for _, c := range b {
		digits = digits && c >= '0' && c <= '9'
		ascii = ascii && c >= 0x20 && c <= 0x7E
	}
	switch {
	case len(b) == 0:
		return "empty"
	case digits:
		return plural(len(b), "digit")
	case ascii:
		return plural(len(b), "character")
	case utf8.Valid(b) && strings.IndexFunc(string(b), unicode.IsControl) < 0:
		return plural(utf8.RuneCount(b), "character") + " of text"
	}
	return plural(len(b), "byte")
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}
