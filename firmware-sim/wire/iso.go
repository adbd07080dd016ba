package wire

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
)

// message is one ISO 8583 message of the UnionPay POS dialect: fields as the text or bytes that stand in them.
// The layouts are written down here a second time, from public samples, so that the decoder is not tested against itself.
type message struct {
	mti    string
	answer bool // TPDU with source and destination changed
	test   bool // HEAD states test or training
	text   map[int]string
	raw    map[int][]byte
}

func newMessage(mti string) *message {
	return &message{mti: mti, text: map[int]string{}, raw: map[int][]byte{}}
}

// set puts a value in a field; an empty one is left out.
func (m *message) set(field int, v string) {
	if v != "" {
		m.text[field] = v
	}
}

// How a field is packed.
const (
	fixedBCD  = iota // digits, two in a byte, filled on the right
	leftBCD          // digits, filled on the left
	fixedText        // ASCII, filled with spaces
	llBCD            // one byte of BCD length, digits
	lllBCD           // two bytes of BCD length, digits
	llText           // one byte of BCD length, bytes
	lllText          // two bytes of BCD length, bytes
	fixedRaw         // bytes
)

type packing struct{ how, width int }

// packings are the fields that the simulator sends.
func packings() map[int]packing {
	return map[int]packing{2: {llBCD, 19}, 3: {fixedBCD, 6}, 4: {fixedBCD, 12}, 5: {fixedBCD, 12},
		6: {fixedBCD, 12}, 9: {fixedBCD, 8}, 10: {fixedBCD, 8}, 16: {fixedBCD, 4}, 24: {leftBCD, 3}, 50: {fixedText, 3},
		51: {fixedText, 3}, 11: {fixedBCD, 6}, 12: {fixedBCD, 6},
		13: {fixedBCD, 4}, 15: {fixedBCD, 4}, 22: {fixedBCD, 3}, 23: {leftBCD, 3}, 25: {fixedBCD, 2}, 32: {llBCD, 11},
		35: {llBCD, 37}, 37: {fixedText, 12}, 38: {fixedText, 6}, 39: {fixedText, 2}, 41: {fixedText, 8},
		42: {fixedText, 15}, 48: {lllBCD, 322}, 49: {fixedText, 3}, 55: {lllText, 255}, 59: {lllText, 600},
		60: {lllBCD, 17}, 61: {lllBCD, 29}, 63: {lllText, 163}, 64: {fixedRaw, 8}}
}

// append writes TPDU, HEAD, MTI, bitmap and fields.
func (m *message) append(dst []byte) ([]byte, error) {
	head := "603200320000"
	if m.test {
		head = "603210320000"
	}
	tpdu := "6000030000"
	if m.answer {
		tpdu = "6000000003"
	}
	packed, err := hex.DecodeString(tpdu + head + m.mti)
	if err != nil {
		return dst, err
	}
	dst = append(dst, packed...)
	at := len(dst)
	dst = append(dst, make([]byte, 8)...)
	table := packings()
	for f := 2; f <= 64; f++ {
		v, isText := m.text[f]
		raw, isRaw := m.raw[f]
		if !isText && !isRaw {
			continue
		}
		dst[at+(f-1)/8] |= 0x80 >> ((f - 1) % 8)
		if !isRaw {
			raw = []byte(v)
		}
		if dst, err = appendField(dst, table[f], raw); err != nil {
			return dst, fmt.Errorf("field %d: %w", f, err)
		}
	}
	return dst, nil
}

func appendField(dst []byte, p packing, v []byte) ([]byte, error) {
	if len(v) > p.width {
		return dst, fmt.Errorf("%d long, at most %d fit", len(v), p.width)
	}
	switch p.how {
	case llBCD, llText:
		dst = append(dst, byte(len(v)/10<<4|len(v)%10))
	case lllBCD, lllText:
		dst = append(dst, byte(len(v)/100), byte(len(v)/10%10<<4|len(v)%10))
	case fixedText:
		return append(dst, fmt.Sprintf("%-*s", p.width, v)...), nil
	}
	if p.how == llText || p.how == lllText || p.how == fixedRaw {
		return append(dst, v...), nil
	}
	digits := string(v)
	if len(digits)%2 == 1 {
		digits += "0"
		if p.how == leftBCD {
			digits = "0" + string(v)
		}
	}
	b, err := hex.DecodeString(strings.ReplaceAll(digits, "=", "D"))
	if err != nil {
		return dst, fmt.Errorf("not digits")
	}
	return append(dst, b...), nil
}

// frame seals a message with a field 64 and puts it in a serial frame. The field is made up: it looks like a MAC,
// and no one on this line has the key to check one.
func (m *message) frame(note string) (Frame, error) {
	body, err := m.append(nil)
	if err != nil {
		return Frame{}, err
	}
	if !strings.HasPrefix(m.mti, "032") {
		m.raw[64] = fmt.Appendf(nil, "%08X", crc32.ChecksumIEEE(body[11:]))
		if body, err = m.append(nil); err != nil {
			return Frame{}, err
		}
	}
	b, err := AppendSTX(nil, body)
	return Frame{Bytes: b, Note: note}, err
}
