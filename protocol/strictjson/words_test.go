package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"yuanlu/protocol/strictjson"
)

// TestEveryByteAtEveryPlace: strings are read eight bytes at a time. Each byte, at each place
// of strings of several lengths, is read as encoding/json reads it.
func TestEveryByteAtEveryPlace(t *testing.T) {
	for _, loose := range []bool{false, true} {
		f := strictjson.Form{Depth: 3, Loose: loose}
		for n := range 19 {
			for at := range n {
				for c := range 256 {
					text := []byte(`"` + strings.Repeat("a", n) + `"`)
					text[1+at] = byte(c)
					for _, tail := range []string{"", " ", "         "} {
						checkString(t, append(text[:len(text):len(text)], tail...), &f)
					}
				}
			}
		}
	}
}

func checkString(t *testing.T, text []byte, f *strictjson.Form) {
	t.Helper()
	r := strictjson.New(text, 0, f)
	got, ok := r.Quoted("a string")
	ok = ok && r.End("")
	var want string
	valid := json.Unmarshal(text, &want) == nil
	if valid && !f.Loose && strings.ContainsRune(want, '\uFFFD') || f.Loose && ok && strings.ContainsRune(want, '\uFFFD') {
		want, valid = string(got), f.Loose // bytes that are no UTF-8: kept where loose, refused else
	}
	if ok != valid || ok && string(got) != want {
		t.Fatalf("%q, loose %v: got %q %v, want %q %v", text, f.Loose, got, ok, want, valid)
	}
	s := strictjson.New(text, 0, f)
	if skipped := s.Skip() && s.End(""); skipped != ok {
		t.Fatalf("%q, loose %v: skipped %v, read %v", text, f.Loose, skipped, ok)
	}
}

// BenchmarkQuoted reads strings of several lengths.
func BenchmarkQuoted(b *testing.B) {
	for _, n := range []int{4, 24, 200} {
		text := []byte(`"` + strings.Repeat("a", n) + `"`)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := strictjson.Form{Depth: 3}
			for b.Loop() {
				r := strictjson.New(text, 0, &f)
				if _, ok := r.Quoted("a string"); !ok {
					b.Fatal(r.Err())
				}
			}
		})
	}
}
