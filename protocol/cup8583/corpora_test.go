package cup8583_test

import (
	"errors"
	"testing"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// refused checks the refusal of a message; it reports whether it was refused. What is
// taken must be what the twin reads.
func refused(t *testing.T, l *cup8583.Layout, what string, data []byte, vocabulary string) bool {
	t.Helper()
	agree(t, l, data)
	err := l.Decode(new(cup8583.Message), data)
	if err == nil {
		return false
	}
	var e *cup8583.DecodeError
	if !errors.As(err, &e) || !errors.Is(err, cup8583.ErrMalformed) {
		t.Fatalf("%s: %v", what, err)
	}
	if wrong := (wiretest.Refusal{Err: err, Field: e.Field, Offset: e.Offset, Got: e.Got, Want: e.Want}).Check(data, vocabulary); wrong != "" {
		t.Errorf("%s: %s: %v", what, wrong, err)
	}
	return true
}

// Every malformed message of the corpora is refused with its place, and without its
// bytes; every good one is taken, and refused or read as the twin reads it when a byte
// of it is another one.
func TestCorpora(t *testing.T) {
	l, vocabulary := standard(t), wiretest.Vocabulary(t)
	for _, data := range wiretest.Messages(t, "malformed.hex") {
		if !refused(t, l, "malformed", data, vocabulary) {
			t.Errorf("a malformed message of %d bytes is taken", len(data))
		}
	}
	few := wiretest.AFew()
	for i, data := range wiretest.Messages(t, "good.hex") {
		if refused(t, l, "good", data, vocabulary) {
			t.Errorf("good message %d is refused", i)
		}
		wiretest.Changed(data, func(what string, b []byte) { refused(t, l, what, b, vocabulary) }, few[i%len(few)])
	}
}

// fuzzField: any bytes as the value of one field with a length.
func fuzzField(f *testing.F, n int, seeds ...string) {
	l := standard(f)
	for _, data := range wiretest.Messages(f, "good.hex") {
		var m cup8583.Message
		if err := l.Decode(&m, data); err != nil {
			f.Fatal(err)
		}
		if v := m.Text(n); v != "" {
			f.Add([]byte(v))
		}
	}
	for _, s := range seeds {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) > 999 {
			return
		}
		var bitmap [8]byte
		bitmap[(n-1)/8] = 0x80 >> ((n - 1) % 8)
		data := append(unhex(t, "6000030000 603200320000 0200"), bitmap[:]...)
		size := len(value)
		data = append(data, byte(size/100), byte(size/10%10<<4|size%10))
		agree(t, l, append(data, value...))
	})
}

// FuzzChip: any bytes as the tags of F55.
func FuzzChip(f *testing.F) {
	fuzzField(f, 55, "9F3602 0015 5F3401 01", "5A08 6200000000000005", "5A0A 6205500000000000004F", "9F2405 5131544553", "9F1906 010203040506",
		"57 13 6200000000000005D30122010000000000000F", "9F6E01 20 9F6B02 6200", "9F8101 81 03 010203", "DF8182 82 0001 00", "9A80", "9F", "5A83000001")
}

// FuzzVendor: any bytes as F59.
func FuzzVendor(f *testing.F) {
	fuzzField(f, 59, "41333031393632303132333435363738393031323334353637", "41343030332020 41", "4134303030", "41343939394131", "0102")
}
