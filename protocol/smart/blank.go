package smart

import (
	"bytes"

	"yuanlu/protocol/strictjson"
)

// AppendWithoutEmpty appends the body in the same length, with every member that is
// null or "" renamed to spaces: for a reader that skips members it does not know,
// they are absent, and what is wrong elsewhere is wrong at the same place.
func (m *Message) AppendWithoutEmpty(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, m.Body()...)
	body := dst[start:]
	if bytes.Contains(body, []byte(`""`)) || bytes.Contains(body, []byte("nu")) { // perhaps null
		r := newReader(body, 0, nil)
		r.blank(body)
	}
	return dst
}

// blank renames the members of the value at the present place of body, and of all in it.
// The text is known to be JSON.
func (r *reader) blank(body []byte) bool {
	switch r.Kind() {
	case '{':
		_, ok := r.Object(nil, func(m strictjson.Member) bool {
			if !r.Empty() {
				return r.blank(body)
			}
			for i := m.At + 1; i < m.End-1; i++ {
				body[i] = ' '
			}
			return true
		})
		return ok
	case '[':
		return r.List(func(int) bool { return r.blank(body) })
	}
	return r.Skip()
}

// Flag looks for a member of the body that is true or false. given is false if there
// is none, or it is neither.
func (m *Message) Flag(name string) (value, given bool) {
	_ = m.read([]field{{name: name, value: func(r *reader) bool {
		if r.Peek('t') || r.Peek('f') {
			given = true
			return r.Bool(&value)
		}
		return r.Skip()
	}}}, nil)
	return value, given
}
