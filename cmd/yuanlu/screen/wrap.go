package screen

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// columns returns how many columns of a terminal the text takes: Chinese characters
// take two, colours none.
func columns(text string) int {
	n := 0
	for text != "" {
		if skip := escapeLength(text); skip > 0 {
			text = text[skip:]
			continue
		}
		c, size := utf8.DecodeRuneInString(text)
		n += runeColumns(c)
		text = text[size:]
	}
	return n
}

func runeColumns(c rune) int {
	switch width.LookupRune(c).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// escapeLength is the length of the colour that the text begins with, 0 for none.
func escapeLength(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 0
	}
	return strings.IndexByte(text, 'm') + 1
}

// padTo fills the text with blanks to n columns, one at least.
func padTo(text string, n int) string {
	return text + strings.Repeat(" ", max(1, n-columns(text)))
}

// closing is punctuation that begins no line, opening what ends none.
const (
	closing = "，。；：？！、）》」”,.;:?!)"
	opening = "（《「“("
)

// words parts text where a line may end: behind blanks, and between Chinese characters.
func words(text string) []string {
	var all []string
	begin := 0
	last := rune(0)
	for at, c := range text {
		wide := runeColumns(c) == 2
		switch {
		case at == begin:
		case last == ' ' && c != ' ',
			(wide || runeColumns(last) == 2) && c != ' ' && !strings.ContainsRune(closing, c) && !strings.ContainsRune(opening, last):
			all = append(all, text[begin:at])
			begin = at
		}
		last = c
	}
	return append(all, text[begin:])
}

// wrap parts a text into lines of at most most columns, between words; a word that is
// longer has a line, or more, of its own. 0: no bound.
func wrap(text string, most int) []string {
	if most <= 0 || columns(text) <= most {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, w := range words(text) {
		if line != "" && columns(line)+columns(strings.TrimRight(w, " ")) > most {
			lines = append(lines, strings.TrimRight(line, " "))
			line = ""
		}
		for columns(w) > most && columns(strings.TrimRight(w, " ")) > most { // a path, a number
			head := headOf(w, most)
			lines, w = append(lines, head), w[len(head):]
		}
		line += w
	}
	return append(lines, strings.TrimRight(line, " "))
}

// headOf returns as much of a text as fits into n columns, one character at least.
func headOf(text string, n int) string {
	at := 0
	for at < len(text) {
		c, size := utf8.DecodeRuneInString(text[at:])
		if n -= runeColumns(c); n < 0 && at > 0 {
			break
		}
		at += size
	}
	return text[:at]
}

// cut shortens a text to n columns between words, and shows that something is missing.
func (s *Screen) cut(text string, n int) string {
	if n <= 0 || columns(text) <= n {
		return text
	}
	more := s.sign("…")
	kept := ""
	for _, w := range words(text) {
		if columns(kept+strings.TrimRight(w, " "))+columns(more) > n {
			break
		}
		kept += w
	}
	if kept == "" {
		kept = headOf(text, n-columns(more))
	}
	return strings.TrimRight(kept, " ,;:，；：") + more
}

// hang returns text behind a beginning, wrapped at the screen's width with all lines but
// the first indented.
func (s *Screen) hang(begin string, indent int, text string) []string {
	text = s.sign(text)
	begin = s.sign(begin)
	most := 0
	if s.Width > 0 {
		most = max(s.Width-indent, 20)
	}
	first := text
	var rest []string
	if at := columns(begin); most > 0 && at > indent { // the first line has less room
		lines := wrap(strings.Repeat("\x00", at-indent)+text, most)
		first = strings.TrimLeft(lines[0], "\x00")
		rest = lines[1:]
	} else {
		lines := wrap(text, most)
		first, rest = lines[0], lines[1:]
		begin = begin + strings.Repeat(" ", max(0, indent-columns(begin)))
	}
	all := []string{strings.TrimRight(begin+first, " ")}
	for _, l := range rest {
		all = append(all, strings.Repeat(" ", indent)+l)
	}
	return all
}

// para returns a text whose lines but the first are indented.
func (s *Screen) para(indent int, text string) []string {
	lines := s.hang("", indent, text)
	lines[0] = strings.TrimLeft(lines[0], " ")
	return lines
}

// sign returns a text with signs that this screen can show.
func (s *Screen) sign(text string) string {
	if s.Plain {
		return plain(text)
	}
	return text
}
