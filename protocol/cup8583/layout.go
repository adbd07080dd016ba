package cup8583

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moov-io/iso8583/encoding"
)

// Form is what the bytes of a field are.
type Form uint8

// The forms.
const (
	FormUnknown Form = iota
	Digits           // two to a byte
	Track            // two nibbles to a byte, D separates; never kept
	Text             // printable ASCII
	Bytes            // anything
)

// Prefix is how a field states its length, counted in digits (Digits), nibbles (Track)
// or bytes.
type Prefix uint8

// The prefixes.
const (
	Fixed Prefix = iota // it has no prefix
	LL                  // one byte
	LLL                 // two bytes
)

// Format is the format of one field.
type Format struct {
	Form   Form
	Prefix Prefix
	Size   int  // digits, nibbles or bytes: exactly (Fixed) or at most
	Right  bool // an odd number of digits is right-justified: the filling nibble is the first
	Binary bool // of Bytes: its letter is b, so it is no text
}

// ParseFormat reads the notation that ISO 8583 tables use: a letter for the form
// (n digits, z track, an or ans text, b bytes), no, two or three dots for the prefix,
// and the size: "n6", "n..19", "z...104", "ans8", "b...255". Behind a space "right"
// sets how an odd number of digits is justified. Text with a prefix is Bytes: hosts
// put GBK there. Error: ErrLayout.
func ParseFormat(s string) (Format, error) {
	var f Format
	body, right := strings.CutSuffix(s, " right")
	kind := strings.TrimRight(body, "0123456789.")
	rest := body[len(kind):]
	digits := strings.TrimLeft(rest, ".")
	dots := len(rest) - len(digits)
	switch dots {
	case 2:
		f.Prefix = LL
	case 3:
		f.Prefix = LLL
	case 0:
	default:
		return Format{}, fmt.Errorf("%w: format %q has %d dots, want 0, 2 or 3", ErrLayout, s, dots)
	}
	switch kind {
	case "n":
		f.Form = Digits
	case "z":
		f.Form = Track
	case "an", "ans":
		if f.Form = Text; dots > 0 {
			f.Form = Bytes
		}
	case "b":
		f.Form, f.Binary = Bytes, true
	default:
		return Format{}, fmt.Errorf("%w: format %q, want n, z, an, ans or b, then dots and a size", ErrLayout, s)
	}
	n, err := strconv.Atoi(digits)
	if limit := f.Prefix.limit(); err != nil || n < 1 || n > limit {
		return Format{}, fmt.Errorf("%w: format %q has no size from 1 to %d", ErrLayout, s, limit)
	}
	if f.Size, f.Right = n, right; right && (f.Form != Digits || dots > 0 || n%2 == 0) {
		return Format{}, fmt.Errorf("%w: format %q, want \"right\" behind a fixed odd number of digits only", ErrLayout, s)
	}
	return f, nil
}

func (p Prefix) limit() int {
	if p == LL {
		return 99
	}
	return 999
}

// Options describe what stands around the fields.
type Options struct {
	TPDU, Head int // bytes, from 0
	// TCPLength: two bytes of length may stand before the message.
	TCPLength bool
	// BinaryLengths: prefixes are binary numbers, not BCD (a dialect of few hosts).
	BinaryLengths bool
}

const (
	fieldsEnd  = 65 // one behind the last field
	bitmapSize = 8
	mtiSize    = 2
)

// fieldCodec is a Format with what packs it.
type fieldCodec struct {
	Format
	number       bool // digits, though its bytes may be text
	name         string
	enc          encoding.Encoder
	head         int  // bytes of the prefix
	binaryLength bool // the prefix is a binary number, not BCD
}

// Layout describes a message. It does not change and may be shared.
type Layout struct {
	opt    Options
	fields [fieldsEnd]fieldCodec
}

// MaxEnvelope is the greatest number of bytes of TPDU and of HEAD.
const MaxEnvelope = 16

// NewLayout makes a layout of formats by field number (2 to 64). A field that this
// package reads must be something that can be read: digits or text (F2 … F4, F11 … F13,
// F22, F25, F37 … F39, F41, F42, F48, F49, F53, F60, F61; the sub-fields of F60 and F61
// are the same digits in either), a track as nibbles or text (F35), bytes or text (F55,
// F59). F2 has at most 19 digits, F4 12, F32 and F33 11, F35 37 and F36 104 characters.
// Error: ErrLayout.
func NewLayout(formats map[int]string, o Options) (*Layout, error) {
	if o.TPDU < 0 || o.TPDU > MaxEnvelope || o.Head < 0 || o.Head > MaxEnvelope {
		return nil, fmt.Errorf("%w: TPDU of %d and HEAD of %d bytes, want 0 to %d", ErrLayout, o.TPDU, o.Head, MaxEnvelope)
	}
	l := &Layout{opt: o}
	for n, text := range formats {
		if n < 2 || n >= fieldsEnd {
			return nil, fmt.Errorf("%w: field %d, want 2 to %d", ErrLayout, n, fieldsEnd-1)
		}
		f, err := ParseFormat(text)
		if err != nil {
			return nil, fmt.Errorf("field %d: %w", n, err)
		}
		if want := unreadable(n, &f); want != "" {
			return nil, fmt.Errorf("%w: field %d as %q, want %s", ErrLayout, n, text, want)
		}
		l.fields[n] = codecOf(f, fieldName(n), o.BinaryLengths)
		l.fields[n].number = isNumber(n)
	}
	return l, nil
}

// isNumber reports whether a field that this package reads holds digits and nothing
// else, whatever form they have. F48, F60 and F61 may hold other things too.
func isNumber(n int) bool {
	switch n {
	case 2, 3, 4, 11, 12, 13, 22, 25, 53:
		return true
	}
	return false
}

// unreadable returns what the format of a field must be instead; "" if it will do.
func unreadable(n int, f *Format) (want string) {
	letters := ""
	switch n {
	case 2, 3, 4, 11, 12, 13, 22, 25, 37, 38, 39, 41, 42, 48, 49, 53, 60, 61:
		if f.Form == Track || f.Binary {
			letters = "n, an or ans"
		}
	case 35, 36:
		if f.Form == Digits {
			letters = "z, an, ans or b"
		}
	case 55, 59:
		if f.Form == Digits || f.Form == Track {
			letters = "b, an or ans"
		}
	}
	if letters != "" {
		return letters
	}
	if most := largest(n); f.Size > most {
		return "at most " + strconv.Itoa(most)
	}
	return ""
}

// largest is the greatest size of a field: beyond it the value is none (wires.md,
// cup8583), or no amount.
func largest(n int) int {
	switch n {
	case 2:
		return maxPAN
	case 4:
		return 12
	case 32, 33:
		return 11
	case 35:
		return 37
	case 36:
		return 104
	}
	return LLL.limit()
}

func codecOf(f Format, name string, binary bool) fieldCodec {
	c := fieldCodec{Format: f, name: name, head: int(f.Prefix), binaryLength: binary}
	switch {
	case f.Form == Digits && f.Right:
		c.enc = encoding.BCD
	case f.Form == Digits:
		c.enc = encoding.LBCD
	case f.Form == Text:
		c.enc = encoding.ASCII
	default:
		c.enc = encoding.Binary
	}
	return c
}

// bytes returns the number of bytes that a value of n digits, nibbles or bytes takes.
func (f *Format) bytes(n int) int {
	if f.Form == Digits || f.Form == Track {
		return (n + 1) / 2
	}
	return n
}

// dropped reports whether a field is not kept.
func dropped(n int) bool { return n == 14 || n == 35 || n == 36 || n == 52 }
