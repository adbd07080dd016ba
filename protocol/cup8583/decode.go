package cup8583

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"yuanlu/protocol/explain"
	"yuanlu/protocol/sensitive"
)

// MaxMessage is the greatest number of bytes a message has: its frame states its
// length in four decimal digits.
const MaxMessage = 9999

// Decode reads data into m, replacing what was in m. Every error is a *DecodeError,
// after which m holds nothing. m does not refer to data.
func (l *Layout) Decode(m *Message, data []byte) error {
	m.reset()
	d := decoder{layout: l, message: m, data: data}
	if err := d.run(); err != nil {
		m.reset()
		return err
	}
	return nil
}

type decoder struct {
	layout  *Layout
	message *Message
	data    []byte
	at      int
	seen    *[]explain.Field // nil: not asked for
}

func (d *decoder) fail(field string, at int, got, want string) error {
	return &DecodeError{Field: field, Offset: at, Got: got, Want: want}
}

func (d *decoder) run() error {
	if len(d.data) > MaxMessage {
		return d.fail(whole, 0, plural(len(d.data), "byte"), "at most "+strconv.Itoa(MaxMessage))
	}
	if err := d.envelope(); err != nil {
		return err
	}
	if err := d.fields(); err != nil {
		return err
	}
	if rest := len(d.data) - d.at; rest > 0 {
		return d.fail(whole, d.at, plural(rest, "byte")+" left over", "the end")
	}
	d.message.encryptedTrack()
	return nil
}

// envelope reads all that stands before the fields.
func (d *decoder) envelope() error {
	m, o := d.message, &d.layout.opt
	d.at = o.tcpLength(d.data)
	m.tcpLength = d.at > 0
	need := o.TPDU + o.Head + mtiSize + bitmapSize
	if rest := len(d.data) - d.at; rest < need {
		return d.fail(whole, d.at, plural(rest, "byte"), "TPDU, HEAD, type and bitmap, "+plural(need, "byte"))
	}
	m.tpdu = append(m.tpdu[:0], d.data[d.at:d.at+o.TPDU]...)
	d.at += o.TPDU
	m.head = append(m.head[:0], d.data[d.at:d.at+o.Head]...)
	d.at += o.Head
	raw := d.data[d.at : d.at+mtiSize]
	if i := badNibble(raw, 2*mtiSize); i >= 0 {
		return d.fail("MTI", d.at, "no digit at place "+strconv.Itoa(i), "4 digits")
	}
	m.mti = digitsOf(raw, 0, 2*mtiSize)
	d.at += mtiSize
	d.sawEnvelope(d.at - mtiSize - o.Head - o.TPDU)
	return nil
}

// tcpLength returns the number of bytes that state the length of data for TCP.
func (o *Options) tcpLength(data []byte) int {
	if o.TCPLength && len(data) >= 2 && int(binary.BigEndian.Uint16(data)) == len(data)-2 {
		return 2
	}
	return 0
}

// fields reads the bitmap and every field it claims.
func (d *decoder) fields() error {
	at := d.at
	claimed := bitmap(binary.BigEndian.Uint64(d.data[at:]))
	if claimed.has(1) {
		return d.fail("bitmap", at, "bit 1 set", "64 fields")
	}
	d.at += bitmapSize
	d.sawBitmap(at, claimed)
	for n := 2; n < fieldsEnd; n++ {
		if !claimed.has(n) {
			continue
		}
		if err := d.field(n); err != nil {
			return err
		}
	}
	return nil
}

// field reads the field that begins at d.at.
func (d *decoder) field(n int) error {
	from, end, size, err := d.bounds(n)
	if err != nil {
		return err
	}
	f := &d.layout.fields[n]
	raw := d.data[from:end:end]
	if at, got, want := f.check(raw, size); want != "" {
		return d.fail(f.name, from+at, got, want)
	}
	head := d.at
	d.at = end
	switch n {
	case 35:
		d.message.track = f.trackPAN(raw, size)
	case 55:
		d.sawField(n, head, size, raw)
		return d.chip(from, raw)
	}
	if !dropped(n) {
		d.message.put(n, f.value(raw, size))
	}
	d.sawField(n, head, size, raw)
	return nil
}

// bounds returns where the value of the field that begins at d.at lies, and its digits,
// nibbles or bytes. end is 0 where the value has none in the data; with an error it is
// not where the length is only greater than the format has it.
func (d *decoder) bounds(n int) (from, end, size int, err error) {
	f := &d.layout.fields[n]
	if f.Form == FormUnknown {
		return 0, 0, 0, d.fail(fieldName(n), d.at, "a field of unknown format", "one that the layout has")
	}
	if size, err = d.size(f); err != nil {
		return 0, 0, 0, err
	}
	if size > f.Size {
		err = d.fail(f.name, d.at, "a greater length", "at most "+strconv.Itoa(f.Size))
	}
	from, rest := d.at+f.head, len(d.data)-d.at-f.head
	need := f.bytes(size)
	switch {
	case need <= rest:
		return from, from + need, size, err
	case err != nil:
	case f.Prefix == Fixed:
		err = d.fail(f.name, d.at, plural(rest, "byte"), plural(need, "byte"))
	default:
		err = d.fail(f.name, d.at, "a length past the end", "at most the "+plural(rest, "byte")+" that follow")
	}
	return 0, 0, 0, err
}

// size reads the length of a field.
func (d *decoder) size(f *fieldCodec) (int, error) {
	if f.Prefix == Fixed {
		return f.Size, nil
	}
	if rest := len(d.data) - d.at; rest < f.head {
		return 0, d.fail(f.name, d.at, plural(rest, "byte"), "a length of "+plural(f.head, "byte"))
	}
	raw := d.data[d.at : d.at+f.head]
	if !f.binaryLength {
		if i := badNibble(raw, 2*f.head); i >= 0 {
			return 0, d.fail(f.name, d.at, "a length with no digit at place "+strconv.Itoa(i), "digits")
		}
	}
	base := 100
	if f.binaryLength {
		base = 256
	}
	n := 0
	for _, c := range raw {
		if base == 100 {
			c = c>>4*10 + c&15
		}
		n = n*base + int(c)
	}
	return n, nil
}

// check returns what is wrong with a value and at which byte of it; want is "" if nothing.
func (f *fieldCodec) check(raw []byte, size int) (at int, got, want string) {
	switch f.Form {
	case Digits:
		return f.checkDigits(raw, size)
	case Track:
		if fill := 2*len(raw) - 1; size%2 == 1 && nibble(raw, fill) != 0 && nibble(raw, fill) != 0xF {
			return fill / 2, "a filling nibble that is neither 0 nor F", "0 or F"
		}
	case Text:
		if i := bytes.IndexFunc(raw, func(c rune) bool { return c < 0x20 || c > 0x7E }); i >= 0 {
			return i, "no printable character at place " + strconv.Itoa(i), plural(size, "printable character")
		}
	}
	if f.number {
		if i := bytes.IndexFunc(bytes.TrimRight(raw, " "), func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
			return i, "no digit at place " + strconv.Itoa(i), plural(size, "digit")
		}
	}
	return 0, "", ""
}

// checkDigits is check for digits that are two to a byte.
func (f *fieldCodec) checkDigits(raw []byte, size int) (at int, got, want string) {
	first, fill := 0, 2*len(raw)-1
	if f.Right {
		first, fill = size%2, 0
	}
	if size%2 == 1 && nibble(raw, fill) != 0 {
		return fill / 2, "a filling nibble that is not 0", "0"
	}
	for i := first; i < first+size; i++ {
		if nibble(raw, i) > 9 {
			return i / 2, "no digit at place " + strconv.Itoa(i-first), plural(size, "digit")
		}
	}
	return 0, "", ""
}

// value reads a value that check found nothing wrong with.
func (f *fieldCodec) value(raw []byte, size int) string {
	if f.Form != Digits {
		return string(raw)
	}
	first := 0
	if f.Right {
		first = size % 2
	}
	return digitsOf(raw, first, size)
}

// digitsOf returns n nibbles from the first on, which are digits.
func digitsOf(raw []byte, first, n int) string {
	var short [64]byte
	out := short[:0]
	for i := first; i < first+n; i++ {
		out = append(out, '0'+nibble(raw, i))
	}
	return string(out)
}

func nibble(b []byte, i int) byte {
	if i%2 == 0 {
		return b[i/2] >> 4
	}
	return b[i/2] & 15
}

// badNibble returns the first of n nibbles that is no digit, -1 if all are.
func badNibble(b []byte, n int) int {
	for i := range n {
		if nibble(b, i) > 9 {
			return i
		}
	}
	return -1
}

// trackPAN returns the card number of track 2: the digits before the first separator, D
// among nibbles, = or D in text. It is empty where there is no separator, or anything
// else than 1 to 19 digits before it, and where the profile calls the track binary.
func (f *fieldCodec) trackPAN(raw []byte, size int) sensitive.Text {
	if f.Binary {
		return sensitive.Text{}
	}
	digits := make([]byte, 0, maxPAN)
	for i := range size {
		var d byte
		switch {
		case f.Form == Track:
			d = nibble(raw, i)
		case raw[i] == '=' || raw[i] == 'D':
			d = 0xD
		default:
			d = raw[i] - '0' // no digit: more than 9
		}
		switch {
		case d == 0xD:
			return sensitive.New(string(digits))
		case d > 9 || len(digits) == maxPAN:
			return sensitive.Text{}
		}
		digits = append(digits, '0'+d)
	}
	return sensitive.Text{}
}

const maxPAN = 19
