package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/mispos"
)

// misposRedactor redacts DATA of wire mispos: by the names that the profile gives
// to tags.
type misposRedactor struct {
	names *pseudonyms
	tags  map[uint16]string
}

func newMisposRedactor(p *misposProfile, names *pseudonyms) *misposRedactor {
	r := &misposRedactor{names, map[uint16]string{}}
	for name, text := range p.tags {
		if tag, err := strconv.ParseUint(text, 16, 16); err == nil {
			r.tags[uint16(tag)] = name
		}
	}
	return r
}

func (r *misposRedactor) redact(data []byte) {
	const head = 4
	for len(data) >= head {
		name, n := r.tags[binary.BigEndian.Uint16(data)], int(binary.BigEndian.Uint16(data[2:]))
		if n > len(data)-head {
			break // it lies: what follows may be anything
		}
		value := data[head : head+n]
		switch name {
		case "account":
			r.account(trimmed(value))
		case "", "host_message", "expiry":
			fill(value, '0')
		case "namespace": // an application's number may look like a card's
		default:
			r.names.guard(value)
		}
		data = data[head+n:]
	}
	fill(data, 0)
}

// account replaces an account before what fills it up. What was no ASCII stays so.
func (r *misposRedactor) account(value []byte) {
	value = value[:len(mispos.Unfilled(string(value)))]
	foreign := make([]bool, len(value))
	for i, c := range value {
		foreign[i] = c >= 0x80
	}
	r.names.text(value)
	for i := range value {
		if foreign[i] {
			value[i] = 0xB0
		}
	}
}

// trimmed returns a value without the spaces at its end, which are no part of it.
func trimmed(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// cupRedactor redacts messages of wire cup8583: it walks the fields by the formats of
// the profile.
type cupRedactor struct {
	names   *pseudonyms
	options cup8583.Options
	formats [65]cup8583.Format
}

func newCupRedactor(p *cupProfile, names *pseudonyms) (*cupRedactor, error) {
	r := &cupRedactor{names: names, options: cup8583.Options{TPDU: int(p.tpdu), Head: int(p.head), TCPLength: p.tcpLength,
		BinaryLengths: p.lengths == "binary"}}
	for name, text := range p.fields {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || n >= len(r.formats) {
			return nil, fmt.Errorf("%w: field %q", ErrProfile, name)
		}
		f, err := cup8583.ParseFormat(text)
		if err != nil {
			return nil, err
		}
		r.formats[n] = f
	}
	return r, nil
}

func (r *cupRedactor) redact(data []byte) {
	if r.options.TCPLength && len(data) >= 2 && int(binary.BigEndian.Uint16(data)) == len(data)-2 {
		data = data[2:]
	}
	const mti, bitmap = 2, 8
	head := r.options.TPDU + r.options.Head + mti + bitmap
	if len(data) < head {
		fill(data, 0)
		return
	}
	bits := binary.BigEndian.Uint64(data[head-bitmap:])
	data = data[head:]
	for n := 2; n <= 64; n++ {
		if bits>>(64-n)&1 == 0 {
			continue
		}
		value, size, rest, ok := r.field(n, data)
		if !ok {
			break // no format, or it ends early: what follows may be anything
		}
		r.value(n, value, size)
		data = rest
	}
	fill(data, unreadable)
}

// unreadable stands where reading cannot go on: it is no length, tag or end.
const unreadable = 0xFF

// field cuts the value of a field off; size counts its digits, nibbles or bytes.
func (r *cupRedactor) field(n int, data []byte) (value []byte, size int, rest []byte, ok bool) {
	f := r.formats[n]
	if f.Form == cup8583.FormUnknown {
		return nil, 0, nil, false
	}
	size = f.Size
	if f.Prefix != cup8583.Fixed {
		prefix := int(f.Prefix)
		if len(data) < prefix {
			return nil, 0, nil, false
		}
		size = 0
		for _, b := range data[:prefix] {
			if r.options.BinaryLengths {
				size = size<<8 | int(b)
				continue
			}
			if b>>4 > 9 || b&15 > 9 {
				return nil, 0, nil, false
			}
			size = size*100 + int(b>>4)*10 + int(b&15)
		}
		data = data[prefix:]
	}
	n = size
	if f.Form == cup8583.Digits || f.Form == cup8583.Track {
		n = (size + 1) / 2
	}
	if n > len(data) {
		return nil, 0, nil, false
	}
	return data[:n], size, data[n:], true
}

// value redacts one field. What is not named here is nobody's business.
func (r *cupRedactor) value(n int, value []byte, size int) {
	f := &r.formats[n]
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
	switch n {
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
func (r *cupRedactor) numbers(value []byte) {
	r.names.guard(value)
	fill(value[min(longestNumbers, len(value)):], ' ')
	for i, c := range value {
		if c < '0' || c > '9' {
			value[i] = ' '
		}
	}
}

// account replaces a number that filling nibbles may follow.
func (r *cupRedactor) account(text []byte) { r.names.text(bytes.TrimRight(text, "F")) }

// track replaces the number before the separator and blanks what is behind it.
func (r *cupRedactor) track(text []byte) {
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
func (r *cupRedactor) chip(value []byte) {
	for len(value) > 0 {
		tag, n := berTag(value)
		size, k := berLength(value[n:])
		if n == 0 || k == 0 || size > len(value)-n-k {
			break
		}
		v := value[n+k : n+k+size]
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
		value = value[n+k+size:]
	}
	fill(value, unreadable)
}

func berTag(b []byte) (tag uint32, n int) {
	for i, c := range b[:min(4, len(b))] {
		tag = tag<<8 | uint32(c)
		if i == 0 && c&0x1f != 0x1f || i > 0 && c&0x80 == 0 {
			return tag, i + 1
		}
	}
	return 0, 0
}

func berLength(b []byte) (size, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	if b[0] < 0x80 {
		return int(b[0]), 1
	}
	more := int(b[0] & 0x7f)
	if more < 1 || more > 2 || len(b) < 1+more {
		return 0, 0
	}
	for _, c := range b[1 : 1+more] {
		size = size<<8 | int(c)
	}
	return size, 1 + more
}

// subfields redacts F59: only the voucher number of a QR payment (A4) says something
// that nobody can pay with. What cannot be read is blank.
func (r *cupRedactor) subfields(value []byte) {
	const head = 5 // two characters, three digits
	for len(value) >= head {
		n, err := strconv.Atoi(string(value[2:head]))
		if err != nil || n < 0 || n > len(value)-head {
			break
		}
		v := value[head : head+n]
		if string(value[:2]) == "A4" {
			r.names.guard(v)
		} else {
			r.names.text(v)
		}
		value = value[head+n:]
	}
	fill(value, '0')
}
