package topics

import (
	"regexp"
	"regexp/syntax"
	"testing"

	"pgregory.net/rapid"
)

// TestPatternsMatchAsRegexp: every pattern of the schemas, and some that they may have one
// day, against package regexp.
func TestPatternsMatchAsRegexp(t *testing.T) {
	sources := map[string]bool{"^a{2,3}$": false, "^[a-c]+x?y*$": false, "^[^a]b$": true, "^(a|bc)$": true, "a": true, "^[a-c]{1,2}c$": true, "^[a-c]{2}c": false,
		"^a[b-z]*": false, "^(?i)ab$": true, "^[éf]$": true, "^é+$": true, "^é$": false, "^a?b?a$": true, "^[a-c]*[x-z]?[d-f]$": false, "^$": false, "^a.$": true, "^-[0-9]{1,2}[.]": false, "^a|b$": true}
	for _, r := range testValidator(t).rules {
		collectPatterns(r, sources)
	}
	if len(sources) < 20 {
		t.Fatalf("%d patterns: those of the schemas are missing", len(sources))
	}
	for source, other := range sources {
		t.Run(source, func(t *testing.T) {
			p, err := compilePattern(source)
			if err != nil {
				t.Fatal(err)
			}
			if other != (p.other != nil) {
				t.Fatalf("taken apart: %v", p.other == nil)
			}
			want := regexp.MustCompile(source)
			parsed, err := syntax.Parse(source, syntax.Perl)
			if err != nil {
				t.Fatal(err)
			}
			like := rapid.StringMatching(parsed.String())
			rapid.Check(t, func(t *rapid.T) {
				text := []byte(like.Draw(t, "text"))
				if i := rapid.IntRange(0, 2*len(text)+2).Draw(t, "at"); i <= len(text) {
					text = append(text[:i], append([]byte(rapid.StringN(0, 2, -1).Draw(t, "more")), text[min(len(text), i+rapid.IntRange(0, 1).Draw(t, "less")):]...)...)
				}
				if p.match(text) != want.Match(text) {
					t.Fatalf("%q: %v", text, p.match(text))
				}
			})
		})
	}
}

func collectPatterns(r *rule, to map[string]bool) {
	if r == nil {
		return
	}
	if r.pattern != nil {
		to[r.pattern.source] = false
	}
	collectPatterns(r.items, to)
	collectPatterns(r.additional, to)
	for _, m := range r.order {
		collectPatterns(m.rule, to)
	}
	for _, sub := range r.anyOf {
		collectPatterns(sub, to)
	}
}
