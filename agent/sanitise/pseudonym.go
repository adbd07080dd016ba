package sanitise

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"unicode/utf8"

	"yuanlu/protocol/cardnumber"
	"yuanlu/protocol/mispos"
)

// pseudonyms replaces what may not be kept by something that looks alike: of the same
// length and the same kinds of characters, equal for equal values under one key, so
// that a sanitised capture still shows whether two sides are the same. Without the key
// the value cannot be found, and the key is forgotten with the capture.
type pseudonyms struct{ key []byte }

// Card numbers: their usual lengths, and what may be seen of one.
const (
	minPAN, maxPAN = 13, 19
	panLead        = 6
	panTail        = 4
	// seenOfText is what may be seen at each end of a long identifier.
	seenOfText, longText = 4, 20
)

// stream returns n bytes that cannot be found without the key.
func (p *pseudonyms) stream(value []byte, round byte, n int) []byte {
	var out []byte
	for block := byte(0); len(out) < n; block++ {
		h := hmac.New(sha256.New, p.key)
		_, _ = h.Write([]byte{round, block}) // a hash takes everything
		_, _ = h.Write(value)
		out = h.Sum(out)
	}
	return out[:n]
}

// number replaces the middle of a number in place: digits 0 to 9, as ASCII. Its sum
// after Luhn stays, so that a good number stays good and a bad one bad.
func (p *pseudonyms) number(d []byte) {
	lead, tail := 0, 0
	if len(d) >= minPAN {
		lead, tail = panLead, panTail
	}
	middle := d[lead : len(d)-tail]
	if len(middle) == 0 {
		return
	}
	before, sum := bytes.Clone(d), cardnumber.Luhn(d)
	for round := byte(0); ; round++ {
		for i, b := range p.stream(before, round, len(middle)) {
			middle[i] = '0' + b%10
		}
		for n := byte('0'); n <= '9' && cardnumber.Luhn(d) != sum; n++ {
			middle[0] = n
		}
		if !bytes.Equal(d, before) || round == 255 {
			return
		}
	}
}

// text replaces an identifier in place. What its channel has masked stays, and so does
// what fills a number up to its width.
func (p *pseudonyms) text(b []byte) {
	switch number := b[:len(mispos.Unfilled(string(b)))]; {
	case bytes.IndexByte(b, '*') >= 0:
		p.guard(b)
		return
	case digitsOnly(number):
		p.number(number)
		return
	}
	part := b
	if len(b) >= longText {
		from, to := seenOfText, len(b)-seenOfText
		for from > 0 && !utf8.RuneStart(b[from]) { // no half of a character stays
			from--
		}
		for to < len(b) && !utf8.RuneStart(b[to]) {
			to++
		}
		part = b[from:to]
	}
	for i, r := range p.stream(bytes.Clone(b), 0, len(part)) {
		switch c := part[i]; {
		case c >= '0' && c <= '9':
			part[i] = '0' + r%10
		case c >= 'a' && c <= 'z':
			part[i] = 'a' + r%26
		case c >= 'A' && c <= 'Z':
			part[i] = 'A' + r%26
		case c >= 0x80:
			part[i] = 'x'
		}
	}
}

// guard replaces in place what looks like a card number in a value that should hold
// none: a run of digits of that length with a right check digit.
func (p *pseudonyms) guard(b []byte) {
	for i := 0; i < len(b); {
		end := i
		for end < len(b) && b[end] >= '0' && b[end] <= '9' {
			end++
		}
		if n := end - i; n >= minPAN && n <= maxPAN && cardnumber.Luhn(b[i:end]) == 0 {
			p.number(b[i:end])
		}
		i = max(end, i+1)
	}
}

// packed lets change work on the digits of b as ASCII. Nibbles that are no digits
// stay, whatever it does to them.
func (p *pseudonyms) packed(b []byte, change func([]byte)) {
	text := make([]byte, 0, 2*len(b))
	for _, c := range b {
		for _, n := range []byte{c >> 4, c & 15} {
			if n > 9 {
				n += 'A' - '0' - 10
			}
			text = append(text, '0'+n)
		}
	}
	change(text)
	for i := range b {
		for half, c := range text[2*i : 2*i+2] {
			if shift := 4 * (1 - half); c >= '0' && c <= '9' && b[i]>>shift&15 <= 9 {
				b[i] = b[i]&^(15<<shift) | (c-'0')<<shift
			}
		}
	}
}

func digitsOnly(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// fill overwrites with a byte.
func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}
