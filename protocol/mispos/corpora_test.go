package mispos_test

import (
	"bytes"
	"errors"
	"testing"

	"yuanlu/protocol/mispos"
	"yuanlu/protocol/wiretest"
)

// refused checks the refusal of a message; it reports whether it was refused. What is
// taken must be what its bytes hold, read again by hand.
func refused(t *testing.T, l *mispos.Layout, what string, in []byte, vocabulary string) bool {
	t.Helper()
	var m mispos.Message
	err := l.Decode(&m, in)
	if err == nil {
		asBytesSay(t, &m, what, in)
		return false
	}
	var e *mispos.DecodeError
	if !errors.As(err, &e) || !errors.Is(err, mispos.ErrMalformed) {
		t.Fatalf("%s: %v", what, err)
	}
	if wrong := (wiretest.Refusal{Err: err, Field: e.Field, Offset: e.Offset, Got: e.Got, Want: e.Want}).Check(in, vocabulary); wrong != "" {
		t.Errorf("%s: %s: %v", what, wrong, err)
	}
	return true
}

// asBytesSay walks over tags and lengths by itself: the message has exactly these
// values, and encodes to the same bytes without those that are dropped.
func asBytesSay(t *testing.T, m *mispos.Message, what string, in []byte) {
	t.Helper()
	byTag := map[uint16]mispos.Field{}
	for _, f := range mispos.Standard() {
		byTag[uint16(f.Tag)] = f
	}
	var again []byte
	for rest := in; len(rest) > 0; {
		tag, n := uint16(rest[0])<<8|uint16(rest[1]), int(rest[2])<<8|int(rest[3])
		value, f := rest[4:4+n], byTag[tag]
		if f.Form != mispos.Dropped {
			again = append(again, rest[:4+n]...)
		}
		rest = rest[4+n:]
		switch f.Form {
		case mispos.Digits:
			digits := bytes.TrimRight(value, " ")
			if !bytes.Equal(m.Bytes(f.Role), digits) || len(bytes.Trim(digits, "0123456789")) > 0 {
				t.Errorf("%s: %04X is not as its bytes are", what, tag)
			}
		case mispos.Text:
			if !bytes.Equal(m.Bytes(f.Role), bytes.TrimRight(value, " ")) {
				t.Errorf("%s: %04X is not as its bytes are", what, tag)
			}
		case mispos.Byte:
			if b, ok := m.Byte(f.Role); !ok || n != 1 || b != value[0] {
				t.Errorf("%s: %04X is not as its byte is", what, tag)
			}
		case mispos.Dropped:
			if m.Text(f.Role) != "" || m.Bytes(f.Role) != nil {
				t.Errorf("%s: %04X is kept", what, tag)
			}
		}
	}
	if out := m.Append(nil); !bytes.Equal(out, again) {
		t.Errorf("%s: encodes to other bytes", what)
	}
}

// Every malformed message of the corpora is refused with its place, and without its
// bytes; every good one is taken, and refused or read as its bytes are when a byte of
// it is another one.
func TestCorpora(t *testing.T) {
	l, vocabulary := standard(t), wiretest.Vocabulary(t)
	for _, in := range wiretest.Messages(t, "malformed.hex") {
		if !refused(t, l, "malformed", in, vocabulary) {
			t.Errorf("a malformed message of %d bytes is taken", len(in))
		}
	}
	for i, in := range wiretest.Messages(t, "good.hex") {
		if refused(t, l, "good", in, vocabulary) {
			t.Errorf("good message %d is refused", i)
		}
		wiretest.Changed(in, func(what string, b []byte) { refused(t, l, what, b, vocabulary) }, wiretest.AFew()...)
	}
}
