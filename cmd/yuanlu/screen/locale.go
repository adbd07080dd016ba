package screen

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"

	"yuanlu/protocol/printable"
)

// Charset is how characters are written for people.
type Charset int

// The charsets.
const (
	UTF8    Charset = iota
	ASCII           // no signs beyond ASCII
	GB18030         // all of Unicode
	GBK             // what GB2312 has, and more
)

// CharsetOf returns the charset of an environment, as POSIX orders it: C and POSIX are
// ASCII. Where nothing is set a terminal gets ASCII, and a file or a pipe UTF-8.
func CharsetOf(env func(string) string, terminal bool) Charset {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := env(name); v != "" {
			return charsetOf(v)
		}
	}
	if terminal {
		return ASCII
	}
	return UTF8
}

func charsetOf(locale string) Charset {
	locale, _, _ = strings.Cut(locale, "@")
	language, codeset, named := strings.Cut(locale, ".")
	switch strings.ReplaceAll(strings.ToUpper(codeset), "-", "") {
	case "UTF8":
		return UTF8
	case "GB18030":
		return GB18030
	case "GBK", "GB2312", "EUCCN", "CP936":
		return GBK
	}
	if named || language == "C" || language == "POSIX" {
		return ASCII
	}
	return UTF8
}

// Encoder writes UTF-8 in another charset. A character may not be split over two writes.
type Encoder struct {
	out     io.Writer
	charset Charset
	raw     func() bool // what is written is for machines, and stays UTF-8
	chinese func() bool // Chinese was asked for: its characters stay where the charset is ASCII
}

// NewEncoder makes an Encoder to out.
func NewEncoder(out io.Writer, charset Charset, raw, chinese func() bool) *Encoder {
	return &Encoder{out: out, charset: charset, raw: raw, chinese: chinese}
}

// Unwrap returns the Writer behind it.
func (e *Encoder) Unwrap() io.Writer { return e.out }

// Write writes text. n counts bytes of the text.
func (e *Encoder) Write(text []byte) (n int, err error) {
	out := text
	switch {
	case e.charset == UTF8 || e.raw():
	case e.charset == ASCII:
		out = e.ascii(string(text))
	default:
		out = e.chineseBytes(string(text))
	}
	if _, err := e.out.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}

func (e *Encoder) ascii(text string) []byte {
	text = plain(text)
	if e.chinese() {
		return []byte(text)
	}
	out := make([]byte, 0, len(text))
	for _, c := range text {
		switch {
		case c < 0x80:
			out = append(out, byte(c))
		case c > 0xffff:
			out = append(out, '?')
		default:
			out = append(out, escaped(c)...)
		}
	}
	return out
}

// escaped is a character as Go writes it.
func escaped(c rune) string {
	const digits = "0123456789abcdef"
	return `\u` + string([]byte{digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15]})
}

func (e *Encoder) chineseBytes(text string) []byte {
	var charset encoding.Encoding = simplifiedchinese.GB18030
	if e.charset == GBK {
		charset = simplifiedchinese.GBK
	}
	to := charset.NewEncoder()
	var out []byte
	for _, c := range text {
		b, err := to.Bytes([]byte(string(c)))
		if err != nil { // a character that it does not have
			if b = []byte(plain(string(c))); b[0] >= 0x80 {
				b = []byte{'?'}
			}
		}
		out = append(out, b...)
	}
	return out
}

// signs are what stands for a sign where only ASCII can be shown.
var signs = strings.NewReplacer("√", "+", "‼", "!", "×", "x", "→", "->", "·", "-", "≠", "!=", "…", "...", "µ", "u", "−", "-", "–", "-", "¥", "CNY ", "’", "'")

// plain replaces the signs of our own texts by ASCII.
func plain(text string) string { return signs.Replace(text) }

// file returns the file behind a writer, nil if there is none.
func file(w io.Writer) *os.File {
	for {
		switch inner := w.(type) {
		case *os.File:
			return inner
		case *printable.Writer:
			w = inner.Unwrap()
		case *Encoder:
			w = inner.Unwrap()
		default:
			return nil
		}
	}
}

// inner is what a printable.Writer writes to, w itself for anything else.
func inner(w io.Writer) io.Writer {
	if people, ok := w.(*printable.Writer); ok {
		return people.Unwrap()
	}
	return w
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f := file(w)
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Size returns columns and lines of a terminal, 0 and 0 for what is none.
func Size(w io.Writer) (columns, lines int) {
	f := file(w)
	if f == nil {
		return 0, 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}
