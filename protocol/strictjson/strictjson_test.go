package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"yuanlu/protocol/strictjson"
)

var form = strictjson.Form{End: "the end of the text", Twice: "a second one", Depth: 3}

// person reads {"name":string,"age":integer,"tags":[string]} and skips other members.
func person(text string, f *strictjson.Form) (seen uint64, tags []string, err *strictjson.Error) {
	r := strictjson.New([]byte(text), 0, f)
	names := []string{"name", "age", "tags"}
	seen, ok := r.Object(func(name []byte) int {
		for i := range names {
			if names[i] == string(name) {
				return i
			}
		}
		return -1
	}, func(m strictjson.Member) bool {
		ok := false
		switch m.Index {
		case 0:
			_, ok = r.Quoted("a string")
		case 1:
			var age int64
			ok = r.Integer(&age, false)
		case 2:
			ok = r.List(func(int) bool {
				b, ok := r.Quoted("a string")
				tags = append(tags, string(b))
				return ok
			})
		default:
			return r.Skip()
		}
		return ok || r.Within(names[m.Index])
	})
	if ok {
		r.End("nothing more")
	}
	return seen, tags, r.Err()
}

func TestErrorsHaveTheirPlace(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"name":"a","age":5,"tags":["x","y"],"other":{"a":[1]}} `, ""},
		{``, "0 : the end of the text, want an object"},
		{` [`, "1 : a list, want an object"},
		{`{"name":"a"`, "11 : the end of the text, want ',' or '}'"},
		{`{"name":"a",}`, "12 : '}', want the name of a member"},
		{`{"name" "a"}`, "8 : a string, want ':' after the name of a member"},
		{`{"name":1}`, "8 name: a number, want a string"},
		{`{"name":"a","name":"a"}`, "12 name: a second one, want each member once"},
		{`{"name":"a","\u006eame":"a"}`, "12 name: a second one, want each member once"},
		{`{"Name":"a","name":"a"}`, ""},
		{`{"other":1,"other":2}`, ""},
		{`{"tags":["a",true]}`, "13 tags[1]: true or false, want a string"},
		{`{"tags":null}`, "8 tags: null, want a list"},
		{`{"tags":["a" "b"]}`, "13 tags: a string, want ',' or ']'"},
		{`{"age":1.5}`, "7 age: a number with a fraction or an exponent, want an integer"},
		{`{"age":01}`, "7 age: a number that JSON does not know, want an integer"},
		{`{"age":-}`, "7 age: a number that JSON does not know, want an integer"},
		{`{"age":+1}`, "7 age: something that is no JSON, want an integer"},
		{`{"age":9223372036854775808}`, "7 age: a number of more than 64 bits, want an integer"},
		{`{"name":"a` + "\n" + `"}`, `10 name: a control character, want it written as \u00XX`},
		{`{"name":"\q"}`, "9 name: an escape that means no character, want a JSON escape"},
		{`{"name":"x\ud800"}`, "10 name: an escape that means no character, want a JSON escape"},
		{"{\"name\":\"中\xff\"}", "12 name: bytes that are no UTF-8, want UTF-8"},
		{"{\"name\":\"\xff\\q\"}", "9 name: bytes that are no UTF-8, want UTF-8"},
		{`{"name":"a\n`, `12 name: the end of the text, want '"' at the end of the string`},
		{`{"other":[[{}]]}`, ""},
		{`{"other":[[[[]]]]}`, "12 : values nested too deep, want at most 3 levels"},
		{`{"other":[1,]}`, "12 : ']', want a value"},
		{`{"other":{1:2}}`, "10 : a number, want the name of a member"},
		{`{"other":{"a":tru}}`, "14 : true or false, want a value"},
		{`{"other":1.}`, "9 : a number that JSON does not know, want a value"},
		{`{} x`, "3 : something that is no JSON, want nothing more"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			_, _, e := person(tt.text, &form)
			got := ""
			if e != nil {
				got = fmt.Sprintf("%d %s: %s, want %s", e.Offset, e.Path, e.Got, e.Want)
			}
			if got != tt.want || e != nil && !errors.Is(e, strictjson.ErrMalformed) {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
	e := &strictjson.Error{Offset: 4, Path: "a.b", Got: "x", Want: "y"}
	if e.Error() != `strictjson: malformed text: offset 4, member "a.b": got x, want y` {
		t.Error(e)
	}
}

// Whatever is wrong, the error holds nothing of the text but names that its reader knows.
func TestErrorsHoldNoValue(t *testing.T) {
	const secret = "6200000111122227"
	text := `{"name":"` + secret + `","age":` + secret + `,"tags":["` + secret + `"],"` + secret + `":[` + secret + `]}`
	for i := range len(text) {
		for _, c := range "\"\\{}[]:,\x000e.-x " {
			if _, _, err := person(text[:i]+string(c)+text[i+1:], &form); err != nil && strings.Contains(err.Error(), "111122") {
				t.Fatalf("an identifier is in %v", err)
			}
		}
	}
}

func TestObjectReturnsWhatWasThere(t *testing.T) {
	seen, tags, err := person(`{"tags":["\u4e2d\n",""],"x":0,"name":""}`, &form)
	if err != nil || seen != 1<<0|1<<2 || len(tags) != 2 || tags[0] != "中\n" || tags[1] != "" {
		t.Errorf("got %b, %q, %v", seen, tags, err)
	}
}

func TestMemberStandsInTheText(t *testing.T) {
	text := []byte(` { "a\n" : 1 , "b":[ 2 ] }`)
	r := strictjson.New(text, 1, &form)
	var raw []string
	_, ok := r.Object(nil, func(m strictjson.Member) bool {
		from := r.Pos()
		ok := r.Skip()
		raw = append(raw, string(text[m.At:m.End])+string(r.Raw(from))+string(m.Name))
		return ok
	})
	if want := `["\"a\\n\"1a\n","\"b\"[ 2 ]b"]`; !ok || asJSON(t, raw) != want {
		t.Errorf("got %s, want %s", asJSON(t, raw), want)
	}
	if r.Pos() != len(text) || r.At() != len(text) || r.Kind() != 0 {
		t.Errorf("stands at %d", r.Pos())
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestIntegersAreClamped(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "-0": 0, " 7": 7, "-15": -15, "9223372036854775807": math.MaxInt64, "9223372036854775808": math.MaxInt64,
		"-9223372036854775808": math.MinInt64, "-9223372036854775809": math.MinInt64, strings.Repeat("9", 40): math.MaxInt64} {
		t.Run(text, func(t *testing.T) {
			r := strictjson.New([]byte(text), 0, &form)
			var got int64
			if !r.Integer(&got, true) || got != want || r.Pos() != len(text) {
				t.Errorf("got %d, %v, want %d", got, r.Err(), want)
			}
		})
	}
}

// Valid takes as many levels as encoding/json.
func TestValidNests(t *testing.T) {
	for levels, want := range map[int]bool{10_000: true, 10_001: false} {
		t.Run(fmt.Sprint(levels), func(t *testing.T) {
			text := []byte(strings.Repeat("[", levels) + strings.Repeat("]", levels))
			if got := strictjson.Valid(text); got != want || got != json.Valid(text) {
				t.Errorf("%d levels: got %t, want %t", levels, got, want)
			}
		})
	}
}

// A copy is a place to come back to, its errors with it.
func TestCopyIsAPlace(t *testing.T) {
	r := strictjson.New([]byte(`["a"]`), 0, &form)
	start := r
	if r.List(func(int) bool { var v bool; return r.Bool(&v) }) || r.Err() == nil {
		t.Fatal("a string is true or false")
	}
	if r = start; !r.Skip() || r.Err() != nil {
		t.Errorf("from the start: %v", r.Err())
	}
}

// BenchmarkSkip checks a text of objects, Chinese and numbers; beside it json.Valid.
func BenchmarkSkip(b *testing.B) {
	text := []byte("[" + strings.Repeat(`{"code":"payer_mismatch","seq":12345,"text":{"en":"Refund N1 goes to another card.","zh":"退款 N1 退到了另一张卡。"},"more":[true,null,-1.5e3]},`, 20) + "{}]")
	f := strictjson.Form{Depth: 1024}
	b.Run("strictjson", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if r := strictjson.New(text, 0, &f); !r.Skip() {
				b.Fatal(r.Err())
			}
		}
	})
	b.Run("json-valid", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if !json.Valid(text) {
				b.Fatal("not valid")
			}
		}
	})
}
