// Package printable writes text of others for people: characters that move a cursor,
// turn text round, or are not seen at all stand there as escapes, so that two names
// that look equal are equal.
package printable

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// Shown reports whether a character is shown as it is. Not shown are controls, line and
// paragraph separators, all of category Cf (bidi controls, soft hyphen, zero width, BOM,
// tags), what else Unicode calls Default_Ignorable_Code_Point (variation selectors,
// Hangul fillers, combining grapheme joiner, and code points kept for such), blanks that
// look like a space and are none, surrogates, private use, and what is no character.
func Shown(r rune) bool {
	switch {
	case r < 0x7f:
		return r >= ' '
	case r == utf8.RuneError, r == '\u2800': // Braille without a dot
		return false
	case r == '\u3000': // the blank of Chinese text, twice as wide
		return true
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Variation_Selector, r):
		return false
	}
	return unicode.IsPrint(r)
}

// Text returns the text with escapes, in Go's way, for what is not shown: \u00ad,
// \x1b, \n, \U000e0041; \xff for a byte that is no UTF-8. Text without any comes back
// as it is.
func Text(text string) string {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !Shown(r) {
			return string(escape(append(make([]byte, 0, 2*len(text)), text[:i]...), []byte(text[i:]), false))
		}
		i += n
	}
	return text
}

// escape appends text to dst with escapes. lines: line feeds, tabs and colours stay.
func escape(dst, text []byte, lines bool) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case Shown(r), lines && (r == '\n' || r == '\t'):
			dst = append(dst, text[:n]...)
		case lines && r == '\x1b' && colour(text) > 0:
			n = colour(text)
			dst = append(dst, text[:n]...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == utf8.RuneError && n == 1, r < utf8.RuneSelf:
			dst = fmt.Appendf(dst, `\x%02x`, text[0])
		case r > 0xffff:
			dst = fmt.Appendf(dst, `\U%08x`, r)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		text = text[n:]
	}
	return dst
}

// colour is the length of the sequence that sets or ends a colour at the beginning of
// text, 0 if there is none.
func colour(text []byte) int {
	if len(text) < 3 || text[1] != '[' {
		return 0
	}
	for i := 2; i < len(text) && i < 8; i++ {
		switch c := text[i]; {
		case c == 'm':
			return i + 1
		case (c < '0' || c > '9') && c != ';':
			return 0
		}
	}
	return 0
}

// A Writer writes for people: escapes as Text, but line feeds, tabs and colours stay. A
// character may not be split over two writes.
type Writer struct {
	out io.Writer
	raw func() bool
}

// NewWriter makes a Writer to out. While raw returns true, all is written as it is; nil:
// never.
func NewWriter(out io.Writer, raw func() bool) *Writer { return &Writer{out, raw} }

// Unwrap returns what it writes to.
func (w *Writer) Unwrap() io.Writer { return w.out }

// Write writes p; n counts bytes of p.
func (w *Writer) Write(p []byte) (n int, err error) {
	if w.raw != nil && w.raw() {
		return w.out.Write(p)
	}
	if _, err := w.out.Write(escape(make([]byte, 0, len(p)), p, true)); err != nil {
		return 0, err
	}
	return len(p), nil
}
