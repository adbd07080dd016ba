package smart

// AppendWithoutEmpty appends the body in the same length, with every member that is
// null or "" renamed to spaces: for a reader that skips members it does not know,
// they are absent, and what is wrong elsewhere is wrong at the same place.
func (m *Message) AppendWithoutEmpty(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, m.Body()...)
	r := reader{b: dst[start:], inside: -1}
	if r.hasEmpty() {
		r.blank()
	}
	return dst
}

// hasEmpty reports whether the text may hold null or "".
func (r *reader) hasEmpty() bool {
	for i := 0; i+1 < len(r.b); i++ {
		if r.b[i] == '"' && r.b[i+1] == '"' || r.b[i] == 'n' && r.b[i+1] == 'u' {
			return true
		}
	}
	return false
}

// blank renames the members of the value at the present place, and of all in it. The
// text is known to be JSON.
func (r *reader) blank() bool {
	switch {
	case r.peek('{'):
		return r.skipAll('}', func() bool {
			r.space()
			from := r.pos + 1
			_, ok := r.quoted("the name of a member")
			to := r.pos - 1
			if !ok || !r.next(':', "':'") {
				return false
			}
			if !r.empty() {
				return r.blank()
			}
			for i := from; i < to; i++ {
				r.b[i] = ' '
			}
			return true
		})
	case r.peek('['):
		return r.skipAll(']', r.blank)
	}
	return r.skip(0)
}

// Flag looks for a member of the body that is true or false. given is false if there
// is none, or it is neither.
func (m *Message) Flag(name string) (value, given bool) {
	_ = m.read([]field{{name: name, value: func(r *reader) bool {
		if r.peek('t') || r.peek('f') {
			given = true
			return r.boolean(&value)
		}
		return r.skip(0)
	}}}, nil)
	return value, given
}
