package refund

import "strings"

// maskOf returns what is visible of a masked card number (records.md, Rules for
// every decoder). Anything but a digit hides.
func maskOf(clear string, t Tokenizer) Mask {
	c := []rune(clear)
	n := len(c)
	first, last, known := hiddenPart(c)
	if !known {
		return maskUnknownLength(c, first, last, t)
	}
	m := Mask{Length: n}
	lead, tail := min(6, n), min(4, n)
	if first == n && n < 11 {
		// Nothing hidden and too short for a card number: whatever it is, only its
		// end may be kept in clear.
		lead = 0
	}
	m.Lead = strings.TrimRight(starred(c[:lead]), "*")
	m.Tail = strings.TrimLeft(starred(c[n-tail:]), "*")
	for i := lead; i < n-tail; i++ {
		m.Middle = appendDigit(m.Middle, i+1, c[i], t)
	}
	return m
}

// maskUnknownLength is maskOf for a number that hides an unknown number of digits:
// only what stands before the first hidden one has a place from the left, and what
// stands after the last one a place from the right.
func maskUnknownLength(c []rune, first, last int, t Tokenizer) Mask {
	left, right := c[:first], c[last+1:]
	lead, tail := min(6, len(left)), min(4, len(right))
	m := Mask{Lead: string(left[:lead]), Tail: string(right[len(right)-tail:])}
	for i := lead; i < len(left); i++ {
		m.Middle = appendDigit(m.Middle, i+1, left[i], t)
	}
	for i := range len(right) - tail {
		m.Middle = appendDigit(m.Middle, i-len(right), right[i], t)
	}
	return m
}

// hiddenPart returns the places of the first and the last hidden character
// (len(c), -1: none), and whether each hides one digit: it does not if four stars
// stand in a row, no more and no less, or if it is no star.
func hiddenPart(c []rune) (first, last int, known bool) {
	first, last, known = len(c), -1, true
	stars := 0
	for i, r := range c {
		if isDigit(r) {
			known = known && stars != 4
			stars = 0
			continue
		}
		first, last = min(first, i), i
		if r != '*' {
			known = false
		}
		stars++
	}
	return first, last, known && stars != 4
}

// starred returns c with a star for everything that is no digit.
func starred(c []rune) string {
	b := make([]byte, len(c))
	for i, r := range c {
		if b[i] = '*'; isDigit(r) {
			b[i] = byte(r)
		}
	}
	return string(b)
}

func appendDigit(m []MaskDigit, pos int, r rune, t Tokenizer) []MaskDigit {
	if !isDigit(r) {
		return m
	}
	return append(m, MaskDigit{Pos: pos, Tokens: t.Tokens(labelDigit, string(r))})
}

// maskOfShown returns what a masked form shows: all there is of an identifier that a
// record states by token only (ParseRecord). The form of a masked number shows a
// star for every character inside, so its length proves nothing.
func maskOfShown(s Scheme, shown string) Mask {
	c := []rune(shown)
	first, last, _ := hiddenPart(c)
	if first == len(c) {
		return Mask{}
	}
	left, right := c[:first], c[last+1:]
	m := Mask{Lead: string(left[:min(6, len(left))]), Tail: string(right[max(0, len(right)-4):])}
	switch s {
	case SchemePANMasked:
	case SchemePAN:
		m.Length = len(c)
	default:
		m = Mask{}
	}
	return m
}
