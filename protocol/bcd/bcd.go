// Package bcd packs decimal digits two to a byte and back, and refuses what is
// not a digit.
//
//	even        1 2 | 3 4            "1234"
//	FillRight   1 2 | 3 F            "123"   (F2, F22, F32, F35, F48, F60, F61)
//	FillLeft    F 1 | 2 3            "123"   (F23, lengths)
//
// F is the filling nibble, 0 unless the caller says otherwise. Errors give the
// place of the bad nibble, never its value or its neighbours.
package bcd

import (
	"errors"
	"fmt"
)

// Classes of errors, for errors.Is.
var (
	// ErrDigit: a nibble is A–F, or a character is not 0–9.
	ErrDigit = errors.New("bcd: not a digit")
	// ErrFill: the filling nibble is not one of those allowed.
	ErrFill = errors.New("bcd: wrong filling nibble")
	// ErrSize: the bytes do not hold that many digits, or a number is too large.
	ErrSize = errors.New("bcd: wrong size")
)

// Error says where packed digits went wrong. It holds no digit.
type Error struct {
	Class  error // ErrDigit, ErrFill or ErrSize
	Offset int   // nibble (unpacking) or character (packing), from 0
	Want   string
}

// Error returns place and expectation.
func (e *Error) Error() string { return fmt.Sprintf("%v at %d, want %s", e.Class, e.Offset, e.Want) }

// Unwrap returns the class.
func (e *Error) Unwrap() error { return e.Class }

// Fill says on which side the filling nibble of an odd number of digits stands.
type Fill uint8

// The two sides. The zero Fill is no side and is refused for an odd count.
const (
	FillRight Fill = iota + 1 // digits left-justified
	FillLeft                  // digits right-justified
)

// Size is the number of bytes that n digits take.
func Size(n int) int { return (n + 1) / 2 }

// AppendDigits appends the digits of b, two to a byte. Nibbles A–F: ErrDigit;
// dst is then returned as it was.
func AppendDigits(dst, b []byte) ([]byte, error) {
	n := len(dst)
	for i, c := range b {
		hi, lo := c>>4, c&15
		if hi > 9 {
			return dst[:n], &Error{ErrDigit, 2 * i, "0-9"}
		}
		if lo > 9 {
			return dst[:n], &Error{ErrDigit, 2*i + 1, "0-9"}
		}
		dst = append(dst, '0'+hi, '0'+lo)
	}
	return dst, nil
}

// Decode returns the n digits in b, which must be exactly Size(n) bytes. Where n
// is odd, side says where the filling nibble stands, and it must be one of
// fills (none given: 0). Errors: ErrSize, ErrDigit, ErrFill.
func Decode(b []byte, n int, side Fill, fills ...byte) (string, error) {
	if n < 0 || len(b) != Size(n) {
		return "", &Error{ErrSize, 0, fmt.Sprintf("%d bytes for %d digits", Size(n), n)}
	}
	if n == 0 {
		return "", nil
	}
	skip := 0
	if n%2 == 1 {
		at, fill := 2*len(b)-1, b[len(b)-1]&15
		switch side {
		case FillRight:
		case FillLeft:
			at, fill, skip = 0, b[0]>>4, 1
		default:
			return "", &Error{ErrSize, 0, "an even number of digits"}
		}
		if !allowed(fill, fills) {
			return "", &Error{ErrFill, at, "a filling nibble"}
		}
	}
	out := make([]byte, 0, n)
	for i := skip; i < skip+n; i++ {
		d := nibble(b, i)
		if d > 9 {
			return "", &Error{ErrDigit, i, "0-9"}
		}
		out = append(out, '0'+d)
	}
	return string(out), nil
}

func allowed(fill byte, fills []byte) bool {
	if len(fills) == 0 {
		return fill == 0
	}
	for _, f := range fills {
		if f == fill {
			return true
		}
	}
	return false
}

func nibble(b []byte, i int) byte {
	if i%2 == 0 {
		return b[i/2] >> 4
	}
	return b[i/2] & 15
}

// Append packs digits behind dst. Where their number is odd, a filling nibble
// (0–15) stands on the given side. ErrDigit: a character is not 0–9; dst is then
// returned as it was.
func Append(dst []byte, digits string, side Fill, fill byte) ([]byte, error) {
	n := len(dst)
	odd := len(digits)%2 == 1
	if odd && side != FillRight && side != FillLeft {
		return dst, &Error{ErrSize, len(digits), "an even number of digits"}
	}
	var half byte
	have := false
	if odd && side == FillLeft {
		half, have = fill&15, true
	}
	for i := 0; i < len(digits); i++ {
		d := digits[i] - '0'
		if d > 9 {
			return dst[:n], &Error{ErrDigit, i, "0-9"}
		}
		if have {
			dst = append(dst, half<<4|d)
		} else {
			half = d
		}
		have = !have
	}
	if have {
		dst = append(dst, half<<4|fill&15)
	}
	return dst, nil
}

// Uint reads all of b as one decimal number. At most 9 bytes (18 digits):
// ErrSize; ErrDigit as AppendDigits.
func Uint(b []byte) (int64, error) {
	if len(b) > 9 {
		return 0, &Error{ErrSize, 0, "at most 18 digits"}
	}
	var n int64
	for i := 0; i < 2*len(b); i++ {
		d := nibble(b, i)
		if d > 9 {
			return 0, &Error{ErrDigit, i, "0-9"}
		}
		n = 10*n + int64(d)
	}
	return n, nil
}

// AppendUint packs n as size bytes (2·size digits, zeros in front). ErrSize: n
// is negative or has more digits.
func AppendUint(dst []byte, n int64, size int) ([]byte, error) {
	if size < 0 || size > 9 || n < 0 {
		return dst, &Error{ErrSize, 0, "0 or more, at most 18 digits"}
	}
	at := len(dst)
	dst = append(dst, make([]byte, size)...)
	for i := len(dst) - 1; i >= at; i-- {
		two := byte(n % 100)
		dst[i] = two/10<<4 | two%10
		n /= 100
	}
	if n > 0 {
		return dst[:at], &Error{ErrSize, 0, fmt.Sprintf("at most %d digits", 2*size)}
	}
	return dst, nil
}
