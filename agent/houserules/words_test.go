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

// unconverted are the folders whose comments still hold such words, and how many in
// all. The number only ever shrinks.
var (
	unconverted = regexp.MustCompile(`^(agent|cmd/yuanlu|protocol/(mqtt|smart|strictjson|topics))\b`)
	atMost      = 221
)

func TestRefusedWords(t *testing.T) {
	all, fset := rooms(t)
	rest := 0
	for dir, r := range all {
		for _, f := range r.files {
			for _, c := range f.ast.Comments {
				for _, w := range refused.FindAllString(c.Text(), -1) {
					switch {
					case strings.HasSuffix(w, " up"):
					case unconverted.MatchString(dir):
						rest++
						t.Logf("%s:%d: %q", f.path, fset.Position(c.Pos()).Line, w)
					default:
						t.Errorf("%s:%d: %q in a comment; write what happens instead", f.path, fset.Position(c.Pos()).Line, w)
					}
				}
			}
		}
	}
	if rest > atMost {
		t.Errorf("%d refused words in comments, at most %d", rest, atMost)
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
