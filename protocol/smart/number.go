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

// numberOf returns the number that digits are; b holds nothing else.
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
	v.Given = true
	return r.Integer(&v.Value, true)
}

// fen reads a text of digits.
func (r *reader) fen(v *Number) bool {
	at, b, ok := r.trimmed()
	if !ok || len(b) == 0 {
		return ok
	}
	if !allDigits(b) {
		return r.Fail(at, "a text that is not digits alone", "an amount in fen, digits as text")
	}
	*v = numberOf(b, false)
	return true
}

// olderFen reads an amount of the older WeChat interface: a text of digits, or an
// integer.
func (r *reader) olderFen(v *Number) bool {
	if r.Peek('"') {
		return r.fen(v)
	}
	return r.integer(v)
}

// wantYuan is the form of an amount in yuan.
const wantYuan = "an amount in yuan with at most two places, as text or as a number"

// yuan reads decimal text or a JSON number with at most two places, as fen.
func (r *reader) yuan(v *Number) bool {
	if r.Kind() == '0' {
		at := r.Pos()
		b, ok := r.Number()
		return ok && r.yuanOf(at, b, "a number with an exponent", v)
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
		return r.Fail(at, got, wantYuan)
	}
	if len(places) > 2 {
		return r.Fail(at, "more than two places", wantYuan)
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
	at = r.At()
	b, ok = r.Quoted("a string")
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
