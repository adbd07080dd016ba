package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What keyboards, editors and office programs put into a file in place of the characters
// that TOML has. Each is named by its character, not its bytes, and the file is read on as
// if the right one stood there, so that one wrong quote is one error.

const byteOrderMark = "\uFEFF"

// lookalike is a character that stands for another one outside of quotes.
type lookalike struct {
	right rune
	name  string
}

// lookalikes returns what a character was meant to be; ok is false for one that is right.
func lookalikes(c rune) (l lookalike, ok bool) {
	switch c {
	case '“', '”', '„', '‟', '«', '»', '＂', '″':
		return lookalike{'"', "a curly quote"}, true
	case '‘', '’', '‚', '‛', '＇', '′':
		return lookalike{'\'', "a curly quote"}, true
	case '「', '」', '『', '』':
		return lookalike{'"', "a corner bracket"}, true
	case '【', '〔':
		return lookalike{'[', "a full-width bracket"}, true
	case '】', '〕':
		return lookalike{']', "a full-width bracket"}, true
	case '，', '、':
		return lookalike{',', "a full-width comma"}, true
	case '。':
		return lookalike{'.', "a full-width full stop"}, true
	case '–', '—', '−':
		return lookalike{'-', "a long dash"}, true
	case '\u3000', '\u00A0', '\u2002', '\u2003', '\u2009', '\u202F':
		return lookalike{' ', "a blank of another width"}, true
	case '\u200B', '\u200C', '\u200D', '\u2060', '\uFEFF':
		return lookalike{' ', "a character that is not seen"}, true
	}
	if c >= '！' && c <= '～' { // the full-width forms of ASCII
		return lookalike{c - '！' + '!', "a full-width character"}, true
	}
	return lookalike{}, false
}

// mended is a text with right characters in the place of lookalikes.
type mended struct {
	text []byte
	errs Errors
	bare map[int]string // by line: a word that stands as a value without quotes
}

// mend reads the text line by line and keeps every character's place: line and column.
func mend(file string, text []byte) mended {
	m := mended{bare: map[int]string{}}
	if rest, marked := bytes.CutPrefix(text, []byte(byteOrderMark)); marked {
		text = rest
		m.errs = append(m.errs, Problem{File: file, Line: 1, Col: 1,
			Message: "the file begins with a byte order mark (U+FEFF), which some editors write: save it as UTF-8 without one, or: sed -i '1s/^\\xEF\\xBB\\xBF//' " + file})
	}
	line, read := 0, 0
	for raw := range bytes.Lines(text) {
		line++
		if bytes.Contains(raw, []byte(`"""`)) || bytes.Contains(raw, []byte(`'''`)) {
			m.text = append(m.text, text[read:]...) // text of several lines may hold anything
			return m
		}
		read += len(raw)
		right, wrong, col, comment := mendLine(string(raw))
		if wrong != 0 {
			m.errs = append(m.errs, Problem{File: file, Line: line, Col: col, Message: lookalikeText(wrong, right[:len(right)-comment])})
		}
		if quoted, word := quoteWord(right); word != "" {
			right, m.bare[line] = quoted, word
		}
		m.text = append(m.text, right...)
	}
	return m
}

// lookalikeText names a character, and shows the line as it should be unless it may hold a
// secret that stands in the wrong place.
func lookalikeText(wrong rune, right string) string {
	l, _ := lookalikes(wrong)
	text := fmt.Sprintf("%c (U+%04X) is %s: write %c", wrong, wrong, l.name, l.right)
	if l.right == ' ' {
		text = fmt.Sprintf("U+%04X is %s: write a blank", wrong, l.name)
	}
	right = strings.TrimSpace(right)
	key, _, _ := strings.Cut(right, "=")
	if len(right) > 120 || regexp.MustCompile(`(?i)pass|secret|token|pin|key`).MatchString(key) {
		return text
	}
	return text + "; the line should be: " + right
}

// mendLine returns the line with right characters, the first that was wrong and its column
// from 1, and how many bytes at its end are a comment. What stands between straight quotes,
// and comments, are left alone.
func mendLine(line string) (right string, wrong rune, col, comment int) {
	out := []rune(line)
	note := func(i int) {
		if wrong == 0 {
			wrong, col = out[i], i+1
		}
	}
	for i := 0; i < len(out); i++ {
		c := out[i]
		l, similar := lookalikes(c)
		switch quote := l.right; {
		case c == '#' || similar && l.right == '#':
			if similar {
				note(i)
				out[i] = '#'
			}
			return string(out), wrong, col, len(string(out[i:]))
		case c == '"' || c == '\'':
			i = closeQuote(out, i, c, note)
		case similar && (quote == '"' || quote == '\''):
			note(i)
			out[i] = quote
			i = closeQuote(out, i, quote, note)
		case similar:
			note(i)
			out[i] = l.right
		}
	}
	return string(out), wrong, col, 0
}

// closeQuote returns where the text that begins at i ends: at its straight quote, else at
// the last character of the line that looks like one, which is replaced.
func closeQuote(line []rune, i int, quote rune, note func(int)) int {
	curly := -1
	for k := i + 1; k < len(line) && line[k] != '\n'; k++ {
		switch l, similar := lookalikes(line[k]); {
		case line[k] == '\\' && quote == '"':
			k++
		case line[k] == quote:
			return k
		case line[k] == '#' && curly >= 0:
			k = len(line)
		case similar && l.right == quote:
			curly = k
		}
	}
	if curly < 0 {
		return len(line) // no end: a syntax error
	}
	note(curly)
	line[curly] = quote
	return curly
}

// wordValue is a name with one bare word as its value.
var wordValue = regexp.MustCompile(`^(\s*[A-Za-z0-9_.-]+\s*=\s*)([A-Za-z/_][A-Za-z0-9_:/.@+-]*)(\s*(?:#.*)?\r?\n?)$`)

// quoteWord puts quotes around a value that is one bare word; word is "" where it is none.
func quoteWord(line string) (quoted, word string) {
	m := wordValue.FindStringSubmatch(line)
	if m == nil || m[2] == "true" || m[2] == "false" || m[2] == "inf" || m[2] == "nan" {
		return line, ""
	}
	return m[1] + `"` + m[2] + `"` + m[3], m[2]
}

// wrongEncoding returns why a text is no UTF-8, as far as its first bytes show.
func wrongEncoding(text []byte) string {
	if bytes.HasPrefix(text, []byte{0xFF, 0xFE}) || bytes.HasPrefix(text, []byte{0xFE, 0xFF}) {
		return "the file is UTF-16, which some editors call Unicode: save it as UTF-8"
	}
	return "the file is not UTF-8 text: save it as UTF-8 (from GBK: iconv -f GBK -t UTF-8)"
}

// badUTF8 returns the place of the first byte that is no UTF-8.
func badUTF8(text []byte) (line, col int) {
	line, col = 1, 1
	for len(text) > 0 {
		c, n := utf8.DecodeRune(text)
		if c == utf8.RuneError && n <= 1 {
			break
		}
		col++
		if c == '\n' {
			line, col = line+1, 1
		}
		text = text[n:]
	}
	return line, col
}
