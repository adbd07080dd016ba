package cup8583

import (
	"fmt"
	"strings"

	"yuanlu/protocol/sensitive"
)

// Tags of F55 that mean something here.
const (
	tagTrack2    = 0x57
	tagPAN       = 0x5A
	tagExpiry    = 0x5F24
	tagTrack2MSD = 0x9F6B
	tagPAR       = 0x9F24 // payment account reference
	tagRequestor = 0x9F19 // token requestor: the number is that of a device
	tagFormIndic = 0x9F6E // form factor: the same
)

// chipData is what a chip put into F55.
type chipData struct {
	pan, par sensitive.Text
	device   bool
}

// chip reads F55, whose value raw begins at from, and keeps all but the dropped tags.
func (d *decoder) chip(from int, raw []byte) error {
	kept := make([]byte, 0, len(raw))
	for at := 0; at < len(raw); {
		tag, n := readTag(raw[at:])
		if n == 0 {
			return d.fail("F55", from+at, "a tag that has no end", "a tag of 1 to 4 bytes")
		}
		size, k := readLength(raw[at+n:])
		if k == 0 {
			return d.fail(tagName(tag), from+at, "a length that cannot be read", "1 to 3 bytes of BER length")
		}
		begin := at + n + k
		if size > len(raw)-begin {
			return d.fail(tagName(tag), from+at, "a length past the end", "at most the "+plural(len(raw)-begin, "byte")+" that follow")
		}
		end := begin + size
		if err := d.tag(tag, from+begin, raw[begin:end]); err != nil {
			return err
		}
		d.sawTag(tag, from+at, raw[begin:end])
		if tag != tagTrack2 && tag != tagPAN && tag != tagExpiry && tag != tagTrack2MSD {
			kept = append(kept, raw[at:end]...)
		}
		at = end
	}
	d.message.put(55, string(kept))
	return nil
}

// tag takes what it needs of one tag.
func (d *decoder) tag(tag uint32, at int, value []byte) error {
	c := &d.message.chip
	switch tag {
	case tagPAN:
		pan, bad := chipPAN(value)
		if bad >= 0 {
			return d.fail(tagName(tag), at+bad/2, "no digit at place "+fmt.Sprint(bad), "at most 19 digits, then only F")
		}
		if c.pan.Empty() {
			c.pan = pan
		}
	case tagPAR:
		if c.par.Empty() {
			c.par = sensitive.New(strings.TrimRight(string(value), " "))
		}
	case tagRequestor, tagFormIndic:
		c.device = c.device || len(value) > 0
	}
	return nil
}

// tagName names a tag that this package knows. Another one may be anything: bytes of a
// message that is damaged before it.
func tagName(tag uint32) string {
	switch tag {
	case tagTrack2, tagPAN, tagExpiry, tagTrack2MSD, tagPAR, tagRequestor, tagFormIndic:
		return fmt.Sprintf("F55 tag %02X", tag)
	}
	return "F55"
}

// readTag returns a BER tag and its number of bytes, 0 if it has no end.
func readTag(b []byte) (tag uint32, n int) {
	for i, c := range b {
		tag = tag<<8 | uint32(c)
		if i == 0 && c&0x1F != 0x1F || i > 0 && c&0x80 == 0 {
			return tag, i + 1
		}
		if i == 3 {
			break
		}
	}
	return 0, 0
}

// readLength returns a definite BER length and its number of bytes, 0 if there is none.
func readLength(b []byte) (size, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	if b[0] < 0x80 {
		return int(b[0]), 1
	}
	k := int(b[0] & 0x7F)
	if k == 0 || k > 2 || len(b) < 1+k {
		return 0, 0
	}
	for _, c := range b[1 : 1+k] {
		size = size<<8 | int(c)
	}
	return size, 1 + k
}

// chipPAN reads the digits of tag 5A, filled with F on the right. bad is the place of
// a nibble that may not be there, -1 if there is none.
func chipPAN(value []byte) (pan sensitive.Text, bad int) {
	digits := make([]byte, 0, maxPAN)
	n := 2 * len(value)
	for n > 0 && nibble(value, n-1) == 0xF {
		n--
	}
	for i := range n {
		d := nibble(value, i)
		if d > 9 || len(digits) == maxPAN {
			return sensitive.Text{}, i
		}
		digits = append(digits, '0'+d)
	}
	return sensitive.New(string(digits)), -1
}
