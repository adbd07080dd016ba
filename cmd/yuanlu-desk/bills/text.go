package bills

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// maxLine is the greatest length of a line in bytes, without its end (bills.md § 2).
const maxLine = 64 << 10

// encoding is how the bytes of a bill are text.
type encoding int

const (
	noEncoding encoding = iota // bytes: unionpay_zm
	isUTF8
	isGB18030
)

// lines walks over the physical lines of a bill.
type lines struct {
	rest []byte
	n    int // of the line that was read last, from 1
	enc  encoding
}

// next returns the next line without its end. A CR before the LF and one at the very end of
// the file are no part of a line.
func (l *lines) next() (line []byte, ok bool) {
	if len(l.rest) == 0 {
		return nil, false
	}
	l.n++
	if i := bytes.IndexByte(l.rest, '\n'); i >= 0 {
		line, l.rest = l.rest[:i], l.rest[i+1:]
	} else {
		line, l.rest = l.rest, nil
	}
	return bytes.TrimSuffix(line, []byte("\r")), true
}

// text returns a line as UTF-8, or the first of the checks that every line passes which
// this one does not (bills.md § 3).
func (l *lines) text(line []byte) (text string, bad Code) {
	switch {
	case len(line) > maxLine:
		return "", Length
	case l.enc == isUTF8 && !utf8.Valid(line), l.enc == isGB18030 && !validGB18030(line):
		return "", Encoding
	case hasControl(line):
		return "", Control
	case l.enc == isGB18030:
		return decodeGB18030(line), ""
	}
	return string(line), ""
}

// hasControl reports whether there is a C0 character but tab, or DEL. No half of a longer
// character looks like one, in UTF-8 or GB18030.
func hasControl[T string | []byte](line T) bool {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// encodingOf returns the encoding of a file by its first line; false if it is neither.
func encodingOf(line []byte) (encoding, bool) {
	switch {
	case utf8.Valid(line):
		return isUTF8, true
	case validGB18030(line):
		return isGB18030, true
	}
	return noEncoding, false
}

// unitGB18030 returns the number of bytes of the character at the start of b, by form and
// not by whether it is assigned; 0 if there is none.
func unitGB18030(b []byte) int {
	lead := func(c byte) bool { return c >= 0x81 && c <= 0xfe }
	switch {
	case b[0] < 0x80:
		return 1
	case !lead(b[0]) || len(b) < 2:
		return 0
	case b[1] >= 0x40 && b[1] <= 0x7e || b[1] >= 0x80 && b[1] <= 0xfe:
		return 2
	case len(b) >= 4 && digit(b[1]) && lead(b[2]) && digit(b[3]):
		return 4
	}
	return 0
}

func validGB18030(line []byte) bool {
	for i := 0; i < len(line); {
		n := unitGB18030(line[i:])
		if n == 0 {
			return false
		}
		i += n
	}
	return true
}

// decodeGB18030 returns a line that is valid by form as UTF-8. The decoder is asked for one
// character at a time where one has four bytes: it steps on by one byte behind those that
// nothing is assigned to, and would take their halves for others.
func decodeGB18030(line []byte) string {
	d := simplifiedchinese.GB18030.NewDecoder()
	var out strings.Builder
	out.Grow(len(line) + len(line)/2)
	for from, i := 0, 0; i < len(line); {
		n := unitGB18030(line[i:])
		if i += n; n < 4 && i < len(line) {
			continue
		}
		end := i
		if n == 4 {
			end = i - 4
		}
		decoded, err := d.Bytes(line[from:end])
		if err != nil { // it replaces what it cannot read
			return ""
		}
		out.Write(decoded)
		if n == 4 {
			decoded, err = d.Bytes(line[end:i])
			if err != nil || utf8.RuneCount(decoded) != 1 {
				decoded = []byte("\ufffd")
			}
			out.Write(decoded)
		}
		from = i
	}
	return out.String()
}

// blank reports whether there are only spaces and tabs.
func blank(line []byte) bool { return len(bytes.Trim(line, " \t")) == 0 }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// digits reports whether s is one digit or more, and nothing else.
func digits(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return s != ""
}
