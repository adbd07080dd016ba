package houserules

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// refused are words that comments do without, because each hides which of several
// things happens: a function returns a value, an event is published, a verdict is
// released, a line is logged. The contributor's page has the word for each thing.
var refused = regexp.MustCompile(`(?i)\b(gives( up)?|anew|whoever|nobody|told|says so)\b`)

func TestRefusedWords(t *testing.T) {
	all, fset := rooms(t)
	for _, r := range all {
		for _, f := range r.files {
			for _, c := range f.ast.Comments {
				for _, w := range refused.FindAllString(c.Text(), -1) {
					if !strings.HasSuffix(w, " up") && f.path != "agent/houserules/words_test.go" {
						t.Errorf("%s:%d: %q in a comment; write what happens instead", f.path, fset.Position(c.Pos()).Line, w)
					}
				}
			}
		}
	}
}

// TestGlossary: the contributor's page lists each word once, in order.
func TestGlossary(t *testing.T) {
	text, err := os.ReadFile("../../.github/CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "## Glossary")
	if !ok {
		t.Fatal("no glossary")
	}
	last, words := "", 0
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| [^|]+ \|$`).FindAllStringSubmatch(table, -1) {
		word := strings.ToLower(m[1])
		if word == "word" {
			continue
		}
		if word <= last {
			t.Errorf("%q stands after %q", word, last)
		}
		last, words = word, words+1
	}
	if words < 60 {
		t.Errorf("%d words, want 60 at least", words)
	}
}
