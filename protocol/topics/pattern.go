package topics

import (
	"regexp"
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

// pattern is a "pattern" of a schema. Nearly all of ours are literal text and repeated sets of
// ASCII characters, one after the other, from the beginning of the text: those are matched
// by their parts, each of 50 bytes. The others are a regexp.Regexp of 20 KiB.
type pattern struct {
	source string
	parts  []part
	whole  bool           // the parts reach to the end of the text
	other  *regexp.Regexp // nil: the parts
}

// part is literal text, or least to most characters of a set.
type part struct {
	text        string // "": the set
	set         set
	least, most int
}

// set is a set of ASCII characters, one bit each.
type set [2]uint64

func (s *set) has(c byte) bool {
	return c < utf8.RuneSelf && s[c>>6]>>(c&63)&1 != 0
}

// mostRepeated stands for a repetition without a bound: longer than any payload.
const mostRepeated = 1 << 30

// compilePattern compiles a pattern.
func compilePattern(source string) (*pattern, error) {
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	p := &pattern{source: source}
	if !p.split(parsed) {
		p.other, err = regexp.Compile(source)
	}
	return p, err
}

// split takes a pattern apart; false: it is not of that kind, or taking as many characters of
// a set as there are could be wrong, because what follows may begin with one of them.
func (p *pattern) split(re *syntax.Regexp) bool {
	if re.Op != syntax.OpConcat || re.Sub[0].Op != syntax.OpBeginText {
		return false
	}
	subs := re.Sub[1:]
	if n := len(subs); subs[n-1].Op == syntax.OpEndText {
		p.whole, subs = true, subs[:n-1]
	}
	for i, sub := range subs {
		one, ok := compilePart(sub)
		if !ok {
			return false
		}
		for before := i - 1; before >= 0; before-- {
			if p.parts[before].meets(&one) {
				return false
			}
			if p.parts[before].least > 0 {
				break
			}
		}
		p.parts = append(p.parts, one)
	}
	return true
}

func compilePart(re *syntax.Regexp) (one part, ok bool) {
	one.least, one.most = 1, 1
	switch re.Op {
	case syntax.OpLiteral:
		one.text = string(re.Rune)
		return one, re.Flags&syntax.FoldCase == 0
	case syntax.OpPlus:
		one.most = mostRepeated
	case syntax.OpStar:
		one.least, one.most = 0, mostRepeated
	case syntax.OpQuest:
		one.least = 0
	case syntax.OpRepeat:
		if one.least, one.most = re.Min, re.Max; re.Max < 0 {
			one.most = mostRepeated
		}
	case syntax.OpCharClass:
		ok = one.set.fill(re)
		return one, ok
	default:
		return one, false
	}
	ok = one.set.fill(re.Sub[0])
	return one, ok
}

// fill adds the characters of a class, or of a literal of one character; false: there are
// others than ASCII in it.
func (s *set) fill(re *syntax.Regexp) bool {
	runes := re.Rune
	switch {
	case re.Op == syntax.OpLiteral && len(runes) == 1 && re.Flags&syntax.FoldCase == 0:
		runes = []rune{runes[0], runes[0]}
	case re.Op != syntax.OpCharClass:
		return false
	}
	for i := 0; i+1 < len(runes); i += 2 {
		if runes[i+1] > unicode.MaxASCII {
			return false
		}
		for c := runes[i]; c <= runes[i+1]; c++ {
			s[c>>6] |= 1 << (c & 63)
		}
	}
	return true
}

// meets reports whether the text of next may begin with a character that p repeats, so that
// how often p does is not clear from the text.
func (p *part) meets(next *part) bool {
	if p.text != "" || p.least == p.most {
		return false
	}
	if next.text != "" {
		return p.set.has(next.text[0])
	}
	return p.set[0]&next.set[0]|p.set[1]&next.set[1] != 0
}

// match reports whether text matches.
func (p *pattern) match(text []byte) bool {
	if p.other != nil {
		return p.other.Match(text)
	}
	for i := range p.parts {
		one := &p.parts[i]
		if n := len(one.text); n > 0 {
			if len(text) < n || string(text[:n]) != one.text {
				return false
			}
			text = text[n:]
			continue
		}
		n := 0
		for n < len(text) && n < one.most && one.set.has(text[n]) {
			n++
		}
		if n < one.least {
			return false
		}
		text = text[n:]
	}
	return !p.whole || len(text) == 0
}
