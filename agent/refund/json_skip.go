package refund

// skip reads over any value and checks that it is JSON.
func (d *reader) skip(depth int) bool {
	d.space()
	if depth > maxDepth {
		return d.fail(d.pos, "values nested too deep", "at most 1024 levels")
	}
	if d.pos >= len(d.b) {
		return d.fail(d.pos, d.found(), "a value")
	}
	switch c := d.b[d.pos]; {
	case c == '"':
		_, ok := d.quoted("a string")
		return ok
	case c == '[':
		return d.list(func(int) bool { return d.skip(depth + 1) })
	case c == '{':
		return d.skipObject(depth)
	case c == '-' || c >= '0' && c <= '9':
		return d.skipNumber()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(d.b)-d.pos >= len(word) && string(d.b[d.pos:d.pos+len(word)]) == word {
			d.pos += len(word)
			return true
		}
	}
	return d.fail(d.pos, d.found(), "a value")
}

// skipObject reads over an object whose members nobody knows.
func (d *reader) skipObject(depth int) bool {
	d.pos++
	if d.peek('}') {
		d.pos++
		return true
	}
	for {
		if _, ok := d.quoted("the name of a member"); !ok || !d.next(':', "':' after the name of a member") || !d.skip(depth+1) {
			return false
		}
		if d.peek(',') {
			d.pos++
			continue
		}
		return d.next('}', "',' or '}'")
	}
}

// skipNumber reads over a number as JSON knows it, fraction and exponent included.
func (d *reader) skipNumber() bool {
	at := d.pos
	if d.b[d.pos] == '-' {
		d.pos++
	}
	first := d.pos
	ok := d.digits() && (d.b[first] != '0' || d.pos == first+1)
	if ok && d.pos < len(d.b) && d.b[d.pos] == '.' {
		d.pos++
		ok = d.digits()
	}
	if ok && d.pos < len(d.b) && (d.b[d.pos] == 'e' || d.b[d.pos] == 'E') {
		if d.pos++; d.pos < len(d.b) && (d.b[d.pos] == '+' || d.b[d.pos] == '-') {
			d.pos++
		}
		ok = d.digits()
	}
	return ok || d.fail(at, "a number that JSON does not know", "a value")
}

// digits reads decimal digits; false if there is none.
func (d *reader) digits() bool {
	from := d.pos
	for d.pos < len(d.b) && d.b[d.pos] >= '0' && d.b[d.pos] <= '9' {
		d.pos++
	}
	return d.pos > from
}
