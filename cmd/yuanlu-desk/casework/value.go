package casework

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"yuanlu/protocol/strictjson"
)

// ErrInput is the class of every line that is none of the page's (casework.md § 10).
var ErrInput = errors.New("bad_input")

// most is the greatest integer of a line, and its negative the least (casework.md § 10).
const most = 1_000_000_000_000_000

// value is one JSON value: kind is '{', '[', '"', '0', 't' (true or false) or 'n'.
type value struct {
	kind    byte
	text    string // of a string its characters, of a number its digits, of true "true"
	list    []value
	members []member
}

type member struct {
	name string
	value
}

// member returns the value of a member of an object.
func (v *value) member(name string) (value, bool) {
	for i := range v.members {
		if v.members[i].name == name {
			return v.members[i].value, true
		}
	}
	return value{}, false
}

// parse reads one JSON value in valid UTF-8, in which no object has a member twice.
func parse(text []byte) (value, error) {
	if !utf8.Valid(text) {
		return value{}, ErrInput
	}
	// A lone surrogate is read as U+FFFD, which no text may hold; elsewhere it may stand.
	r := strictjson.New(text, 0, &strictjson.Form{End: "the end", Twice: "a second one", Loose: true})
	var v value
	if !read(&r, &v, 0) || !r.End("the end") {
		return value{}, ErrInput
	}
	return v, nil
}

// deepest is how many lists and objects stand inside each other.
const deepest = 1000

func read(r *strictjson.Reader, v *value, depth int) bool {
	if depth > deepest {
		return false
	}
	v.kind = r.Kind()
	switch v.kind {
	case '{':
		names := map[string]bool{}
		_, ok := r.Object(nil, func(m strictjson.Member) bool {
			name := string(m.Name)
			if names[name] {
				return false
			}
			names[name] = true
			v.members = append(v.members, member{name: name})
			return read(r, &v.members[len(v.members)-1].value, depth+1)
		})
		return ok
	case '[':
		return r.List(func(int) bool {
			v.list = append(v.list, value{})
			return read(r, &v.list[len(v.list)-1], depth+1)
		})
	case '"':
		text, ok := r.Quoted("a string")
		v.text = string(text)
		return ok
	case '0':
		digits, ok := r.Number()
		v.text = string(digits)
		return ok
	}
	at := r.At()
	if !r.Skip() {
		return false
	}
	if v.text = string(r.Raw(at)); v.text == "false" {
		v.kind = 't'
	}
	return true
}

// integer returns a number without fraction and exponent within ±10¹⁵.
func (v *value) integer() (int64, bool) {
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, v.kind == '0' && err == nil && n >= -most && n <= most
}

// OneLine reports whether a text of at most so many characters may stand in one line (casework.md § 10).
func OneLine(s string, most int) bool { return characters(s, 0, most, false) }

// characters reports whether a text has from lo to hi characters, all of which may stand
// in a text; lines takes line feeds too.
func characters(s string, lo, hi int, lines bool) bool {
	n := 0
	for _, c := range s {
		switch {
		case c == '\n' && lines:
		case c < 0x20, c == 0x2028, c == 0x2029, c == utf8.RuneError:
			return false
		}
		n++
	}
	return n >= lo && n <= hi
}

// form reads the members of one object. The first that is not as it must be makes it bad;
// so does, in done, one that was not asked for.
type form struct {
	v    value
	used int
	bad  bool
}

func object(v value) *form { return &form{v: v, bad: v.kind != '{'} }

// get returns a member that must be there.
func (f *form) get(name string) value {
	v, ok := f.maybe(name)
	f.bad = f.bad || !ok
	return v
}

// maybe returns a member that may be absent.
func (f *form) maybe(name string) (value, bool) {
	v, ok := f.v.member(name)
	if ok {
		f.used++
	}
	return v, ok
}

func (f *form) check(ok bool) { f.bad = f.bad || !ok }

// done reports whether the object had what was asked for, as it must be, and nothing else.
func (f *form) done() bool { return !f.bad && f.used == len(f.v.members) }

// text reads a string of lo to hi characters; in the member "text" lines may end.
func (f *form) text(name string, lo, hi int) string { return f.string(f.get(name), name, lo, hi) }

func (f *form) string(v value, name string, lo, hi int) string {
	f.check(v.kind == '"' && characters(v.text, lo, hi, name == "text"))
	return v.text
}

// optional reads a string of at most hi characters that may be absent.
func (f *form) optional(name string, hi int) string {
	v, ok := f.maybe(name)
	if !ok {
		return ""
	}
	return f.string(v, name, 0, hi)
}

func (f *form) integer(name string, lo, hi int64) int64 {
	return f.within(f.get(name), lo, hi)
}

func (f *form) within(v value, lo, hi int64) int64 {
	n, ok := v.integer()
	f.check(ok && n >= lo && n <= hi)
	return n
}

// seq reads the number of an event that may be absent; then it is 0.
func (f *form) seq(name string) int64 {
	v, ok := f.maybe(name)
	if !ok {
		return 0
	}
	return f.within(v, 1, most)
}

func (f *form) bool(name string) bool { return f.truth(f.get(name)) }

func (f *form) truth(v value) bool {
	f.check(v.kind == 't')
	return v.text == "true"
}

// list reads a list and calls each with its elements.
func (f *form) list(name string, each func(value)) {
	v := f.get(name)
	f.check(v.kind == '[')
	for _, e := range v.list {
		each(e)
	}
}

// texts reads a list of strings of 1 to 64 characters.
func (f *form) texts(name string) []string {
	out := []string{}
	f.list(name, func(v value) { out = append(out, f.string(v, name, 1, 64)) })
	return out
}

// one reads a string that must be one of some.
func (f *form) one(name string, of ...string) string {
	s := f.text(name, 1, 64)
	f.check(among(s, of))
	return s
}

func among(s string, of []string) bool {
	for _, o := range of {
		if s == o {
			return true
		}
	}
	return false
}

// distinct makes a list bad that holds something twice.
func distinct[T comparable](f *form, list []T) {
	seen := map[T]bool{}
	for _, e := range list {
		f.check(!seen[e])
		seen[e] = true
	}
}
