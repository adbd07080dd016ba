package strictjson

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrMalformed is the class of every error of this package.
var ErrMalformed = errors.New("strictjson: malformed text")

// Error is where a text is not what its reader wants. It holds no value of the text: Path
// has only names that the reader itself has put there.
type Error struct {
	Offset int    // in bytes from the beginning of the text
	Path   string // "party.also[1].id"; "" the whole text
	Got    string
	Want   string
}

// Error returns place, got and want.
func (e *Error) Error() string {
	return fmt.Sprintf("%v: offset %d, member %q: got %s, want %s", ErrMalformed, e.Offset, e.Path, e.Got, e.Want)
}

// Unwrap returns ErrMalformed.
func (e *Error) Unwrap() error { return ErrMalformed }

// Form is what the texts of one source are like, and how its errors name two things.
type Form struct {
	End   string // Got where the text ends: "the end of the line"
	Twice string // Got where a known member comes again: "a second one"
	Depth int    // how many lists and objects Skip takes inside each other
	// Loose takes what encoding/json takes: a lone surrogate is read as U+FFFD, and bytes
	// that are no UTF-8 stay as they are.
	Loose bool
}

// Reader stands at a place of one text and reads what comes there. Every method that
// reads skips white space first and returns false after the first error, which Err
// returns. A copy of a Reader is a place to come back to. It is not safe for concurrent
// use.
type Reader struct {
	b    []byte
	pos  int
	form *Form
	err  *Error
}

// New returns a Reader of text that stands at the offset from.
func New(text []byte, from int, f *Form) Reader { return Reader{b: text, pos: from, form: f} }

// Err returns the first error; nil if there was none.
func (r *Reader) Err() *Error { return r.err }

// Pos returns the offset of the present place, behind what was read last.
func (r *Reader) Pos() int { return r.pos }

// At skips white space and returns the offset of what comes next.
func (r *Reader) At() int {
	r.space()
	return r.pos
}

// Raw returns the text from an offset to the present place.
func (r *Reader) Raw(from int) []byte { return r.b[from:r.pos] }

// Fail notes the first error. It always returns false.
func (r *Reader) Fail(at int, got, want string) bool {
	if r.err == nil {
		r.err = &Error{Offset: at, Got: got, Want: want}
	}
	return false
}

// Within puts the name of the enclosing member, or "[i]" of the enclosing list, before
// the path of the error, if there is one. It always returns false.
func (r *Reader) Within(name string) bool {
	switch e := r.err; {
	case e == nil:
	case e.Path == "":
		e.Path = name
	case e.Path[0] == '[':
		e.Path = name + e.Path
	default:
		e.Path = name + "." + e.Path
	}
	return false
}

// space skips white space; it is small enough to be inlined.
func (r *Reader) space() {
	if r.pos < len(r.b) && r.b[r.pos] <= ' ' {
		r.skipSpace()
	}
}

func (r *Reader) skipSpace() {
	for r.pos < len(r.b) {
		switch r.b[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return
		}
	}
}

// Kind returns the first character of what comes next: '{', '[', '"', 't', 'f' or 'n' of
// a value, '0' of any number, 0 at the end of the text.
func (r *Reader) Kind() byte {
	if r.space(); r.pos >= len(r.b) {
		return 0
	}
	if c := r.b[r.pos]; c != '-' && (c < '0' || c > '9') {
		return c
	}
	return '0'
}

// Peek reports whether c comes next.
func (r *Reader) Peek(c byte) bool {
	r.space()
	return r.pos < len(r.b) && r.b[r.pos] == c
}

// next reads c.
func (r *Reader) next(c byte, want string) bool {
	if !r.Peek(c) {
		return r.Fail(r.pos, r.found(), want)
	}
	r.pos++
	return true
}

// found describes what comes next, without its value.
func (r *Reader) found() string {
	switch c := r.Kind(); c {
	case 0:
		if r.pos >= len(r.b) {
			return r.form.End
		}
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	case '}', ']', ',', ':':
		return strconv.QuoteRune(rune(c))
	}
	return "something that is no JSON"
}

// End reads the white space at the end of the text; want describes that end in the error
// about anything else.
func (r *Reader) End(want string) bool {
	r.space()
	return r.pos == len(r.b) || r.Fail(r.pos, r.found(), want)
}

// Member is the name of a member of an object, as it stands in the text.
type Member struct {
	Index   int    // among the known ones; -1: not known
	At, End int    // offsets of the name, quotes included
	Name    []byte // without quotes and escapes, inside the text where it has none
}

// Object reads an object. known returns the index of a name, 0 to 63, or -1 for one that
// may come any number of times; nil knows none. value reads the value of each member, at
// its place. seen has bit i set where the member of index i was there.
func (r *Reader) Object(known func(name []byte) int, value func(m Member) bool) (seen uint64, ok bool) {
	if !r.next('{', "an object") {
		return 0, false
	}
	if r.Peek('}') {
		r.pos++
		return 0, true
	}
	for {
		m := Member{Index: -1, At: r.At()}
		if m.Name, ok = r.Quoted("the name of a member"); !ok {
			return seen, false
		}
		if m.End = r.pos; !r.next(':', "':' after the name of a member") {
			return seen, false
		}
		if known != nil {
			m.Index = known(m.Name)
		}
		if m.Index >= 0 {
			if seen&(1<<m.Index) != 0 {
				r.Fail(m.At, r.form.Twice, "each member once")
				return seen, r.Within(string(m.Name))
			}
			seen |= 1 << m.Index
		}
		r.space()
		if !value(m) {
			return seen, false
		}
		if r.Peek(',') {
			r.pos++
			continue
		}
		return seen, r.next('}', "',' or '}'")
	}
}

// List reads a list and calls each with the index of each element, at its place.
func (r *Reader) List(each func(i int) bool) bool {
	if !r.next('[', "a list") {
		return false
	}
	if r.Peek(']') {
		r.pos++
		return true
	}
	for i := 0; ; i++ {
		r.space()
		if !each(i) {
			return r.Within("[" + strconv.Itoa(i) + "]")
		}
		if r.Peek(',') {
			r.pos++
			continue
		}
		return r.next(']', "',' or ']'")
	}
}

// Skip reads over any value and checks that it is JSON. What it reads has no path.
func (r *Reader) Skip() bool { return r.skip(0) }

func (r *Reader) skip(depth int) bool {
	switch r.Kind() {
	case '"':
		return r.skipString()
	case '{':
		return r.skipAll('}', "',' or '}'", depth)
	case '[':
		return r.skipAll(']', "',' or ']'", depth)
	case '0':
		_, ok := r.Number()
		return ok
	case 't':
		return r.literal("true")
	case 'f':
		return r.literal("false")
	case 'n':
		return r.literal("null")
	}
	return r.Fail(r.pos, r.found(), "a value")
}

// skipAll reads over a list or an object, which ends with end.
func (r *Reader) skipAll(end byte, want string, depth int) bool {
	if depth >= r.form.Depth {
		return r.Fail(r.pos, "values nested too deep", "at most "+strconv.Itoa(r.form.Depth)+" levels")
	}
	r.pos++
	if r.Peek(end) {
		r.pos++
		return true
	}
	for {
		if end == '}' {
			if !r.Peek('"') {
				return r.Fail(r.pos, r.found(), "the name of a member")
			}
			if !r.skipString() || !r.next(':', "':' after the name of a member") {
				return false
			}
		}
		if !r.skip(depth + 1) {
			return false
		}
		if r.Peek(',') {
			r.pos++
			continue
		}
		return r.next(end, want)
	}
}

// literal reads true, false or null, whose first character has been seen.
func (r *Reader) literal(name string) bool {
	if len(r.b)-r.pos < len(name) || string(r.b[r.pos:r.pos+len(name)]) != name {
		return r.Fail(r.pos, r.found(), "a value")
	}
	r.pos += len(name)
	return true
}

// Valid reports whether text is JSON as encoding/json knows it.
func Valid(text []byte) bool {
	r := New(text, 0, &Form{Depth: 10_000, Loose: true})
	return r.Skip() && r.End("")
}
