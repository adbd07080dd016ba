package smart

import (
	"slices"
	"strconv"

	"yuanlu/protocol/sensitive"
)

// field is a member of an object that is read, and where its value goes: one of the
// places, read as its kind is, or by value if that is set.
type field struct {
	name    string
	text    *string
	secret  *sensitive.Text
	flag    *bool
	integer *Number // a JSON number
	fen     *Number // digits as text
	older   *Number // digits as text, or a JSON number
	yuan    *Number // decimal text, or a JSON number
	object  []field
	value   func(*reader) bool
	twice   bool // it was there already: an error
}

// object reads an object. Members that fields do not name go to other, if there is
// one and it takes them, else they are skipped.
func (r *reader) object(fields []field, other func(name []byte) *field) bool {
	if !r.next('{', "an object") {
		return false
	}
	if r.peek('}') {
		r.pos++
		return true
	}
	seen := uint64(0)
	for {
		r.space()
		at := r.pos
		name, ok := r.quoted("the name of a member")
		if !ok || !r.next(':', "':' after the name of a member") {
			return false
		}
		i := indexOf(fields, name)
		if i >= 0 && seen&(1<<i) != 0 {
			r.fail(at, "it a second time", "each member once")
			return r.within(fields[i].name)
		}
		r.space()
		from, before := r.pos, r.trace.count()
		r.trace.enter(string(name))
		var f *field
		if i < 0 {
			if f = r.lookUp(name, other); !r.unnamed(f) {
				return false
			}
		} else {
			seen |= 1 << i
			if f = &fields[i]; !r.member(f) {
				return r.within(f.name)
			}
		}
		r.saw(f, from, before)
		if r.peek(',') {
			r.pos++
			continue
		}
		return r.next('}', "',' or '}'")
	}
}

func indexOf(fields []field, name []byte) int {
	for i := range fields {
		if fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

// saw notes the value from … to the present place, if anybody asked.
func (r *reader) saw(f *field, from, before int) {
	if r.trace == nil {
		return
	}
	at := from
	if r.inside >= 0 {
		at = r.inside
	}
	r.trace.leave(f, at, r.b[from:r.pos], before)
}

// lookUp asks other for the field of a member that no field names; nil: it is skipped.
func (r *reader) lookUp(name []byte, other func([]byte) *field) *field {
	if other == nil {
		return nil
	}
	return other(name)
}

// unnamed reads the value of a member that no field names.
func (r *reader) unnamed(f *field) bool {
	if f == nil {
		return r.skip(0)
	}
	if f.twice {
		r.fail(r.pos, "it a second time", "each member once")
	} else if r.member(f) {
		return true
	}
	return r.within(f.name)
}

// member reads the value of a field. One that says nothing leaves its place alone.
func (r *reader) member(f *field) bool {
	if r.empty() {
		return true
	}
	switch {
	case f.value != nil:
		return f.value(r)
	case f.text != nil:
		_, b, ok := r.trimmed()
		*f.text = string(b)
		return ok
	case f.secret != nil:
		_, b, ok := r.trimmed()
		*f.secret = sensitive.New(string(b))
		return ok
	case f.integer != nil:
		return r.integer(f.integer)
	case f.fen != nil:
		return r.fen(f.fen)
	case f.older != nil:
		return r.olderFen(f.older)
	case f.yuan != nil:
		return r.yuan(f.yuan)
	case f.flag != nil:
		return r.boolean(f.flag)
	}
	return r.object(f.object, nil)
}

// boolean reads true or false.
func (r *reader) boolean(v *bool) bool {
	switch rest := r.b[r.pos:]; {
	case len(rest) >= 4 && string(rest[:4]) == "true":
		*v, r.pos = true, r.pos+4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		*v, r.pos = false, r.pos+5
	default:
		return r.fail(r.pos, r.found(), "true or false")
	}
	return true
}

// list reads a list and calls each at every element.
func (r *reader) list(each func() bool) bool {
	if !r.peek('[') {
		return r.fail(r.pos, r.found(), "a list")
	}
	i := 0
	return r.skipAll(']', func() bool {
		r.space()
		from, before := r.pos, r.trace.count()
		r.trace.enter("[" + strconv.Itoa(i) + "]")
		if !each() {
			return r.within("[" + strconv.Itoa(i) + "]")
		}
		r.saw(nil, from, before)
		i++
		return true
	})
}

// embedded reads a value that may also stand as JSON text inside a string.
func (r *reader) embedded(read func(*reader) bool) bool {
	if !r.peek('"') {
		return read(r)
	}
	at := r.pos
	b, ok := r.quoted("a string")
	if !ok {
		return false
	}
	if len(trim(b)) == 0 {
		return true
	}
	inner := reader{b: b, inside: at, trace: r.trace}
	if read(&inner) && inner.end() {
		return true
	}
	r.fail(at, inner.err.Got, inner.err.Want)
	r.err.Field = inner.err.Field
	return false
}

// fill puts what into does not have and from has into it: the members of these names,
// or all if none is named. Both come from one function that lists the fields of a
// struct, so that they stand in the same order.
func fill(into, from []field, names ...string) {
	for i := range into {
		to, have := &into[i], &from[i]
		switch {
		case len(names) > 0 && !slices.Contains(names, to.name):
		case to.text != nil && *to.text == "":
			*to.text = *have.text
		case to.secret != nil && to.secret.Empty():
			*to.secret = *have.secret
		case to.yuan != nil && !to.yuan.Given:
			*to.yuan = *have.yuan
		}
	}
}
