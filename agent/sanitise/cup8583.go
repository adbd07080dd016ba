package sanitise

import (
	"bytes"

	"yuanlu/protocol/cup8583"
)

// cupRedactor redacts messages of wire cup8583, field by field.
type cupRedactor struct {
	names  *pseudonyms
	layout *cup8583.Layout
}

func (r cupRedactor) redact(data []byte) {
	fill(r.layout.Walk(data, r.value), unreadable)
}

// unreadable stands where reading cannot go on: it is no length, tag or end.
const unreadable = 0xFF

// value redacts one field. One that is not named here is blank.
func (r cupRedactor) value(f cup8583.Value) {
	value, size := f.Bytes, f.Count
	packed := f.Form == cup8583.Digits || f.Form == cup8583.Track
	// digits lets change work on a packed value without its filling nibble.
	digits := func(change func([]byte)) {
		r.names.packed(value, func(text []byte) {
			if f.Right {
				change(text[len(text)-size:])
			} else {
				change(text[:size])
			}
		})
	}
	switch f.Number {
	case 2:
		if !packed {
			r.names.text(trimmed(value))
			return
		}
		digits(r.names.text)
	case 35:
		switch {
		case packed:
			digits(r.track)
		case f.Binary:
			fill(value, 0)
		default:
			r.track(value)
		}
	case 3, 4, 11, 12, 13, 15, 22, 23, 25, 26, 32, 37, 38, 39, 41, 42, 49, 53, 63:
		if !packed {
			r.names.guard(value)
			return
		}
		digits(r.names.guard)
	case 48: // 62 digits are the sums of a settlement
		if size != 62 && packed {
			digits(blank)
		} else if !packed && (size != 62 || !digitsOnly(value)) {
			fill(value, ' ')
		}
	case 60, 61:
		if packed {
			digits(func(text []byte) { blank(text[min(longestNumbers, len(text)):]) })
			return
		}
		r.numbers(value)
	case 55:
		r.chip(value)
	case 59:
		r.subfields(value)
	default:
		if packed {
			digits(blank)
			return
		}
		fill(value, '0')
	}
}

// blank makes every digit a 0, and leaves what is none.
func blank(text []byte) {
	for i, c := range text {
		if c >= '0' && c <= '9' {
			text[i] = '0'
		}
	}
}

// longestNumbers is how many digits of F60 and F61 are kept: type, batch, STAN and date,
// of which nothing longer is read.
const longestNumbers = 24

// numbers redacts F60 or F61 in text: digits stay where they can be type, batch, STAN or
// date, unless they make a card number.
func (r cupRedactor) numbers(value []byte) {
	r.names.guard(value)
	fill(value[min(longestNumbers, len(value)):], ' ')
	for i, c := range value {
		if c < '0' || c > '9' {
			value[i] = ' '
		}
	}
}

// account replaces a number that filling nibbles may follow.
func (r cupRedactor) account(text []byte) { r.names.text(bytes.TrimRight(text, "F")) }

// track replaces the number before the separator and blanks what is behind it.
func (r cupRedactor) track(text []byte) {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	r.names.text(text[:end])
	for i := end; i < len(text); i++ {
		if text[i] >= '0' && text[i] <= '9' {
			text[i] = '0'
		}
	}
}

// chip redacts F55, tag by tag. Tags that are not named here are blank.
func (r cupRedactor) chip(value []byte) {
	rest := cup8583.WalkTags(value, func(tag uint32, v []byte) {
		switch tag {
		case 0x5A:
			r.names.packed(v, r.account)
		case 0x9F24:
			r.names.text(trimmed(v))
		case 0x82, 0x84, 0x95, 0x9A, 0x9C, 0x5F2A, 0x5F34, 0x9F02, 0x9F03, 0x9F09, 0x9F10, 0x9F19, 0x9F1A, 0x9F1E, 0x9F26, 0x9F27,
			0x9F33, 0x9F34, 0x9F35, 0x9F36, 0x9F37, 0x9F41, 0x9F63, 0x9F6E:
		default:
			fill(v, 0)
		}
	})
	fill(rest, unreadable)
}

// subfields redacts F59: only the voucher number of a QR payment (A4) is kept, with which
// no one can pay. What cannot be read is blank.
func (r cupRedactor) subfields(value []byte) {
	rest := cup8583.WalkSubFields(value, func(tag string, v []byte) {
		if tag == "A4" {
			r.names.guard(v)
		} else {
			r.names.text(v)
		}
	})
	fill(rest, ' ') // no sub-field begins with it
}
