package refund

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// reader walks once over one JSON text. It is stricter than encoding/json: members
// stated twice, invalid UTF-8 and lone surrogates are errors, and so is every
// number that is not -?[0-9]+ where a member of a record stands. Every method that
// reads gives ok false after the first error, which stays in err.
type reader struct {
	b []byte
	// kept is b as a string whose parts are handed out as values; "" if values must
	// be copies, because b holds identifiers that must not live on with them.
	kept        string
	pos         int
	skipUnknown bool // members not in the list are skipped; else they are errors
	err         *InputError
	errPos      int
}

// maxDepth is how deep a skipped value may be nested: deeper than anybody nests them.
const maxDepth = 1024

// fail notes the first error. It always returns false.
func (d *reader) fail(at int, got, want string) bool {
	if d.err == nil {
		d.err = &InputError{Got: got, Want: want}
		d.errPos = at
	}
	return false
}

// within puts the name of the enclosing member before the place of the error.
func (d *reader) within(name string) {
	switch m := d.err.Member; {
	case m == "":
		d.err.Member = name
	case m[0] == '[':
		d.err.Member = name + m
	default:
		d.err.Member = name + "." + m
	}
}

// column returns the 1-based column, in characters, of a place in the text.
func (d *reader) column(at int) int { return utf8.RuneCount(d.b[:at]) + 1 }

func (d *reader) space() {
	for d.pos < len(d.b) {
		switch d.b[d.pos] {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return
		}
	}
}

// found describes what begins at the present place, without its value.
func (d *reader) found() string {
	if d.pos >= len(d.b) {
		return "the end of the line"
	}
	switch c := d.b[d.pos]; {
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
func (d *reader) next(c byte, want string) bool {
	d.space()
	if d.pos >= len(d.b) || d.b[d.pos] != c {
		return d.fail(d.pos, d.found(), want)
	}
	d.pos++
	return true
}

// peek reports whether c is the next character after white space.
func (d *reader) peek(c byte) bool {
	d.space()
	return d.pos < len(d.b) && d.b[d.pos] == c
}

// end reads the white space after the text.
func (d *reader) end() bool {
	d.space()
	if d.pos < len(d.b) {
		return d.fail(d.pos, d.found(), "the end of the line after the record")
	}
	return true
}

// object reads an object and calls set with the index in names of each member, at
// its value. seen has one bit for each member that was there.
func (d *reader) object(names []string, set func(i int) bool) (seen uint64, ok bool) {
	if !d.next('{', "an object") {
		return 0, false
	}
	if d.peek('}') {
		d.pos++
		return 0, true
	}
	for i := -1; ; {
		d.space()
		at := d.pos
		name, ok := d.quoted("the name of a member")
		if !ok || !d.next(':', "':' after the name of a member") {
			return seen, false
		}
		d.space()
		if i = indexOf(names, name, i+1); i < 0 {
			if !d.unknown(at, name) {
				return seen, false
			}
		} else if seen&(1<<i) != 0 {
			d.fail(at, "a second one", "each member once")
			d.within(names[i])
			return seen, false
		} else if seen |= 1 << i; !set(i) {
			d.within(names[i])
			return seen, false
		}
		if d.peek(',') {
			d.pos++
			continue
		}
		return seen, d.next('}', "',' or '}'")
	}
}

// indexOf finds name among names, beginning with the place after the last one:
// members mostly come in order.
func indexOf(names []string, name []byte, from int) int {
	for i := from; i < len(names); i++ {
		if names[i] == string(name) {
			return i
		}
	}
	for i := range min(from, len(names)) {
		if names[i] == string(name) {
			return i
		}
	}
	return -1
}

// unknown skips the value of a member that nobody knows, or refuses it.
func (d *reader) unknown(at int, name []byte) bool {
	if d.skipUnknown {
		return d.skip(0)
	}
	d.fail(at, "an unknown member", "a member that records.md names")
	d.within(safeName(name))
	return false
}

// safeName returns a member's name as an error may show it: nothing that could be a
// number of somebody.
func safeName(name []byte) string {
	const most = 40
	if len(name) == 0 || len(name) > most {
		return "(a name of " + strconv.Itoa(len(name)) + " bytes)"
	}
	for _, c := range name {
		if c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return strconv.Quote(maskText(string(name)))
		}
	}
	return maskText(string(name))
}

// list reads a list and calls each with the index of each element, at its value.
func (d *reader) list(each func(i int) bool) bool {
	if !d.next('[', "a list") {
		return false
	}
	if d.peek(']') {
		d.pos++
		return true
	}
	for i := 0; ; i++ {
		d.space()
		if !each(i) {
			d.within("[" + strconv.Itoa(i) + "]")
			return false
		}
		if d.peek(',') {
			d.pos++
			continue
		}
		return d.next(']', "',' or ']'")
	}
}

// text reads a string.
func (d *reader) text(v *string) bool {
	from := d.pos + 1
	b, ok := d.quoted("a string")
	if !ok {
		return false
	}
	if to := d.pos - 1; d.kept != "" && to-from == len(b) {
		*v = d.kept[from:to]
	} else {
		*v = string(b)
	}
	return true
}

// quoted reads a string and returns its characters, which lie in the text itself
// unless the string has escapes (and then they are fewer).
func (d *reader) quoted(want string) ([]byte, bool) {
	if !d.peek('"') {
		return nil, d.fail(d.pos, d.found(), want)
	}
	from := d.pos + 1
	var all byte
	for i := from; i < len(d.b); i++ {
		c := d.b[i]
		switch {
		case c == '"':
			if all >= utf8.RuneSelf && !d.valid(from, i) {
				return nil, false
			}
			d.pos = i + 1
			return d.b[from:i], true
		case c == '\\':
			if all >= utf8.RuneSelf && !d.valid(from, i) {
				return nil, false
			}
			return d.escaped(from, i)
		case c < 0x20:
			return nil, d.fail(i, "a control character", "it written as \\u00XX")
		}
		all |= c
	}
	return nil, d.fail(len(d.b), "the end of the line", "'\"' at the end of the string")
}

// valid checks that a part of the text is UTF-8.
func (d *reader) valid(from, to int) bool {
	for i := from; i < to; {
		r, n := utf8.DecodeRune(d.b[i:to])
		if r == utf8.RuneError && n <= 1 {
			return d.fail(i, "bytes that are no UTF-8", "UTF-8")
		}
		i += n
	}
	return true
}

// escaped reads the rest of a string that has its first backslash at b[i].
func (d *reader) escaped(from, i int) ([]byte, bool) {
	out := append(make([]byte, 0, 64), d.b[from:i]...)
	for i < len(d.b) {
		switch c := d.b[i]; {
		case c == '"':
			d.pos = i + 1
			return out, true
		case c < 0x20:
			return nil, d.fail(i, "a control character", "it written as \\u00XX")
		case c == '\\':
			r, n := unescape(d.b[i:])
			if n == 0 {
				return nil, d.fail(i, "an escape that means no character", "a JSON escape")
			}
			out = utf8.AppendRune(out, r)
			i += n
		default:
			r, n := utf8.DecodeRune(d.b[i:])
			if r == utf8.RuneError && n <= 1 {
				return nil, d.fail(i, "bytes that are no UTF-8", "UTF-8")
			}
			out = append(out, d.b[i:i+n]...)
			i += n
		}
	}
	return nil, d.fail(len(d.b), "the end of the line", "'\"' at the end of the string")
}

// unescape returns the character that the escape at b[0] means and its length in the
// text, 0 if it means none.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return 0, 0
	}
	r, ok := hex4(b[2:])
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
		return 0, 0
	}
	low, ok := hex4(b[8:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n), err == nil
}

// integer reads -?[0-9]+. With clamp, one outside of int64 gives the nearest int64;
// without, it is an error.
func (d *reader) integer(v *int64, clamp bool) bool {
	const want = "an integer"
	d.space()
	at, i := d.pos, d.pos
	negative := i < len(d.b) && d.b[i] == '-'
	if negative {
		i++
	}
	most := uint64(math.MaxInt64)
	if negative {
		most++
	}
	from := i
	var n uint64
	over := false
	for ; i < len(d.b) && d.b[i] >= '0' && d.b[i] <= '9'; i++ {
		c := uint64(d.b[i] - '0')
		over = over || n > (most-c)/10
		n = n*10 + c
	}
	switch {
	case i == from && !negative:
		return d.fail(at, d.found(), want)
	case i == from || i > from+1 && d.b[from] == '0':
		return d.fail(at, "a number that JSON does not know", want)
	case i < len(d.b) && (d.b[i] == '.' || d.b[i] == 'e' || d.b[i] == 'E'):
		return d.fail(at, "a number with a fraction or an exponent", want)
	case over && !clamp:
		return d.fail(at, "a number of more than 64 bits", want)
	case over:
		n = most
	}
	if *v = int64(n); negative {
		*v = -*v
	}
	d.pos = i
	return true
}

// boolean reads true or false.
func (d *reader) boolean(v *bool) bool {
	d.space()
	switch rest := d.b[d.pos:]; {
	case len(rest) >= 4 && string(rest[:4]) == "true":
		*v, d.pos = true, d.pos+4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		*v, d.pos = false, d.pos+5
	default:
		return d.fail(d.pos, d.found(), "true or false")
	}
	return true
}
