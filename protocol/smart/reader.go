package smart

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// reader walks over one JSON text. Every method that reads gives false after the
// first error, which stays in err.
type reader struct {
	b   []byte
	pos int
	// inside is the offset in DATA of the string that b was unescaped from; -1: b is
	// DATA itself.
	inside int
	err    *DecodeError
	trace  *trace // nil: not asked for
}

// maxDepth is how deep values may be nested: deeper than anybody nests them, and not
// so deep that reading one takes memory worth mentioning.
const maxDepth = 1024

// fail notes the first error. It always returns false.
func (r *reader) fail(at int, got, want string) bool {
	if r.err == nil {
		if r.inside >= 0 {
			at = r.inside
		}
		r.err = &DecodeError{Offset: at, Got: got, Want: want}
	}
	return false
}

// within puts the name of the enclosing member before the place of the error.
func (r *reader) within(name string) bool {
	switch f := r.err.Field; {
	case f == "":
		r.err.Field = name
	case f[0] == '[':
		r.err.Field = name + f
	default:
		r.err.Field = name + "." + f
	}
	return false
}

func (r *reader) space() {
	for r.pos < len(r.b) {
		switch r.b[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return
		}
	}
}

// found describes what begins at the present place, without its value.
func (r *reader) found() string {
	if r.pos >= len(r.b) {
		return "the end of the text"
	}
	switch c := r.b[r.pos]; {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	case c == 't' || c == 'f':
		return "true or false"
	case c == 'n':
		return "null"
	case c == '}' || c == ']' || c == ',' || c == ':':
		return strconv.QuoteRune(rune(c))
	}
	return "something that is no JSON"
}

// next consumes c, the next character after white space.
func (r *reader) next(c byte, want string) bool {
	if !r.peek(c) {
		return r.fail(r.pos, r.found(), want)
	}
	r.pos++
	return true
}

// peek reports whether c is the next character after white space.
func (r *reader) peek(c byte) bool {
	r.space()
	return r.pos < len(r.b) && r.b[r.pos] == c
}

// end reads the white space behind the text.
func (r *reader) end() bool {
	r.space()
	return r.pos == len(r.b) || r.fail(r.pos, r.found(), "nothing behind the object")
}

// empty consumes a value that says nothing: null or "".
func (r *reader) empty() bool {
	r.space()
	rest := r.b[r.pos:]
	switch {
	case len(rest) >= 4 && string(rest[:4]) == "null":
		r.pos += 4
		return true
	case len(rest) >= 2 && string(rest[:2]) == `""`:
		r.pos += 2
		return true
	}
	return false
}

// quoted reads a string and returns its characters, which lie in the text itself
// unless the string has escapes.
func (r *reader) quoted(want string) ([]byte, bool) {
	if !r.peek('"') {
		return nil, r.fail(r.pos, r.found(), want)
	}
	from := r.pos + 1
	for i := from; i < len(r.b); i++ {
		switch c := r.b[i]; {
		case c == '"':
			r.pos = i + 1
			return r.b[from:i], r.utf8(from, i)
		case c == '\\':
			if !r.utf8(from, i) {
				return nil, false
			}
			return r.escaped(from, i)
		case c < 0x20:
			return nil, r.fail(i, "a control character", "it written as \\u00XX")
		}
	}
	return nil, r.fail(len(r.b), "the end of the text", "'\"' at the end of the string")
}

// utf8 checks a part of the text.
func (r *reader) utf8(from, to int) bool {
	if utf8.Valid(r.b[from:to]) {
		return true
	}
	for from < to {
		c, n := utf8.DecodeRune(r.b[from:to])
		if c == utf8.RuneError && n <= 1 {
			break
		}
		from += n
	}
	return r.fail(from, "bytes that are no UTF-8", "UTF-8")
}

// escaped reads the rest of a string that has its first backslash at b[i].
func (r *reader) escaped(from, i int) ([]byte, bool) {
	out := append(make([]byte, 0, 64), r.b[from:i]...)
	for i < len(r.b) {
		switch c := r.b[i]; {
		case c == '"':
			r.pos = i + 1
			return out, true
		case c < 0x20:
			return nil, r.fail(i, "a control character", "it written as \\u00XX")
		case c == '\\':
			char, n := unescape(r.b[i:])
			if n == 0 {
				return nil, r.fail(i, "an escape that means no character", "a JSON escape")
			}
			out = utf8.AppendRune(out, char)
			i += n
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			char, n := utf8.DecodeRune(r.b[i:])
			if char == utf8.RuneError && n <= 1 {
				return nil, r.fail(i, "bytes that are no UTF-8", "UTF-8")
			}
			out = append(out, r.b[i:i+n]...)
			i += n
		}
	}
	return nil, r.fail(len(r.b), "the end of the text", "'\"' at the end of the string")
}

// unescape returns the character that the escape at b[0] means and its length in the
// text, 0 if it means none.
func unescape(b []byte) (rune, int) {
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
	second, ok := hex4(b[6:])
	pair := utf16.DecodeRune(first, second)
	if !ok || pair == utf8.RuneError {
		return 0, 0
	}
	return pair, 12
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var c rune
	for _, d := range b[2:6] {
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d >= 'a' && d <= 'f':
			d -= 'a' - 10
		case d >= 'A' && d <= 'F':
			d -= 'A' - 10
		default:
			return 0, false
		}
		c = c<<4 | rune(d)
	}
	return c, true
}

// skip reads over any value and checks that it is JSON.
func (r *reader) skip(depth int) bool {
	r.space()
	if depth > maxDepth {
		return r.fail(r.pos, "values nested too deep", "at most "+strconv.Itoa(maxDepth)+" levels")
	}
	if r.pos >= len(r.b) {
		return r.fail(r.pos, r.found(), "a value")
	}
	switch c := r.b[r.pos]; {
	case c == '"':
		_, ok := r.quoted("a string")
		return ok
	case c == '[':
		return r.skipAll(']', func() bool { return r.skip(depth + 1) })
	case c == '{':
		return r.skipAll('}', func() bool {
			_, ok := r.quoted("the name of a member")
			return ok && r.next(':', "':' after the name of a member") && r.skip(depth+1)
		})
	case c == '-' || c >= '0' && c <= '9':
		return r.skipNumber()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(r.b)-r.pos >= len(word) && string(r.b[r.pos:r.pos+len(word)]) == word {
			r.pos += len(word)
			return true
		}
	}
	return r.fail(r.pos, r.found(), "a value")
}

// skipAll reads over what stands between the bracket at the present place and its
// end, each part by one.
func (r *reader) skipAll(end byte, one func() bool) bool {
	r.pos++
	if r.peek(end) {
		r.pos++
		return true
	}
	for one() {
		if r.peek(',') {
			r.pos++
			continue
		}
		return r.next(end, "',' or "+strconv.QuoteRune(rune(end)))
	}
	return false
}

// skipNumber reads over a number as JSON knows it, fraction and exponent included.
func (r *reader) skipNumber() bool {
	at := r.pos
	if r.b[r.pos] == '-' {
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
	return ok || r.fail(at, "a number that JSON does not know", "a value")
}

// digits reads decimal digits; false if there is none.
func (r *reader) digits() bool {
	from := r.pos
	for r.pos < len(r.b) && r.b[r.pos] >= '0' && r.b[r.pos] <= '9' {
		r.pos++
	}
	return r.pos > from
}
