package refund

import (
	"strconv"
	"unicode/utf8"
)

// appendText appends a member that holds a string, key given as `,"name":`;
// nothing if it is empty.
func appendText(dst []byte, key, v string) []byte {
	if v == "" {
		return dst
	}
	return appendString(append(dst, key...), v)
}

// appendInt appends a member that holds a number.
func appendInt(dst []byte, key string, v int64) []byte {
	return strconv.AppendInt(append(dst, key...), v, 10)
}

// appendTexts appends a member that holds a list of strings; nothing if it is empty.
func appendTexts(dst []byte, key string, v []string) []byte {
	if len(v) == 0 {
		return dst
	}
	return appendStrings(append(dst, key...), v)
}

// appendStrings appends a JSON list of strings.
func appendStrings(dst []byte, v []string) []byte {
	dst = append(dst, '[')
	for i, s := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendString appends a JSON string. Characters stand for themselves where JSON
// allows; a byte that is no UTF-8 becomes U+FFFD.
func appendString(dst []byte, v string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(v); {
		c := v[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(v[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, v[from:i]...)
		dst = appendEscape(dst, c)
		i++
		from = i
	}
	return append(append(dst, v[from:]...), '"')
}

// appendEscape appends what stands for a byte that may not stand for itself.
func appendEscape(dst []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if c >= utf8.RuneSelf {
		return append(dst, "\uFFFD"...)
	}
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// closeObject ends an object whose members were all appended with a comma before
// them, the opening brace standing at dst[at].
func closeObject(dst []byte, at int) []byte {
	if len(dst) > at+1 {
		copy(dst[at+1:], dst[at+2:])
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}
