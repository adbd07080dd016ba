// moov-io/iso8583 compiles where an int has 64 bits only.
//go:build !(386 || arm)

package cup8583_test

import (
	"strings"
	"testing"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// moovSpec is the standard layout as moov's own Message takes it.
func moovSpec(t testing.TB) *iso8583.MessageSpec {
	t.Helper()
	spec := &iso8583.MessageSpec{Name: "cup", Fields: map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: true}),
	}}
	for n, text := range wiretest.CUP8583Formats() {
		f, err := cup8583.ParseFormat(text)
		if err != nil {
			t.Fatal(err)
		}
		s := &field.Spec{Length: f.Size, Enc: encoding.Binary, Pref: prefix.BCD.Fixed}
		switch f.Prefix {
		case cup8583.LL:
			s.Pref = prefix.BCD.LL
		case cup8583.LLL:
			s.Pref = prefix.BCD.LLL
		}
		switch f.Form {
		case cup8583.Digits:
			s.Enc = encoding.LBCD
			if f.Right {
				s.Enc = encoding.BCD
			}
		case cup8583.Text:
			s.Enc = encoding.ASCII
		case cup8583.Track:
			s.Enc = trackEncoder{}
		}
		spec.Fields[n] = field.NewString(s)
	}
	return spec
}

// trackEncoder reads a track as hexadecimal digits, as moov has no encoder for nibbles
// with a separator.
type trackEncoder struct{}

func (trackEncoder) Encode(b []byte) ([]byte, error) { return b, nil }

func (trackEncoder) Decode(b []byte, n int) ([]byte, int, error) {
	k := (n + 1) / 2
	if len(b) < k {
		return nil, 0, strings.NewReader("").UnreadByte()
	}
	out := make([]byte, 0, 2*k)
	for _, c := range b[:k] {
		out = append(out, "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
	}
	return out[:n], k, nil
}

// TestMoovReadsTheSame: on good messages moov's own Unpack returns the same values.
func TestMoovReadsTheSame(t *testing.T) {
	spec, l := moovSpec(t), standard(t)
	for _, good := range goldens(t) {
		ours := decode(t, l, good)
		theirs := iso8583.NewMessage(spec)
		if err := theirs.Unpack(good[11:]); err != nil {
			t.Fatal(err)
		}
		for n := 3; n <= 64; n++ {
			if !ours.Has(n) || n == 48 || n == 55 {
				continue
			}
			want, err := theirs.GetString(n)
			if err != nil || strings.TrimRight(want, " ") != ours.Text(n) {
				t.Errorf("F%d: got %q, moov %q, %v", n, ours.Text(n), want, err)
			}
		}
	}
}

// BenchmarkDecode beside BenchmarkMoov: one message of each golden per operation.
func BenchmarkDecode(b *testing.B) {
	l, good, m := standard(b), goldens(b), new(cup8583.Message)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := l.Decode(m, good[n%len(good)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkMoov is moov-io/iso8583 alone: Unpack, and GetString of the fields that a
// record is made of.
func BenchmarkMoov(b *testing.B) {
	spec, good := moovSpec(b), goldens(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		m := iso8583.NewMessage(spec)
		if err := m.Unpack(good[n%len(good)][11:]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
