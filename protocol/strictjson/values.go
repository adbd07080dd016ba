package strictjson

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Quoted reads a string and returns its characters, which lie in the text itself unless
// the string has escapes (and then they are fewer). want describes the string in the
// error about something else.
func (r *Reader) Quoted(want string) ([]byte, bool) {
	if !r.Peek('"') {
		return nil, r.Fail(r.pos, r.found(), want)
	}
	from := r.pos + 1
	if i := r.plain(from); i > 0 {
		r.pos = i + 1
		return r.b[from:i], true
	}
	escaped, ok := r.scan(from)
	if !ok {
		return nil, false
	}
	text := r.b[from : r.pos-1]
	if escaped {
		return unescaped(text), true
	}
	return text, true
}

// skipString reads over the string that comes next and checks it.
func (r *Reader) skipString() bool {
	from := r.pos + 1
	if i := r.plain(from); i > 0 {
		r.pos = i + 1
		return true
	}
	_, ok := r.scan(from)
	return ok
}

// plain returns the offset of the quote behind a string without escapes and, unless loose,
// of ASCII; 0 if the string is another one, or none.
func (r *Reader) plain(from int) int {
	b, i, ascii := r.b, from, ^uint64(0)
	if r.form.Loose {
		ascii = 0
	}
	for ; i+8 <= len(b); i += 8 {
		if ends := special(binary.LittleEndian.Uint64(b[i:]), ascii); ends != 0 {
			if i += bits.TrailingZeros64(ends) / 8; b[i] == '"' {
				return i
			}
			return 0
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' {
			return i
		} else if c < 0x20 || c == '\\' || c >= utf8.RuneSelf && ascii != 0 {
			break
		}
	}
	return 0
}

// special looks at eight bytes at once. The lowest bit that it returns is in the first of them
// that is a quote, a backslash, a control character or, unless ascii is 0, no ASCII; 0:
// there is none. (Behind that one the subtractions borrow, and the bits mean nothing.)
func special(eight, ascii uint64) uint64 {
	const each, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := eight^each*'"', eight^each*'\\'
	return ((quote-each)&^quote | (backslash-each)&^backslash | (eight-each*0x20)&^eight | eight&ascii) & high
}

// scan reads over a string, whose first character is at from, and checks it.
func (r *Reader) scan(from int) (escaped, ok bool) {
	got, want := r.form.End, "'\"' at the end of the string"
	i := from
scan:
	for ; i < len(r.b); i++ {
		switch c := r.b[i]; {
		case c == '"':
			if !r.utf8(from, i) {
				return escaped, false
			}
			r.pos = i + 1
			return escaped, true
		case c == '\\':
			_, n := unescape(r.b[i:], r.form.Loose)
			if escaped = true; n == 0 {
				got, want = "an escape that means no character", "a JSON escape"
				break scan
			}
			i += n - 1
		case c < 0x20:
			got, want = "a control character", "it written as \\u00XX"
			break scan
		}
	}
	return escaped, (!escaped || r.utf8(from, i)) && r.Fail(i, got, want) // what is wrong before an escape comes first
}

// utf8 checks that a part of the text is UTF-8.
func (r *Reader) utf8(from, to int) bool {
	if r.form.Loose || utf8.Valid(r.b[from:to]) {
		return true
	}
	for {
		c, n := utf8.DecodeRune(r.b[from:to])
		if c == utf8.RuneError && n <= 1 {
			return r.Fail(from, "bytes that are no UTF-8", "UTF-8")
		}
		from += n
	}
}

// unescaped returns the characters of a string that scan has read.
func unescaped(b []byte) []byte {
	out := make([]byte, 0, max(64, len(b)))
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			out = append(out, b[i])
			i++
			continue
		}
		c, n := unescape(b[i:], true)
		out = utf8.AppendRune(out, c)
		i += n
	}
	return out
}

// unescape returns the character that the escape at b[0] means and its length in the
// text, 0 if it means none. A lone surrogate means U+FFFD if loose.
func unescape(b []byte, loose bool) (rune, int) {
	const simple, means = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(b) < 2 {
		return 0, 0
	}
	for i := range len(simple) {
		if b[1] == simple[i] {
			return rune(means[i]), 2
		}
	}
	first, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	if second, ok := hex4(b[6:]); ok {
		if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
			return pair, 12
		}
	}
	if loose {
		return utf8.RuneError, 6
	}
	return 0, 0
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// Empty reads a value without content: null or "". It returns false for any other.
func (r *Reader) Empty() bool {
	r.space()
	switch rest := r.b[r.pos:]; {
	case len(rest) >= 4 && string(rest[:4]) == "null":
		r.pos += 4
	case len(rest) >= 2 && string(rest[:2]) == `""`:
		r.pos += 2
	default:
		return false
	}
	return true
}

// Bool reads true or false.
func (r *Reader) Bool(v *bool) bool {
	r.space()
	switch rest := r.b[r.pos:]; {
	case len(rest) >= 4 && string(rest[:4]) == "true":
		*v, r.pos = true, r.pos+4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		*v, r.pos = false, r.pos+5
	default:
		return r.Fail(r.pos, r.found(), "true or false")
	}
	return true
}

// Integer reads -?[0-9]+. With clamp, one outside of int64 is read as the nearest int64;
// without, it is an error.
func (r *Reader) Integer(v *int64, clamp bool) bool {
	const want = "an integer"
	at := r.At()
	negative := r.Peek('-')
	if negative {
		r.pos++
	}
	most := uint64(math.MaxInt64)
	if negative {
		most++
	}
	from, n, over := r.pos, uint64(0), false
	for ; r.pos < len(r.b) && r.b[r.pos] >= '0' && r.b[r.pos] <= '9'; r.pos++ {
		c := uint64(r.b[r.pos] - '0')
		over = over || n > (most-c)/10
		n = n*10 + c
	}
	switch {
	case r.pos == from && !negative:
		return r.Fail(at, r.found(), want)
	case r.pos == from || r.pos > from+1 && r.b[from] == '0':
		return r.Fail(at, "a number that JSON does not know", want)
	case r.pos < len(r.b) && (r.b[r.pos] == '.' || r.b[r.pos] == 'e' || r.b[r.pos] == 'E'):
		return r.Fail(at, "a number with a fraction or an exponent", want)
	case over && !clamp:
		return r.Fail(at, "a number of more than 64 bits", want)
	case over:
		n = most
	}
	if *v = int64(n); negative {
		*v = -*v
	}
	return true
}

// Number reads a number as JSON knows it, fraction and exponent included, and returns it
// as it is written.
func (r *Reader) Number() ([]byte, bool) {
	at := r.At()
	if r.pos < len(r.b) && r.b[r.pos] == '-' {
		r.pos++
	}
	first := r.pos
	ok := r.digits() && (r.b[first] != '0' || r.pos == first+1)
	if ok && r.pos < len(r.b) && r.b[r.pos] == '.' {
		r.pos++
		ok = r.digits()
	}
	if ok && r.pos < len(r.b) && (r.b[r.pos] == 'e' || r.b[r.pos] == 'E') {
		if r.pos++; r.pos < len(r.b) && (r.b[r.pos] == '+' || r.b[r.pos] == '-') {
			r.pos++
		}
		ok = r.digits()
	}
	if !ok {
		return nil, r.Fail(at, "a number that JSON does not know", "a value")
	}
	return r.b[at:r.pos], true
}

// digits reads decimal digits; false if there is none.
func (r *Reader) digits() bool {
	from := r.pos
	for r.pos < len(r.b) && r.b[r.pos] >= '0' && r.b[r.pos] <= '9' {
		r.pos++
	}
	return r.pos > from
}
