package smart

import (
	"slices"

	"yuanlu/protocol/sensitive"
	"yuanlu/protocol/strictjson"
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

// form is the form of DATA and of JSON text inside one of its strings.
var form = strictjson.Form{End: "the end of the text", Twice: "it a second time", Depth: 1024}

// reader reads one JSON text.
type reader struct {
	strictjson.Reader
	// inside is the offset in DATA of the string that the text was unescaped from; -1:
	// the text is DATA itself.
	inside int
	trace  *trace // nil: not asked for
}

// newReader returns a reader of DATA that stands at the offset from.
func newReader(data []byte, from int, t *trace) reader {
	return reader{Reader: strictjson.New(data, from, &form), inside: -1, trace: t}
}

// end reads the white space behind the text.
func (r *reader) end() bool { return r.End("nothing behind the object") }

// failed returns the error as one about DATA.
func (r *reader) failed() error {
	e := r.Err()
	return &DecodeError{Field: e.Path, Offset: e.Offset, Got: e.Got, Want: e.Want}
}

// object reads an object. Members that fields do not name go to other, if there is
// one and it takes them, else they are skipped.
func (r *reader) object(fields []field, other func(name []byte) *field) bool {
	_, ok := r.Object(func(name []byte) int { return indexOf(fields, name) }, func(m strictjson.Member) bool {
		from, before := r.Pos(), r.trace.count()
		r.trace.enter(m.Name)
		var f *field
		switch {
		case m.Index >= 0:
			f = &fields[m.Index]
		case other != nil:
			f = other(m.Name)
		}
		if !r.member(f) {
			return false
		}
		r.saw(f, from, before)
		return true
	})
	return ok
}

func indexOf(fields []field, name []byte) int {
	for i := range fields {
		if fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

// saw notes the value from … to the present place, if a trace is kept.
func (r *reader) saw(f *field, from, before int) {
	if r.trace == nil {
		return
	}
	at := from
	if r.inside >= 0 {
		at = r.inside
	}
	r.trace.leave(f, at, r.Raw(from), before)
}

// member reads the value of a member into its field; nil: it is skipped.
func (r *reader) member(f *field) bool {
	switch {
	case f == nil:
		return r.Skip()
	case f.twice:
		r.Fail(r.Pos(), form.Twice, "each member once")
	case r.value(f):
		return true
	}
	return r.Within(f.name)
}

// value reads the value of a field. An empty one leaves its place as it is.
func (r *reader) value(f *field) bool {
	if r.Empty() {
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
		return r.Bool(f.flag)
	}
	return r.object(f.object, nil)
}

// list reads a list and calls each at every element.
func (r *reader) list(each func() bool) bool {
	return r.List(func(i int) bool {
		from, before := r.Pos(), r.trace.count()
		r.trace.enterElement(i)
		if !each() {
			return false
		}
		r.saw(nil, from, before)
		return true
	})
}

// embedded reads a value that may also stand as JSON text inside a string.
func (r *reader) embedded(read func(*reader) bool) bool {
	if !r.Peek('"') {
		return read(r)
	}
	at := r.Pos()
	b, ok := r.Quoted("a string")
	if !ok {
		return false
	}
	if len(trim(b)) == 0 {
		return true
	}
	inner := reader{Reader: strictjson.New(b, 0, &form), inside: at, trace: r.trace}
	if read(&inner) && inner.end() {
		return true
	}
	e := inner.Err()
	r.Fail(at, e.Got, e.Want)
	return r.Within(e.Path)
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
