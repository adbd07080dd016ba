// moov-io/iso8583 compiles where an int has 64 bits only.
//go:build !(386 || arm)

package cup8583

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
)

// TestPrefixAgainstMoov: every length of every prefix is written as moov writes it.
func TestPrefixAgainstMoov(t *testing.T) {
	for _, row := range []struct {
		format string
		binary bool
		moov   prefix.Prefixer
	}{
		{"b7", false, prefix.BCD.Fixed},
		{"b..99", false, prefix.BCD.LL},
		{"b..40", false, prefix.BCD.LL},
		{"b...999", false, prefix.BCD.LLLL}, // moov's LLL drops the first nibble
		{"b..99", true, prefix.Binary.L},
		{"b...999", true, prefix.Binary.LL},
	} {
		t.Run(fmt.Sprintf("%s binary=%t", row.format, row.binary), func(t *testing.T) {
			f, err := ParseFormat(row.format)
			if err != nil {
				t.Fatal(err)
			}
			c := codecOf(f, "F44", row.binary)
			for n := range 1100 {
				want, wantErr := row.moov.EncodeLength(f.Size, n)
				got, gotErr := c.appendLength(nil, n)
				if !bytes.Equal(got, want) || (gotErr == nil) != (wantErr == nil) {
					t.Fatalf("length %d: got %x, %v, moov %x, %v", n, got, gotErr, want, wantErr)
				}
			}
		})
	}
}

// TestBitmapAgainstMoov: each bit stands where moov has it.
func TestBitmapAgainstMoov(t *testing.T) {
	for n := 1; n < fieldsEnd; n++ {
		theirs := field.NewBitmap(&field.Spec{Length: bitmapSize, Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: true})
		theirs.Set(n)
		want, err := theirs.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%016x", uint64(1)<<(64-n)); got != fmt.Sprintf("%x", want) || !bitmap(1<<(64-n)).has(n) {
			t.Errorf("bit %d: got %s, moov %x", n, got, want)
		}
	}
}
