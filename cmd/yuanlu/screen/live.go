package screen

import (
	"bytes"
	"io"

	"yuanlu/protocol/printable"
)

// Live shows one text after the other in the same place of a terminal. Each Write is a
// whole screen. It goes out in one piece that overwrites the one before line by line, so
// that nothing flickers.
type Live struct{ w io.Writer }

// NewLive takes the terminal behind w: what was on it is shown again after Close.
func NewLive(w io.Writer) *Live {
	l := &Live{w: file(w)}
	if enc, ok := inner(w).(*Encoder); ok { // its charset counts, and no escapes of text
		l.w = enc
	}
	l.put("\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J")
	return l
}

func (l *Live) put(text string) { _, _ = io.WriteString(l.w, text) } // the next screen meets the same error

// Write shows a screen.
func (l *Live) Write(text []byte) (int, error) {
	var shown bytes.Buffer // what others wrote moves no cursor
	if _, err := printable.NewWriter(&shown, nil).Write(text); err != nil {
		return 0, err
	}
	lines := bytes.ReplaceAll(bytes.TrimSuffix(shown.Bytes(), []byte("\n")), []byte("\n"), []byte("\x1b[K\r\n"))
	out := append([]byte("\x1b[H"), lines...)
	if _, err := l.w.Write(append(out, "\x1b[K\x1b[J"...)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Close leaves the terminal as it was.
func (l *Live) Close() { l.put("\x1b[?25h\x1b[?1049l") }
