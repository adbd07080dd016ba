package bcd_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"yuanlu/protocol/bcd"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, in string
		n        int
		side     bcd.Fill
		fills    []byte
		want     string
		err      error
		offset   int
	}{
		{"even", "1234", 4, 0, nil, "1234", nil, 0},
		{"empty", "", 0, 0, nil, "", nil, 0},
		{"F22 021", "0210", 3, bcd.FillRight, nil, "021", nil, 0},
		{"F23 123", "0123", 3, bcd.FillLeft, nil, "123", nil, 0},
		{"right fill F allowed", "123F", 3, bcd.FillRight, []byte{0, 15}, "123", nil, 0},
		{"right fill 0 among allowed", "1230", 3, bcd.FillRight, []byte{0, 15}, "123", nil, 0},
		{"right fill not 0", "1231", 3, bcd.FillRight, nil, "", bcd.ErrFill, 3},
		{"left fill not 0", "1123", 3, bcd.FillLeft, nil, "", bcd.ErrFill, 0},
		{"odd without a side", "1230", 3, 0, nil, "", bcd.ErrSize, 0},
		{"letter nibble high", "12A4", 4, 0, nil, "", bcd.ErrDigit, 2},
		{"letter nibble low", "1F34", 4, 0, nil, "", bcd.ErrDigit, 1},
		{"a byte too few", "12", 4, 0, nil, "", bcd.ErrSize, 0},
		{"a byte too many", "123456", 4, 0, nil, "", bcd.ErrSize, 0},
		{"negative", "", -1, 0, nil, "", bcd.ErrSize, 0},
	} {
		got, err := bcd.Decode(unhex(t, c.in), c.n, c.side, c.fills...)
		if got != c.want || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: got %q, %v, want %q, %v", c.name, got, err, c.want, c.err)
		}
		var e *bcd.Error
		if errors.As(err, &e) && e.Offset != c.offset {
			t.Errorf("%s: offset %d, want %d", c.name, e.Offset, c.offset)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		digits string
		side   bcd.Fill
		fill   byte
		want   string
		err    error
	}{
		{"1234", 0, 0, "ff1234", nil},
		{"021", bcd.FillRight, 0, "ff0210", nil},
		{"123", bcd.FillLeft, 0, "ff0123", nil},
		{"123", bcd.FillRight, 15, "ff123f", nil},
		{"", 0, 0, "ff", nil},
		{"123", 0, 0, "ff", bcd.ErrSize},
		{"12a4", 0, 0, "ff", bcd.ErrDigit},
		{"+9", 0, 0, "ff", bcd.ErrDigit},
	} {
		got, err := bcd.Append([]byte{0xff}, c.digits, c.side, c.fill)
		if hex.EncodeToString(got) != c.want || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%q: got %x, %v, want %s, %v", c.digits, got, err, c.want, c.err)
		}
	}
}

func TestUint(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "0011": 11, "9999": 9999, "999999999999999999": 999999999999999999} {
		got, err := bcd.Uint(unhex(t, in))
		if got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", in, got, err, want)
		}
		back, err := bcd.AppendUint(nil, want, len(in)/2)
		if hex.EncodeToString(back) != in || err != nil {
			t.Errorf("%d: got %x, %v, want %s", want, back, err, in)
		}
	}
	for _, in := range []string{"0A", "A0", "00000000000000000001"} {
		if _, err := bcd.Uint(unhex(t, in)); err == nil {
			t.Errorf("%s is read as a number", in)
		}
	}
	for _, c := range []struct {
		n    int64
		size int
	}{{100, 1}, {-1, 2}, {1, 0}, {1, 10}} {
		if b, err := bcd.AppendUint(nil, c.n, c.size); !errors.Is(err, bcd.ErrSize) || len(b) != 0 {
			t.Errorf("%d in %d bytes: got %x, %v", c.n, c.size, b, err)
		}
	}
}

func TestAppendDigits(t *testing.T) {
	got, err := bcd.AppendDigits([]byte("x"), []byte{0x12, 0x34})
	if string(got) != "x1234" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = bcd.AppendDigits([]byte("x"), []byte{0x12, 0x3d})
	if string(got) != "x" || !errors.Is(err, bcd.ErrDigit) {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzDecode: what decodes packs to the same bytes again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x12, 0x30}, 3, byte(1), byte(0))
	f.Add([]byte{0x01, 0x23}, 3, byte(2), byte(0))
	f.Add([]byte{0x12, 0x3f}, 3, byte(1), byte(15))
	f.Fuzz(func(t *testing.T, b []byte, n int, side, fill byte) {
		s, err := bcd.Decode(b, n, bcd.Fill(side), fill&15)
		if err != nil {
			return
		}
		back, err := bcd.Append(nil, s, bcd.Fill(side), fill)
		if err != nil || string(back) != string(b) {
			t.Fatalf("%x decodes to %q, which packs to %x, %v", b, s, back, err)
		}
	})
}
