package page

import (
	_ "embed" // the texts
	"errors"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// Languages of the page; both is that of the printed case.
const (
	en   = "en"
	zh   = "zh"
	both = "both"
)

// textsTSV has every text of the page: key, English, Chinese. Names in braces are filled in.
//
//go:embed texts.tsv
var textsTSV string

// ErrText is the class of errors about the texts of the page.
var ErrText = errors.New("page: a text is missing or not well formed")

type text struct{ en, zh string }

type texts struct{ of map[string]text }

// readTexts reads the table; every line must have a text in both languages.
func readTexts(table string) (*texts, error) {
	t := &texts{of: map[string]text{}}
	n := 0
	for line := range strings.Lines(table) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if n == 1 || line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		col := strings.Split(line, "\t")
		if len(col) != 3 || col[0] == "" || col[1] == "" || col[2] == "" {
			return nil, fmt.Errorf("%w: line %d: want key, English, Chinese", ErrText, n)
		}
		if _, twice := t.of[col[0]]; twice {
			return nil, fmt.Errorf("%w: line %d: %s comes twice", ErrText, n, col[0])
		}
		t.of[col[0]] = text{col[1], col[2]}
	}
	return t, nil
}

// speaker writes the texts of one language, or of both.
type speaker struct {
	texts *texts
	lang  string
}

func (t *texts) speaker(lang string) *speaker { return &speaker{t, lang} }

// known reports whether there is a text.
func (s *speaker) known(key string) bool { _, ok := s.texts.of[key]; return ok }

// text returns a text as it stands; in both languages, the Chinese first. An unknown key
// is its own text: a test finds it.
func (s *speaker) text(key string) string {
	t, ok := s.texts.of[key]
	switch {
	case !ok:
		return key
	case s.lang == en:
		return t.en
	case s.lang == zh || t.en == t.zh:
		return t.zh
	}
	return t.zh + " " + t.en
}

// html returns a text for a page; in both languages each is marked with its own.
func (s *speaker) html(key string, fill map[string]template.HTML) template.HTML {
	t, ok := s.texts.of[key]
	switch {
	case !ok:
		return escaped(key)
	case s.lang == en:
		return filled(t.en, fill)
	case s.lang == zh:
		return filled(t.zh, fill)
	case t.en == t.zh:
		return filled(t.zh, fill)
	}
	return `<span lang="zh">` + filled(t.zh, fill) + `</span> <span lang="en">` + filled(t.en, fill) + `</span>`
}

// each writes something in the language of the page; in both, once in each, so that no
// sentence mixes them.
func (s *speaker) each(write func(*speaker) template.HTML) template.HTML {
	if s.lang != both {
		return write(s)
	}
	chinese, english := write(s.texts.speaker(zh)), write(s.texts.speaker(en))
	if chinese == english {
		return chinese
	}
	return `<span lang="zh">` + chinese + `</span> <span lang="en">` + english + `</span>`
}

// escaped is a text that is never markup.
func escaped(s string) template.HTML {
	return template.HTML(template.HTMLEscapeString(s)) //nolint:gosec // it is escaped
}

// filled escapes a text and puts values, which are escaped already, at their names.
func filled(text string, fill map[string]template.HTML) template.HTML {
	pairs := make([]string, 0, 2*len(fill))
	for _, name := range slices.Sorted(maps.Keys(fill)) {
		pairs = append(pairs, "{"+name+"}", string(fill[name]))
	}
	return template.HTML(strings.NewReplacer(pairs...).Replace(string(escaped(text)))) //nolint:gosec // text is escaped, and the values are
}

// name is what a value of an enumeration is called; a value that the page does not know
// stands as it is.
func (s *speaker) name(group, value string) string {
	if value == "" {
		return s.text("none")
	}
	if key := "v." + group + "." + value; s.known(key) {
		return s.text(key)
	}
	return value
}

// named is name for a page.
func (s *speaker) named(group, value string) template.HTML {
	switch key := "v." + group + "." + value; {
	case value == "":
		return s.html("none", nil)
	case s.known(key):
		return s.html(key, nil)
	}
	return escaped(value)
}

// names joins the names of several values.
func (s *speaker) names(group string, values []string) string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, s.name(group, v))
	}
	return strings.Join(out, s.text("and"))
}

// refusal is the text of a refusal, with its code small beside it (casework.md § 11).
func (s *speaker) refusal(code casework.Refusal) template.HTML {
	for _, t := range casework.Refusals() {
		if t.Code == code {
			one := texts{map[string]text{"r": {t.EN, t.ZH}}}
			return one.speaker(s.lang).html("r", nil) + ` <code class="small">` + escaped(string(code)) + `</code>`
		}
	}
	return escaped(string(code))
}

// written is what a person or a terminal wrote: never translated, marked with its language.
func written(s string) template.HTML {
	lang := en
	for _, c := range s {
		if c >= 0x2e80 && c <= 0x9fff {
			lang = zh
			break
		}
	}
	return template.HTML(`<span class="written" lang="`+lang+`">`) + escaped(s) + `</span>` //nolint:gosec // lang is en or zh
}
