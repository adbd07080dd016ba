package sensitive_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"yuanlu/protocol/sensitive"
)

const clear = "6200000000000005"

type document struct{ V sensitive.Text }

type holder struct {
	Open   sensitive.Text
	shut   sensitive.Text
	Also   []sensitive.Text
	nested struct{ Deep *sensitive.Text }
}

func TestTextHasNoPrintableForm(t *testing.T) {
	x := sensitive.New(clear)
	h := holder{Open: x, shut: x, Also: []sensitive.Text{x}}
	h.nested.Deep = &x
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%t", "%p", "%200.3v"} {
		for name, v := range map[string]any{"text": x, "pointer": &x, "struct": h, "struct pointer": &h, "map": map[string]any{"k": x}} {
			check(t, verb+" of "+name, fmt.Sprintf(verb, v))
		}
	}
	check(t, "error", fmt.Errorf("field 2: %w: %v", errors.New("got"), x).Error())
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "json", string(b))
	if !strings.Contains(string(b), sensitive.Hidden) {
		t.Errorf("json does not show that something is hidden: %s", b)
	}
	if b, err = xml.Marshal(document{x}); err != nil {
		t.Fatal(err)
	}
	check(t, "xml", string(b))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "pan", x, "struct", h, "group", slog.GroupValue(slog.Any("pan", x)))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "pan", x, "struct", h)
	check(t, "slog", log.String())
	var g bytes.Buffer
	_ = gob.NewEncoder(&g).Encode(document{x})
	check(t, "gob", g.String())
}

func check(t *testing.T, what, got string) {
	t.Helper()
	low := strings.ToLower(got)
	if strings.Contains(got, clear) || strings.Contains(low, fmt.Sprintf("%x", clear)) {
		t.Errorf("%s shows the clear value: %s", what, got)
	}
}

func TestTextKeepsItsValue(t *testing.T) {
	x := sensitive.New(clear)
	if x.Reveal() != clear || x.Empty() || !x.Equal(sensitive.New(clear)) || x.Equal(sensitive.Text{}) {
		t.Error("a Text does not hold what it was given")
	}
	if z := sensitive.New(""); !z.Empty() || z.Reveal() != "" || !z.Equal(sensitive.Text{}) {
		t.Error("an empty value is not the zero Text")
	}
}
