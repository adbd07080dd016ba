package catalogue

import (
	_ "embed" // the catalogue
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

//go:embed chinese.txt
var chinese string

// pattern is one English text: its pieces, between which something differs.
type pattern struct {
	pieces []string // one more than there are gaps
	zh     string   // with {1} for the first gap
}

type book struct {
	exact    map[string]string
	patterns []pattern // the most specific first
	names    map[string]Text
}

// load reads the catalogue once: a daemon that is never asked in Chinese has none of it.
var load = sync.OnceValue(func() *book { return read(chinese) })

// read reads lines of "English → Chinese" and "code = English → Chinese". What is neither
// is a heading or a comment.
func read(text string) *book {
	b := &book{exact: map[string]string{}, names: map[string]Text{}}
	for line := range strings.Lines(text) {
		en, zh, ok := strings.Cut(strings.TrimRight(line, "\n"), " → ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if code, name, named := strings.Cut(en, " = "); named && isCode(code) {
			b.names[code] = Text{EN: name, ZH: zh}
			continue
		}
		if !strings.Contains(en, "{}") {
			b.exact[en] = zh
			continue
		}
		b.patterns = append(b.patterns, pattern{strings.Split(en, "{}"), zh})
	}
	slices.SortStableFunc(b.patterns, func(x, y pattern) int { return y.fixed() - x.fixed() })
	return b
}

func isCode(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}

// fixed is how many bytes of a pattern do not differ.
func (p *pattern) fixed() int {
	n := 0
	for _, piece := range p.pieces {
		n += len(piece)
	}
	return n
}

// match returns what stands in the gaps of a text that fits.
func match(text string, pieces []string) (gaps []string, ok bool) {
	rest, ok := strings.CutPrefix(text, pieces[0])
	if !ok {
		return nil, false
	}
	if len(pieces) == 1 {
		return nil, rest == ""
	}
	for at := 1; at <= len(rest); at++ { // a gap holds something
		next := strings.Index(rest[at:], pieces[1])
		if next < 0 {
			return nil, false
		}
		at += next
		if len(pieces) == 2 && pieces[1] == "" {
			at = len(rest)
		}
		if more, ok := match(rest[at:], pieces[1:]); ok {
			return append([]string{rest[:at]}, more...), true
		}
	}
	return nil, false
}

// deepest bounds how often a text is taken apart.
const deepest = 12

// Chinese returns the Chinese of an English text, as far as the catalogue has it; what it
// does not have stays. Text that is Chinese already comes back as it is.
func Chinese(en string) string {
	zh, _ := (&translation{load(), map[string]found{}}).chinese(en, deepest)
	return zh
}

// translation is that of one text; done has its parts.
type translation struct {
	*book
	done map[string]found
}

// found is the Chinese of a text, and whether all of it was found or is no language.
type found struct {
	zh  string
	all bool
}

func (t *translation) chinese(en string, depth int) (zh string, all bool) {
	switch zh, exact := t.exact[en]; {
	case exact:
		return zh, true
	case depth == 0:
		return en, false
	case neutral(en):
		return en, true
	}
	if was, ok := t.done[en]; ok {
		return was.zh, was.all
	}
	zh, all = t.parts(en, depth)
	t.done[en] = found{zh, all}
	return zh, all
}

// parts translates a text that is no single entry: as a chain of known parts, else by a
// pattern, else as far as it goes.
func (t *translation) parts(en string, depth int) (zh string, all bool) {
	for i := range t.patterns { // the name of a room before what it reports
		p := &t.patterns[i]
		if rest, ok := strings.CutPrefix(en, p.pieces[0]); ok && rest != "" && len(p.pieces) == 2 && p.pieces[1] == "" && strings.HasSuffix(p.pieces[0], ": ") {
			zh, all := t.chinese(rest, depth-1)
			return strings.ReplaceAll(p.zh, "{1}", zh), all
		}
	}
	chain, all := t.apart(en, depth)
	if all {
		return chain, true
	}
	for i := range t.patterns {
		p := &t.patterns[i]
		gaps, ok := match(en, p.pieces)
		if !ok {
			continue
		}
		filled, known := make([]string, 0, 2*len(gaps)), true
		for k, gap := range gaps {
			zh, all := t.chinese(gap, depth-1)
			known = known && all
			filled = append(filled, "{"+strconv.Itoa(k+1)+"}", zh)
		}
		if known || p.fixed() >= specific {
			return strings.NewReplacer(filled...).Replace(p.zh), true
		}
	}
	if zh, ok := t.bracketed(en, depth); ok {
		return zh, true
	}
	return chain, false
}

// specific is how many bytes of a pattern are fixed where something that is not known may
// stand in a gap: else "{} or {}" would fit many a sentence.
const specific = 8

// joint is where a text of several parts comes apart, and what stands there in Chinese.
type joint struct{ en, zh string }

// apart translates a text part by part.
func (t *translation) apart(en string, depth int) (zh string, ok bool) {
	for _, j := range []joint{{"\n", "\n"}, {"; ", "；"}, {": ", "："}, {", ", "，"}} {
		for at := 0; ; {
			next := strings.Index(en[at:], j.en)
			if next < 0 {
				break
			}
			at += next
			left, known := en[:at], false
			if strings.Count(left, "(") == strings.Count(left, ")") { // else what is in brackets would come apart
				left, known = t.chinese(left, depth-1)
			}
			if known {
				right, all := t.chinese(en[at+len(j.en):], depth-1)
				if !han(left) && !han(right) {
					return left + j.en + right, all
				}
				return left + j.zh + right, all
			}
			at += len(j.en)
		}
	}
	return en, false
}

// bracketed translates a text with something in brackets behind it.
func (t *translation) bracketed(en string, depth int) (zh string, ok bool) {
	if open := strings.Index(en, " ("); open > 0 && strings.HasSuffix(en, ")") {
		if left, known := t.chinese(en[:open], depth-1); known {
			inside, all := t.chinese(en[open+2:len(en)-1], depth-1)
			return left + "（" + inside + "）", all
		}
	}
	return en, false
}

// neutral reports whether a text is no sentence: a path, a name, a number, a value in
// quotes, or Chinese.
func neutral(text string) bool {
	return han(text) || !strings.ContainsFunc(text, unicode.IsLetter) || !strings.Contains(text, " ") ||
		len(text) > 1 && text[0] == '"' && strings.IndexByte(text[1:], '"') == len(text)-2
}

// han reports whether a text has a Chinese character.
func han(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) })
}

// Name returns what a code or a value is called; the code itself where the catalogue has
// no name.
func Name(code string) Text {
	b := load()
	if t, ok := b.names[code]; ok {
		return t
	}
	if zh, ok := b.exact[code]; ok {
		return Text{EN: code, ZH: zh}
	}
	return Same(code)
}

// Named reports whether a code has a name.
func Named(code string) bool {
	_, ok := load().names[code]
	return ok
}
