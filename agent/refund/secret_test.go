package refund

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// leak fails the test if text holds the clear number, its digits as hexadecimal
// text, or any long part of it.
func leak(t *testing.T, how, text, clear string) {
	t.Helper()
	for _, form := range []string{clear, clear[2:14], fmt.Sprintf("%x", clear), fmt.Sprintf("%X", clear)} {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the clear identifier", how)
		}
	}
}

func TestSecretCannotPrint(t *testing.T) {
	const clear = "6200000111122227" // its middle is in no address
	type inner struct{ hiddenField Record }
	s := NewSecret(clear)
	rec := Record{Party: &Party{Scheme: SchemePAN, ID: s, PAR: s, Also: []Party{{Scheme: SchemePAN, ID: s}}}}
	values := map[string]any{
		"secret": s, "pointer": &s, "slice": []Secret{s}, "map": map[string]Secret{"a": s},
		"party": *rec.Party, "party pointer": rec.Party, "also": rec.Party.Also, "record": rec,
		"unexported field": inner{rec}, "unexported secret": struct{ s Secret }{s},
		"unexported party": struct{ p Party }{*rec.Party}, "any": []any{s, &s}, "key": map[Secret]int{s: 1},
	}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%T", "%p", "%10.3s", "%-40s", "%c", "%U", "%b", "%e", "%t", "%z"}
	for name, v := range values {
		for _, verb := range verbs {
			leak(t, name+" "+verb, fmt.Sprintf(verb, v), clear)
		}
		leak(t, name+" Sprintln", fmt.Sprintln(v), clear)
		if b, err := json.Marshal(v); err == nil {
			leak(t, name+" json", string(b), clear)
		}
		if b, err := xml.Marshal(v); err == nil {
			leak(t, name+" xml", string(b), clear)
		}
		var g bytes.Buffer
		_ = gob.NewEncoder(&g).Encode(v) // may refuse; must not leak
		leak(t, name+" gob", g.String(), clear)
		var l bytes.Buffer
		slog.New(slog.NewTextHandler(&l, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		slog.New(slog.NewJSONHandler(&l, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		leak(t, name+" slog", l.String(), clear)
	}
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%s", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%d", &s), s.String(), s.GoString()} {
		t.Run(got, func(t *testing.T) {
			if got != "[hidden]" {
				t.Errorf("got %q, want [hidden]", got)
			}
		})
	}
	if err := fmt.Errorf("decode: %v %w", s, ErrInput); strings.Contains(err.Error(), clear) {
		t.Error("an error shows the clear identifier")
	}
}

func TestSecretValue(t *testing.T) {
	if !(Secret{}).Empty() || !NewSecret("").Empty() || NewSecret("") != (Secret{}) {
		t.Error("no text is not the zero Secret")
	}
	a, b := NewSecret("x1"), NewSecret("x1")
	if !a.Equal(b) || a.Equal(NewSecret("x2")) || a.Equal(Secret{}) || a.Empty() || a.Reveal() != "x1" {
		t.Error("Equal, Empty or Reveal wrong")
	}
}
