package topics

import "bytes"

// validJSON is json.Valid, bytes looked at once each: every message that leaves is
// checked, and json.Valid took more than half of that (a call for each byte). The
// text is known to be UTF-8. FuzzValidJSON holds it to json.Valid.
func validJSON(b []byte) bool {
	i, ok := scanValue(b, scanSpace(b, 0), 0)
	return ok && scanSpace(b, i) == len(b)
}

// deepest is how deep a text may nest; Check refuses far less (maxDepth).
const deepest = 10_000

func scanSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// scanValue returns the place behind the value at i.
func scanValue(b []byte, i, depth int) (int, bool) {
	if i >= len(b) || depth > deepest {
		return i, false
	}
	switch b[i] {
	case '{':
		return scanList(b, i, depth, '}', scanMember)
	case '[':
		return scanList(b, i, depth, ']', scanValue)
	case '"':
		return scanString(b, i)
	case 't':
		return scanWord(b, i, "true")
	case 'f':
		return scanWord(b, i, "false")
	case 'n':
		return scanWord(b, i, "null")
	}
	return scanNumber(b, i)
}

// scanList returns the place behind an object or an array.
func scanList(b []byte, i, depth int, end byte, item func(b []byte, i, depth int) (int, bool)) (int, bool) {
	if depth >= deepest {
		return i, false
	}
	i = scanSpace(b, i+1)
	if i < len(b) && b[i] == end {
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = item(b, i, depth+1); !ok {
			return i, false
		}
		if i = scanSpace(b, i); i >= len(b) || b[i] != ',' {
			return i + 1, i < len(b) && b[i] == end
		}
		i = scanSpace(b, i+1)
	}
}

func scanMember(b []byte, i, depth int) (int, bool) {
	if i >= len(b) || b[i] != '"' {
		return i, false
	}
	i, ok := scanString(b, i)
	if i = scanSpace(b, i); !ok || i >= len(b) || b[i] != ':' {
		return i, false
	}
	return scanValue(b, scanSpace(b, i+1), depth)
}

func scanWord(b []byte, i int, word string) (int, bool) {
	return i + len(word), bytes.HasPrefix(b[i:], []byte(word))
}

func scanString(b []byte, i int) (int, bool) {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c == '\\':
			if i++; i >= len(b) {
				return i, false
			}
			if b[i] == 'u' {
				if i+4 >= len(b) || !isHex(b[i+1]) || !isHex(b[i+2]) || !isHex(b[i+3]) || !isHex(b[i+4]) {
					return i, false
				}
				i += 4
			} else if bytes.IndexByte([]byte(`"\/bfnrt`), b[i]) < 0 {
				return i, false
			}
		}
	}
	return i, false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func scanDigits(b []byte, i int) (int, bool) {
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i, i > start
}

func scanNumber(b []byte, i int) (int, bool) {
	if b[i] == '-' {
		i++
	}
	var ok bool
	if i < len(b) && b[i] == '0' {
		i++
	} else if i, ok = scanDigits(b, i); !ok {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		if i, ok = scanDigits(b, i+1); !ok {
			return i, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i, true
}
