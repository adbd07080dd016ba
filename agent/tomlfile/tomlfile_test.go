package tomlfile

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

// lines writes expressions one a line: place, header or name, kind and text of the value.
func lines(all []Expression) (out []string) {
	for _, e := range all {
		var path []string
		for _, k := range e.Path {
			path = append(path, fmt.Sprintf("%s@%d:%d", k.Name, k.At.Line, k.At.Column))
		}
		line := strings.Join(path, " ")
		switch {
		case e.Header:
			line = "[" + line + "]"
		case e.Array:
			line = "[[" + line + "]]"
		default:
			line += " = " + shown(e.Value)
		}
		out = append(out, line)
	}
	return out
}

func shown(v Value) string {
	s := fmt.Sprintf("%d %q@%d:%d/%d", v.Kind, v.Text, v.At.Line, v.At.Column, v.At.Byte)
	for _, one := range v.List {
		s += " (" + shown(one) + ")"
	}
	if len(v.Table) > 0 {
		s += " {" + strings.Join(lines(v.Table), ", ") + "}"
	}
	return s
}

func TestPlaces(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                   nil,
		"a = \"中\" # b\n":                    {`a@1:1 = 0 "中"@1:5/5`},
		"\n[a . b]\nc=-1_0":                  {`[a@2:2 b@2:6]`, `c@3:1 = 2 "-1_0"@3:3/3`},
		"[[x]]\ny.z = true":                  {`[[x@1:3]]`, `y@2:1 z@2:3 = 1 "true"@2:7/7`},
		"a = [\"中\", 1.5] ":                  {`a@1:1 = 5 ""@1:1/1 (0 "中"@1:6/6) (3 "1.5"@1:11/13)`},
		"a = {b = 1979-05-27, \"c d\" = {}}": {`a@1:1 = 6 ""@1:5/5 {b@1:6 = 4 "1979-05-27"@1:10/10, c d@1:22 = 6 ""@1:30/30}`},
	} {
		t.Run(text, func(t *testing.T) {
			all, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, lines(all)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSyntaxErrorHasItsLine(t *testing.T) {
	text := "a = 1\nb = \"x\nc = 2\n"
	all, err := Parse([]byte(text))
	if err == nil || len(all) != 1 || text[err.From:err.To] != `b = "x` || err.At.Line != 2 || err.Error() == "" {
		t.Errorf("got %v, %+v", lines(all), err)
	}
}

func TestBefore(t *testing.T) {
	a, b, c := Place{1, 5, 5}, Place{2, 1, 1}, Place{2, 2, 2}
	if !a.Before(b) || !b.Before(c) || b.Before(a) || c.Before(b) || a.Before(a) {
		t.Error("places are out of order")
	}
}

// FuzzParse: what go-toml takes has no syntax error, and every place is in the text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a = 1", "[a]\nb = \"\"\"x\ny\"\"\"", "a = [1, # c\n 2]", "[[a]]\n[a.b]", "a = {b = {c = []}}", "a = ", "\xff", "'", "a=\"\\uD800\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Parse(text)
		var whole map[string]any
		if err != nil && toml.Unmarshal(text, &whole) == nil {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil && (err.From < 0 || err.To > len(text) || err.From > err.To || err.At.Line < 1) {
			t.Fatalf("%q: %+v", text, err)
		}
		count := 1 + strings.Count(string(text), "\n")
		for _, e := range all {
			for _, k := range e.Path {
				if k.At.Line < 1 || k.At.Line > count || k.At.Column < 1 || k.At.Column > 1+utf8.RuneCount(text) {
					t.Fatalf("%q: %+v", text, k)
				}
			}
		}
	})
}
