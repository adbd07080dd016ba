package smart

import (
	"bytes"
	"math"
)

// Number is an amount in fen as a message states it, or none. One of more than 64
// bits is the nearest that has 64: well-formed, and impossible.
type Number struct {
	Value int64
	Given bool
}

// Plus returns the sum; what is not given adds nothing.
func (n Number) Plus(m Number) Number {
	switch {
	case !m.Given:
		return n
	case !n.Given:
		return m
	case m.Value > 0 && n.Value > math.MaxInt64-m.Value:
		n.Value = math.MaxInt64
	case m.Value < 0 && n.Value < math.MinInt64-m.Value:
		n.Value = math.MinInt64
	default:
		n.Value += m.Value
	}
	return n
}

// numberOf returns the number that digits say; b holds nothing else.
func numberOf(b []byte, negative bool) Number {
	n := Number{Given: true}
	for _, c := range b {
		d := int64(c - '0')
		if n.Value > (math.MaxInt64-d)/10 {
			if negative {
				return Number{math.MinInt64, true}
			}
			return Number{math.MaxInt64, true}
		}
		n.Value = n.Value*10 + d
	}
	if negative {
		n.Value = -n.Value
	}
	return n
}

// integer reads a JSON number that is -?[0-9]+.
func (r *reader) integer(v *Number) bool {
	const want = "an integer"
	r.space()
	at := r.pos
	negative := r.peek('-')
	if negative {
		r.pos++
	}
	from := r.pos
	switch ok := r.digits(); {
	case !ok && !negative:
		return r.fail(at, r.found(), want)
	case !ok || r.b[from] == '0' && r.pos > from+1:
		return r.fail(at, "a number that JSON does not know", want)
	}
	*v = numberOf(r.b[from:r.pos], negative)
	if r.pos < len(r.b) && (r.b[r.pos] == '.' || r.b[r.pos] == 'e' || r.b[r.pos] == 'E') {
		return r.fail(at, "a number with a fraction or an exponent", want)
	}
	return true
}

// fen reads a text of digits.
func (r *reader) fen(v *Number) bool {
	at, b, ok := r.trimmed()
	if !ok || len(b) == 0 {
		return ok
	}
	if !allDigits(b) {
		return r.fail(at, "a text that is not digits alone", "an amount in fen, digits as text")
	}
	*v = numberOf(b, false)
	return true
}

// olderFen reads an amount of the older WeChat interface: a text of digits, or an
// integer.
func (r *reader) olderFen(v *Number) bool {
	if r.peek('"') {
		return r.fen(v)
	}
	return r.integer(v)
}

// wantYuan is the form of an amount in yuan.
const wantYuan = "an amount in yuan with at most two places, as text or as a number"

// yuan reads decimal text or a JSON number with at most two places, as fen.
func (r *reader) yuan(v *Number) bool {
	if r.space(); r.pos < len(r.b) && (r.b[r.pos] == '-' || r.b[r.pos] >= '0' && r.b[r.pos] <= '9') {
		at := r.pos
		if !r.skipNumber() {
			return false
		}
		return r.yuanOf(at, r.b[at:r.pos], "a number with an exponent", v)
	}
	at, b, ok := r.trimmed()
	if !ok || len(b) == 0 {
		return ok
	}
	return r.yuanOf(at, b, "a text that is no decimal number", v)
}

// yuanOf reads b, which stands at the offset, as an amount in yuan; got names what it
// is if it is no decimal number.
func (r *reader) yuanOf(at int, b []byte, got string, v *Number) bool {
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	whole, places, point := bytes.Cut(b, []byte("."))
	if len(whole) == 0 || point && len(places) == 0 || !allDigits(whole) || !allDigits(places) {
		return r.fail(at, got, wantYuan)
	}
	if len(places) > 2 {
		return r.fail(at, "more than two places", wantYuan)
	}
	digits := append(append(make([]byte, 0, 24), whole...), places...)
	for n := len(places); n < 2; n++ {
		digits = append(digits, '0')
	}
	*v = numberOf(digits, negative)
	return true
}

// trimmed reads a text without its trailing spaces, and returns its place.
func (r *reader) trimmed() (at int, b []byte, ok bool) {
	r.space()
	at = r.pos
	b, ok = r.quoted("a string")
	return at, trim(b), ok
}

func trim(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
