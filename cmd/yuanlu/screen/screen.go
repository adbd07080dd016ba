// Package screen prints for people what the daemon and the store know: in English or
// Chinese, in aligned columns, coloured where the output is a terminal. It decides nothing.
//
// Source: cli.md.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/text/width"

	"yuanlu/protocol/printable"
)

// Screen is an output for people.
type Screen struct {
	W      io.Writer
	Lang   Language
	Zone   *time.Location // of times
	Colour bool
}

// t returns the text in the screen's language.
func (s *Screen) t(en, zh string) string { return s.Lang.T(en, zh) }

func (s *Screen) code(code, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *Screen) bold(text string) string   { return s.code("1", text) }
func (s *Screen) red(text string) string    { return s.code("31", text) }
func (s *Screen) green(text string) string  { return s.code("32", text) }
func (s *Screen) yellow(text string) string { return s.code("33", text) }

// level colours text by how bad a word is.
func (s *Screen) level(word, text string) string {
	switch word {
	case "ok", "online", "good", "same", "equivalent", "pass":
		return s.green(text)
	case "failing", "critical", "high", "ERROR", "different", "alarm", "denied", "absent", "no_port", "no_permission", "port_held", "no_frame", "refused":
		return s.red(text)
	case "degraded", "noisy", "medium", "WARN", "doubtful", "unverifiable", "review":
		return s.yellow(text)
	}
	return text
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	if people, ok := w.(*printable.Writer); ok {
		w = people.Unwrap()
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// columns returns how many columns of a terminal the text takes: Chinese characters
// take two.
func columns(text string) int {
	n := 0
	for _, c := range text {
		switch width.LookupRune(c).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// padTo fills the text with blanks to n columns, one at least.
func padTo(text string, n int) string {
	return text + strings.Repeat(" ", max(1, n-columns(text)))
}

// Table prints rows with aligned columns; characters that are not seen become escapes.
func (s *Screen) Table(rows [][]string) { s.table(rows, nil) }

// table is Table where paint, unless it is nil, colours each cell after it was measured.
func (s *Screen) table(rows [][]string, paint func(row, col int, cell string) string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			cell = printable.Text(cell)
			row[i] = cell
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	for r, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			padding := widths[i] - columns(cell) + 2
			if paint != nil {
				cell = paint(r, i, cell)
			}
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", padding))
			}
		}
		fmt.Fprintln(s.W, strings.TrimRight(b.String(), " "))
	}
}

// Clock returns a moment as short as it may be.
func (s *Screen) Clock(t time.Time) string {
	t = t.In(s.Zone)
	if time.Since(t).Abs() < 12*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// Span returns a duration in its two greatest units.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours := d/(24*time.Hour), d%(24*time.Hour)/time.Hour
	minutes, seconds := d%time.Hour/time.Minute, d%time.Minute/time.Second
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}

// money writes minor units as people do. Currencies without minor units are rare
// enough on these terminals to be shown in the wire's own units.
func money(amount int64, currency string) string {
	sign := ""
	if amount < 0 {
		sign, amount = "-", -amount
	}
	text := fmt.Sprintf("%s%d.%02d", sign, amount/100, amount%100)
	if currency != "" {
		text += " " + currency
	}
	return text
}
