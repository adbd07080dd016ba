package mispos

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"

	"yuanlu/protocol/sensitive"
)

// ErrMalformed is the class of all errors: DATA is not fields, or a value has the wrong form.
var ErrMalformed = errors.New("mispos: malformed message")

// DecodeError is where DATA went wrong. It holds no byte of it.
type DecodeError struct {
	Field  string // tag ("9F02") of the layout, "9Fxx" another one, "DATA" where none could be read
	Offset int    // in DATA, of the field's first byte
	Got    string
	Want   string
}

// Error returns field, offset, got and want.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("%v: field %s, offset %d: got %s, want %s", ErrMalformed, e.Field, e.Offset, e.Got, e.Want)
}

// Unwrap returns ErrMalformed.
func (e *DecodeError) Unwrap() error { return ErrMalformed }

// MaxData is the greatest number of bytes that DATA has: its frame states its length
// in four decimal digits.
const MaxData = 9999

const headSize = 4 // tag and length

// whole is the name of all of a message, where no field can be named.
const whole = "DATA"

// known names a tag of the layout; another one may be anything: bytes of a message
// that is damaged before it.
func (l *Layout) known(tag Tag) string {
	if l.byTag[tag&0xFF] == 0 {
		return "9Fxx"
	}
	return tag.String()
}

// span is a value's place in DATA. from is at least headSize in one that is there.
type span struct{ from, to uint16 }

type placed struct {
	tag Tag
	at  span
}

// Message is one decoded DATA. It refers to the bytes it was decoded from and is
// valid as long as they are. It prints as its number of fields only.
type Message struct {
	data   []byte
	fields []placed
	roles  [roles]span
}

// Decode reads data into m, replacing what was in m. Every error is a *DecodeError,
// after which m holds nothing.
func (l *Layout) Decode(m *Message, data []byte) error {
	*m = Message{data: data, fields: m.fields[:0]}
	if len(data) > MaxData {
		*m = Message{fields: m.fields}
		return &DecodeError{Field: whole, Got: plural(len(data), "byte"), Want: "at most " + strconv.Itoa(MaxData)}
	}
	for at := 0; at < len(data); {
		n, err := l.field(m, at)
		if err != nil {
			*m = Message{fields: m.fields[:0]}
			return err
		}
		at += n
	}
	if m.roles[Type] == (span{}) {
		*m = Message{fields: m.fields[:0]}
		return &DecodeError{Field: l.tag(Type).String(), Offset: len(data), Got: "no such field", Want: "a transaction type"}
	}
	return nil
}

// field reads the field at offset at and returns its size.
func (l *Layout) field(m *Message, at int) (int, error) {
	rest := m.data[at:]
	tag, size, ok := head(rest)
	if !ok {
		return 0, &DecodeError{Field: whole, Offset: at, Got: plural(len(rest), "byte") + " left over", Want: "tag and length or the end"}
	}
	if tag>>8 != 0x9F {
		return 0, &DecodeError{Field: whole, Offset: at, Got: "another tag", Want: "9Fxx"}
	}
	if size > len(rest)-headSize {
		return 0, &DecodeError{Field: l.known(tag), Offset: at, Got: "a length past the end",
			Want: "at most the " + plural(len(rest)-headSize, "byte") + " that follow"}
	}
	here := span{uint16(at + headSize), uint16(at + headSize + size)}
	if i := l.byTag[tag&0xFF]; i > 0 {
		f := &l.fields[i-1]
		if m.roles[f.Role] != (span{}) {
			return 0, &DecodeError{Field: tag.String(), Offset: at, Got: "the field a second time", Want: "it once"}
		}
		if got, want := f.check(m.data[here.from:here.to]); want != "" {
			return 0, &DecodeError{Field: tag.String(), Offset: at, Got: got, Want: want}
		}
		m.roles[f.Role] = here
		if f.Form == Dropped {
			return headSize + size, nil
		}
	}
	m.fields = append(m.fields, placed{tag, here})
	return headSize + size, nil
}

// head reads tag and length at the beginning of b; ok is false if b is too short.
func head(b []byte) (tag Tag, size int, ok bool) {
	if len(b) < headSize {
		return 0, 0, false
	}
	return Tag(b[0])<<8 | Tag(b[1]), int(b[2])<<8 | int(b[3]), true
}

// Walk calls each with the fields of DATA in their order, whatever their tags and values
// are, and returns what is behind the last one that ends inside data. value lies in data.
func Walk(data []byte, each func(tag Tag, value []byte)) (rest []byte) {
	for {
		tag, size, ok := head(data)
		if !ok || size > len(data)-headSize {
			return data
		}
		each(tag, data[headSize:headSize+size])
		data = data[headSize+size:]
	}
}

// check returns what is wrong with a value; want is "" if nothing.
func (f *Field) check(value []byte) (got, want string) {
	switch f.Form {
	case Byte:
		if len(value) != 1 {
			return plural(len(value), "byte"), "1 byte"
		}
	case Digits:
		value = trim(value)
		if len(value) == 0 {
			return "", ""
		}
		for i, c := range value {
			if c < '0' || c > '9' {
				return "no digit at place " + strconv.Itoa(i), f.sizes()
			}
		}
		for _, n := range f.Sizes {
			if n == len(value) {
				return "", ""
			}
		}
		return plural(len(value), "digit"), f.sizes()
	}
	return "", ""
}

func (f *Field) sizes() string {
	s := ""
	for i, n := range f.Sizes {
		if i > 0 {
			s += " or "
		}
		s += strconv.Itoa(n)
	}
	return s + " digits"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func trim(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// raw returns the value of a role as on the wire; nil if it is absent.
func (m *Message) raw(r Role) []byte {
	s := m.roles[r]
	return m.data[s.from:s.to]
}

// Bytes returns the value of a role without trailing spaces, as on the wire; empty
// if it is absent. Not for Account, HostMessage and Expiry, which are empty here.
func (m *Message) Bytes(r Role) []byte {
	if r == Account || r == HostMessage || r == Expiry {
		return nil
	}
	return trim(m.raw(r))
}

// Text returns the value of a role as UTF-8 without trailing spaces, "" if it is
// absent. Bytes that are no GBK become U+FFFD. Not for the roles Bytes excludes.
func (m *Message) Text(r Role) string { return text(m.Bytes(r)) }

// Byte returns the one byte of a binary role; ok is false if it is absent or has
// another length.
func (m *Message) Byte(r Role) (b byte, ok bool) {
	if v := m.raw(r); len(v) == 1 {
		return v[0], true
	}
	return 0, false
}

// Secret returns the account, as Text would.
func (m *Message) Secret() sensitive.Text { return sensitive.New(text(trim(m.raw(Account)))) }

// Unfilled returns an account number, clear or masked, without the F, NUL and spaces that
// fill it up to a fixed width. Filling alone is no number; anything else stays as it is.
// (wires.md, mispos, 9F0B)
func Unfilled(account string) string {
	number := strings.TrimRight(account, "F\x00 ")
	if strings.Trim(number, "0123456789*") != "" {
		return account
	}
	return number
}

func text(b []byte) string {
	for _, c := range b {
		if c >= 0x80 {
			// Decoding replaces what is no GBK and has no other error.
			s, _ := simplifiedchinese.GBK.NewDecoder().Bytes(b)
			return string(s)
		}
	}
	return string(b)
}

// Fields returns the number of fields kept.
func (m *Message) Fields() int { return len(m.fields) }

// Append writes the fields kept, in their order, as DATA.
func (m *Message) Append(dst []byte) []byte {
	for _, f := range m.fields {
		v := m.data[f.at.from:f.at.to]
		dst = append(dst, byte(f.tag>>8), byte(f.tag), byte(len(v)>>8), byte(len(v)))
		dst = append(dst, v...)
	}
	return dst
}

// Format writes the number of fields, whatever the verb.
func (m *Message) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, "mispos message of "+plural(len(m.fields), "field"))
}
