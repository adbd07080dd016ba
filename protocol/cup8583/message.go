package cup8583

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"github.com/moov-io/iso8583/encoding"

	"yuanlu/protocol/sensitive"
)

// Message is one decoded message. Its methods may be called on one that holds
// nothing. It prints as its type and number of fields only.
type Message struct {
	tcpLength  bool
	tpdu, head []byte
	mti        string
	present    bitmap // of the fields kept
	values     [fieldsEnd]string
	pan        sensitive.Text // F2
	track      sensitive.Text // card number of F35
	chip       chipData
}

func (m *Message) reset() { *m = Message{tpdu: m.tpdu[:0], head: m.head[:0]} }

// put keeps the value of a field. F2 is kept where nothing prints it.
func (m *Message) put(n int, value string) {
	m.present |= 1 << (64 - n)
	if n == 2 {
		m.pan = sensitive.New(value)
		return
	}
	m.values[n] = value
}

// encryptedTrack forgets a card number read from a track that F53 calls encrypted.
func (m *Message) encryptedTrack() {
	if f := m.values[53]; len(f) > 2 && f[2] == '1' {
		m.track = sensitive.Text{}
	}
}

// MTI returns the four digits of the message type ("0210").
func (m *Message) MTI() string { return m.mti }

// Training reports whether HEAD marks test or training: its fifth digit is 1.
func (m *Message) Training() bool { return len(m.head) > 2 && m.head[2]>>4 == 1 }

// Has reports whether field n (2 to 64) was there and is kept.
func (m *Message) Has(n int) bool { return n > 1 && n < fieldsEnd && m.present.has(n) }

// Text returns the value of field n (2 to 64) without trailing spaces, "" if it is
// absent: digits as text, bytes as they are. F2 and F48 are "" here: card numbers
// stand in them.
func (m *Message) Text(n int) string {
	if n < 2 || n >= fieldsEnd || n == 48 {
		return ""
	}
	return strings.TrimRight(m.values[n], " ")
}

// Fields returns the number of fields kept.
func (m *Message) Fields() int { return bits.OnesCount64(uint64(m.present)) }

// Format writes type and number of fields, whatever the verb.
func (m *Message) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, "cup8583 message "+m.mti+" of "+plural(m.Fields(), "field"))
}

// Append writes the fields kept as a message. The only error is ErrLayout: the message
// was decoded with a layout that has other formats.
func (l *Layout) Append(dst []byte, m *Message) ([]byte, error) {
	begin := len(dst)
	if m.tcpLength {
		dst = append(dst, 0, 0)
	}
	dst = append(append(dst, m.tpdu...), m.head...)
	mti, err := encoding.BCD.Encode([]byte(m.mti))
	if err != nil || len(mti) != mtiSize {
		return dst[:begin], fmt.Errorf("%w: the message has no type", ErrLayout)
	}
	dst = append(dst, mti...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.present))
	for n := 2; n < fieldsEnd; n++ {
		if !m.Has(n) {
			continue
		}
		value := m.values[n]
		if n == 2 {
			value = m.pan.Reveal()
		}
		if dst, err = l.fields[n].append(dst, value); err != nil {
			return dst[:begin], fmt.Errorf("%w: field %d does not fit", ErrLayout, n)
		}
	}
	if m.tcpLength {
		binary.BigEndian.PutUint16(dst[begin:], uint16(len(dst)-begin-2))
	}
	return dst, nil
}

// append writes one field. An error of moov's may hold the value.
func (f *fieldCodec) append(dst []byte, value string) ([]byte, error) {
	if f.Form == FormUnknown {
		return dst, ErrLayout
	}
	dst, err := f.appendLength(dst, len(value))
	if err != nil {
		return dst, err
	}
	body, err := f.enc.Encode([]byte(value))
	return append(dst, body...), err
}

// appendLength writes the prefix of a value of n digits, nibbles or bytes.
func (f *fieldCodec) appendLength(dst []byte, n int) ([]byte, error) {
	if n > f.Size || f.Prefix == Fixed && n != f.Size {
		return dst, ErrLayout
	}
	length := n
	if !f.binaryLength {
		length = n/100<<8 | n/10%10<<4 | n%10
	}
	switch f.Prefix {
	case LLL:
		dst = append(dst, byte(length>>8), byte(length))
	case LL:
		dst = append(dst, byte(length))
	}
	return dst, nil
}

// bitmap is which fields a message has: the highest bit is field 1, the lowest field 64.
type bitmap uint64

func (b bitmap) has(n int) bool { return b>>(64-n)&1 == 1 }
