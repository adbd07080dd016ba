package strictjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"yuanlu/protocol/strictjson"
)

// build reads the value that comes next as json.Unmarshal reads it into an any, numbers
// as they are written; where a name comes again, the last value counts.
func build(r *strictjson.Reader) (any, bool) {
	switch r.Kind() {
	case '{':
		all := map[string]any{}
		_, ok := r.Object(nil, func(m strictjson.Member) bool {
			name := string(m.Name)
			v, ok := build(r)
			all[name] = v
			return ok
		})
		return all, ok
	case '[':
		all := []any{}
		ok := r.List(func(int) bool {
			v, ok := build(r)
			all = append(all, v)
			return ok
		})
		return all, ok
	case '"':
		b, ok := r.Quoted("a string")
		return string(b), ok
	case '0':
		b, ok := r.Number()
		return json.Number(b), ok
	case 't', 'f':
		var v bool
		ok := r.Bool(&v)
		return v, ok
	case 'n':
		return nil, r.Empty() || r.Skip()
	}
	return nil, r.Skip()
}

// hasLone reports whether a string of valid JSON has a surrogate without its other half.
func hasLone(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if i++; text[i] != 'u' {
			continue
		}
		first, second := unit(text[i+1:]), rune(0)
		i += 4
		if !utf16.IsSurrogate(first) {
			continue
		}
		if bytes.HasPrefix(text[i+1:], []byte(`\u`)) {
			second = unit(text[i+3:])
		}
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

func unit(digits []byte) (c rune) {
	for _, d := range digits[:4] {
		c = c<<4 | rune(strings.IndexByte("0123456789abcdef", d|0x20))
		if d <= '9' {
			c = c&^15 | rune(d-'0')
		}
	}
	return c
}

// FuzzReader holds the reader to encoding/json: Valid and a loose reader take what
// json.Valid takes and read the same values; a strict reader takes of it what is UTF-8
// and has no lone surrogate. No error lies outside the text.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"", " ", "{", "}", "{}", "[]", `[1,]`, `{"a":1,}`, `{"a" : [ 1 , -0.5e+3 , "x" ] }`, `{"a":1 "b":2}`, `{a:1}`, `{"a"}`,
		"nul", "null", "true", "false", "tru", "01", "-", "1.", "1.e3", ".5", "1e", "1e+", "-0", "0e0", `"\u12aF"`, `"\u12g0"`, `"\u12"`, `"\x"`, `"\`, `"a`, "\"\n\"", `"\"\\\/\b\f\n\r\t"`, "[1] 2", " [1]\n",
		`"\ud83d\ude00"`, `"\ud800"`, `"\ud800\u0041"`, `"\udc00\ud800"`, "\"中\xff\"", "\"\\n\xe4\xb8\"", "\"\xed\xa0\x80\"", "\x00", "{\"\xff\":1}",
		`{"a":{"a":1},"a":2,"":""}`, `[true,false,null,"",[],{}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		valid := json.Valid(text)
		if got := strictjson.Valid(text); got != valid {
			t.Fatalf("Valid(%.200q): got %t", text, got)
		}
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 1000 {
			return // build is not for what nests so deep
		}
		loose := strictjson.New(text, 0, &strictjson.Form{Loose: true, Depth: 10_000})
		if got, ok := build(&loose); (ok && loose.End("")) != valid {
			t.Fatalf("loose(%.200q): got %t, %v", text, ok, loose.Err())
		} else if valid && utf8.Valid(text) {
			var want any
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			if err := d.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("loose(%.200q): got %.200v, want %.200v", text, got, want)
			}
		}
		for _, walk := range []func(r *strictjson.Reader) bool{
			func(r *strictjson.Reader) bool { return r.Skip() },
			func(r *strictjson.Reader) bool { _, ok := build(r); return ok },
		} {
			r := strictjson.New(text, 0, &strictjson.Form{End: "the end", Depth: 10_000})
			ok := walk(&r) && r.End("the end")
			if want := valid && utf8.Valid(text) && !hasLone(text); ok != want {
				t.Fatalf("strict(%.200q): got %t, %v", text, ok, r.Err())
			}
			if e := r.Err(); ok != (e == nil) || e != nil && (e.Offset < 0 || e.Offset > len(text) || e.Got == "" || e.Want == "") {
				t.Fatalf("strict(%.200q): error without its place: %v", text, e)
			}
		}
	})
}
