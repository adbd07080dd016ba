package cup8583_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"yuanlu/protocol/cup8583"
)

// one returns a message of one field.
func one(n int, value string) string {
	var b [8]byte
	b[(n-1)/8] = 0x80 >> ((n - 1) % 8)
	return fmt.Sprintf("6000030000 603200320000 0200 %X %s", b[:], value)
}

const fieldsAt = 21 // offset of the first field

func TestRefusalsNameFieldAndOffset(t *testing.T) {
	for _, c := range []struct {
		name, hex, field string
		offset           int
	}{
		{"a byte left over", reversal + "00", "MSG", 78},
		{"cut in F64", strings.TrimSuffix(reversal, "38"), "F64", 70},
		{"cut in the bitmap", "6003010000 602200000000 0400 30200480", "MSG", 0},
		{"MTI with a letter", "6003010000 602200000000 0A00 0000000000000000", "MTI", 11},
		{"bit 1", "6003010000 602200000000 0200 8000000000000000", "bitmap", 13},
		{"a field that is not there", one(64, ""), "F64", fieldsAt},
		{"F2: no length", one(2, ""), "F2", fieldsAt},
		{"F2: length past the end", one(2, "16 62000000000000"), "F2", fieldsAt},
		{"F2: length with a letter", one(2, "1A 6200000000000005"), "F2", fieldsAt},
		{"F2: 20 digits", one(2, "20 62055000000000000041"), "F2", fieldsAt},
		{"F2: filling nibble", one(2, "19 6205500000000000004 5"), "F2", fieldsAt + 10},
		{"F2: letter", one(2, "16 62000000B0000005"), "F2", fieldsAt + 5},
		{"F4: letter", one(4, "00000000000A"), "F4", fieldsAt + 5},
		{"F11: letter", one(11, "0008F1"), "F11", fieldsAt + 2},
		{"F28 is in no table", one(28, "44 00000150"), "F28", fieldsAt},
		{"F6 ends early", one(6, "00 00"), "F6", fieldsAt},
		{"F33: 12 digits", one(33, "12 123456789012"), "F33", fieldsAt},
		{"F33: a filling nibble", one(33, "03 123F"), "F33", fieldsAt + 2},
		{"F22: filled on the wrong side", one(22, "0052"), "F22", fieldsAt + 1},
		{"F23: filled on the wrong side", one(23, "0010 ")[:len(one(23, "0010 "))-5] + "1000", "F23", fieldsAt},
		{"F32: 12 digits", one(32, "12 123456789012"), "F32", fieldsAt},
		{"F35: 38 characters", one(35, "38 6200000000000005D301211111111111111111"), "F35", fieldsAt},
		{"F35: filling nibble", one(35, "17 6200000000000005D 1"), "F35", fieldsAt + 9},
		{"F36: 105 characters", one(36, "0105"+strings.Repeat("1", 106)), "F36", fieldsAt},
		{"F37: a control character", one(37, "300930303030303030303030"), "F37", fieldsAt + 1},
		{"F39: no ASCII", one(39, "B0B0"), "F39", fieldsAt},
		{"F60: length of four digits", one(60, "1008"+strings.Repeat("0", 1008)), "F60", fieldsAt},
		{"F60: filling nibble", one(60, "0003 2201"), "F60", fieldsAt + 3},
		{"F55: no length", one(55, "0001 9A"), "F55", fieldsAt + 2},
		{"F55: tag without an end", one(55, "0001 9F"), "F55", fieldsAt + 2},
		{"F55: length that lies", one(55, "0008 9F3602001 59F2620"[:15]+"5 9F26 20"), "F55", fieldsAt + 7},
		{"F55: indefinite length", one(55, "0002 9A80"), "F55", fieldsAt + 2},
		{"F55: length of three bytes", one(55, "0005 9A83000000"), "F55", fieldsAt + 2},
		{"F55 5A: letter", one(55, "0004 5A0262A1"), "F55 tag 5A", fieldsAt + 5},
		{"F55 5A: F inside", one(55, "0004 5A026F01"), "F55 tag 5A", fieldsAt + 4},
		{"F55 5A: 20 digits", one(55, "0012 5A0A62055000000000000041"), "F55 tag 5A", fieldsAt + 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := new(cup8583.Message)
			err := standard(t).Decode(m, unhex(t, c.hex))
			var e *cup8583.DecodeError
			if !errors.As(err, &e) || !errors.Is(err, cup8583.ErrMalformed) {
				t.Errorf("%s: got %v", c.name, err)
				return
			}
			if e.Field != c.field || e.Offset != c.offset {
				t.Errorf("%s: %v, want field %q, offset %d", c.name, err, c.field, c.offset)
			}
			if m.MTI() != "" || m.Fields() != 0 {
				t.Errorf("%s: the message holds something", c.name)
			}
		})
	}
}

func TestLongMessageIsRefused(t *testing.T) {
	if err := standard(t).Decode(new(cup8583.Message), make([]byte, cup8583.MaxMessage+1)); err == nil {
		t.Error("no error")
	}
}

func TestLayoutsThatAreNone(t *testing.T) {
	for _, c := range []struct {
		n      int
		format string
	}{
		{1, "n6"}, {65, "n6"}, {4, "x6"}, {4, "n0"}, {4, "n"}, {4, "n.6"}, {44, "ans..100"}, {62, "b...1000"}, {62, "b....9"},
		{4, "b6"}, {2, "b..19"}, {55, "n...255"}, {35, "n..37"}, {23, "n4 right"}, {44, "ans..25 right"}, {4, "n-6"}, {41, "z..8"},
		{60, "b...999"}, {61, "z..37"}, {48, "b...999"}, {59, "n...999"}, {37, "b12"},
		{2, "n..20"}, {2, "ans..20"}, {4, "n14"}, {32, "n..12"}, {33, "an..12"}, {35, "z..38"}, {36, "z...105"},
	} {
		t.Run(c.format, func(t *testing.T) {
			if _, err := cup8583.NewLayout(map[int]string{c.n: c.format}, cup8583.Options{}); !errors.Is(err, cup8583.ErrLayout) {
				t.Errorf("F%d as %q: %v", c.n, c.format, err)
			}
		})
	}
	if _, err := cup8583.NewLayout(nil, cup8583.Options{Head: 17}); !errors.Is(err, cup8583.ErrLayout) {
		t.Errorf("HEAD of 17 bytes: %v", err)
	}
}

func TestAppendWithAnotherLayout(t *testing.T) {
	m := decode(t, standard(t), unhex(t, reversal))
	other, err := cup8583.NewLayout(map[int]string{3: "n6"}, serial())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Append([]byte{1}, m); !errors.Is(err, cup8583.ErrLayout) || len(got) != 1 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := other.Append(nil, new(cup8583.Message)); !errors.Is(err, cup8583.ErrLayout) {
		t.Errorf("an empty message: %v", err)
	}
}
