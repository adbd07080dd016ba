package topics

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzValidJSON: what json.Valid says of text in UTF-8.
func FuzzValidJSON(f *testing.F) {
	for _, s := range []string{"", " ", "{", "}", "{}", "[]", `[1,]`, `{"a":1,}`, `{"a" : [ 1 , -0.5e+3 , "x" ] }`, `{"a":1 "b":2}`, `{a:1}`, `{"a"}`,
		"nul", "null", "true", "false", "tru", "01", "-", "1.", "1.e3", ".5", "1e", "1e+", "-0", "0e0", `"\u12aF"`, `"\u12g0"`, `"\u12"`, `"\x"`, `"\`, `"a`,
		"\"\n\"", `"\"\\\/\b\f\n\r\t"`, "[1] 2", " [1]\n", strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001), strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)} {
		f.Add([]byte(s))
	}
	for _, c := range Channels() {
		b, err := Example(c.Name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if utf8.Valid(b) && validJSON(b) != json.Valid(b) {
			t.Errorf("validJSON(%.200q) = %v", b, validJSON(b))
		}
	})
}

// BenchmarkCheckCase checks a case event.
func BenchmarkCheckCase(b *testing.B) {
	v, err := NewValidator()
	if err != nil {
		b.Fatal(err)
	}
	p, err := Example("case")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if err := v.Check("case-event.v1", p); err != nil {
			b.Fatal(err)
		}
	}
}
