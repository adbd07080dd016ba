package cup8583_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// otherForms are forms that an acquirer may set for a field in its profile.
var otherForms = map[int][]string{
	2: {"ans..19", "an16", "n16"}, 3: {"an6"}, 4: {"an12", "ans..12"}, 11: {"an6"}, 12: {"an6"}, 13: {"an4"}, 22: {"an3", "n4"}, 25: {"an2"},
	28: {"b5", "an9"}, 32: {"ans..11"}, 33: {"an..11"}, 34: {"n..28"}, 35: {"ans..37", "b..37"}, 36: {"ans...104"}, 37: {"n12"}, 38: {"n6"},
	39: {"n2"}, 41: {"n8"}, 42: {"n15"}, 45: {"ans..76"}, 48: {"ans...999", "n..62"}, 49: {"n3", "n3 right"}, 52: {"an16"}, 53: {"an16"},
	55: {"b..99", "ans...999"}, 59: {"ans..99"}, 60: {"ans...999", "n..99", "an..60"}, 61: {"ans...999", "n..40", "ans..99"},
}

// layoutOf returns the standard layout with some fields in another form, chosen by seed.
func layoutOf(t testing.TB, seed uint64) *cup8583.Layout {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	formats := maps.Clone(wiretest.CUP8583Formats())
	for n := 2; n < 65; n++ { // in order, or a seed would not be one layout
		if forms := otherForms[n]; forms != nil && rng.IntN(3) == 0 {
			formats[n] = forms[rng.IntN(len(forms))]
		}
	}
	o := serial()
	o.BinaryLengths = rng.IntN(8) == 0
	l, err := cup8583.NewLayout(formats, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// FuzzForms: any bytes under any forms are refused with a place, or taken; what is taken
// encodes to bytes that mean the same, and Explain sees what Decode sees.
func FuzzForms(f *testing.F) {
	for i, data := range wiretest.Messages(f, "good.hex") {
		f.Add(uint64(i), data)
		f.Add(uint64(0), data)
	}
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		l := layoutOf(t, seed)
		var m, again cup8583.Message
		err := l.Decode(&m, data)
		fields, explained := l.Explain(data)
		if (err == nil) != (explained == nil) || err != nil && err.Error() != explained.Error() {
			t.Fatalf("Decode: %v, Explain: %v", err, explained)
		}
		for _, f := range fields {
			if f.At < 0 || f.At > len(data) || f.Name == "" || f.Became == "" {
				t.Fatalf("%+v", f)
			}
		}
		if err != nil {
			var e *cup8583.DecodeError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(data) {
				t.Fatal(err)
			}
			return
		}
		kept, err := l.Append(nil, &m)
		if err != nil {
			t.Fatalf("what decodes does not encode: %v", err)
		}
		if err := l.Decode(&again, kept); err != nil {
			t.Fatalf("what encodes does not decode: %v", err)
		}
		twice, err := l.Append(nil, &again)
		if err != nil || !bytes.Equal(kept, twice) {
			t.Fatalf("encoded twice it is another message, %v", err)
		}
		for n := 2; n < 65; n++ {
			if m.Text(n) != again.Text(n) {
				t.Fatalf("F%d is another", n)
			}
		}
		for _, n := range []int{3, 4, 11, 12, 13, 22, 25, 53} {
			for _, c := range m.Text(n) {
				if c < '0' || c > '9' {
					t.Fatalf("F%d holds something else than digits", n)
				}
			}
		}
		batch, stan, date := m.Original()
		for _, v := range []string{m.Type(), m.Batch(), batch, stan, date, m.Sums()} {
			for _, c := range v {
				if c < '0' || c > '9' {
					t.Fatalf("a sub-field holds something else than digits")
				}
			}
		}
	})
}
