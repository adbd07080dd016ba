// Package screen prints for people what the daemon and the store know: in English or
// Chinese, in aligned columns, coloured where the output is a terminal. It decides nothing.
//
// Source: cli.md.
package screen

import (
	"fmt"
	"io"
	"strings"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/protocol/printable"
)

// Screen is an output for people.
type Screen struct {
	W      io.Writer
	Lang   Language
	Zone   *time.Location // of times
	Now    time.Time      // near which a time needs no date; zero: the clock's
	Colour bool
	Plain  bool // signs beyond ASCII cannot be shown
	Width  int  // columns; 0: no bound, lines are not wrapped
	Height int  // lines; 0: no bound
}

// t returns the text in the screen's language.
func (s *Screen) t(en, zh string) string { return s.Lang.T(en, zh) }

// name returns what a code or a value is called in the screen's language.
func (s *Screen) name(code string) string { return s.Lang.Text(catalogue.Name(code)) }

// named returns the name of a code with the code in brackets behind.
func (s *Screen) named(code string) string {
	return fmt.Sprintf(s.t("%s (%s)", "%s（%s）"), s.name(code), code)
}

// english returns a text that a lower room wrote in English in the screen's language.
func (s *Screen) english(text string) string { return s.Lang.Text(catalogue.Translated(text)) }

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
	case "ok", "good", "online", "same", "equivalent", "pass":
		return s.green(text)
	case "failing", "error", "critical", "high", "different", "alarm", "denied", "absent", "no_port", "no_permission", "port_held", "no_frame", "refused":
		return s.red(text)
	case "degraded", "noisy", "warning", "medium", "doubtful", "unverifiable", "review":
		return s.yellow(text)
	}
	return text
}

// Table prints rows with aligned columns, each in one line of the screen; characters that
// are not seen become escapes.
func (s *Screen) Table(rows [][]string) { s.table(rows, nil) }

// gap is between two columns of a table.
const gap = 2

// table is Table where paint, unless it is nil, colours each cell after it was measured.
// What does not fit into the screen is cut off the last column.
func (s *Screen) table(rows [][]string, paint func(row, col int, cell string) string) {
	widths := s.measure(rows)
	left := s.Width
	for _, w := range widths[:max(len(widths)-1, 0)] {
		left -= w + gap
	}
	for r, row := range rows {
		if last := len(widths) - 1; s.Width > 0 && len(row) == len(widths) && left > 0 {
			row[last] = s.cut(row[last], left)
		}
		s.tableLine(r, row, widths, paint)
	}
}

// measure makes cells fit to be shown, and returns how wide each column is.
func (s *Screen) measure(rows [][]string) (widths []int) {
	for _, row := range rows {
		for i, cell := range row {
			row[i] = s.sign(printable.Text(cell))
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	return widths
}

func (s *Screen) tableLine(r int, row []string, widths []int, paint func(row, col int, cell string) string) {
	var b strings.Builder
	for i, cell := range row {
		padding := widths[i] - columns(cell) + gap
		if paint != nil {
			cell = paint(r, i, cell)
		}
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", max(padding, gap)))
		}
	}
	fmt.Fprintln(s.W, strings.TrimRight(b.String(), " "))
}

// tableOf is table where cells that are too wide go on in further lines.
func (s *Screen) tableOf(rows [][]string, paint func(row, col int, cell string) string) {
	widths := s.measure(rows)
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for s.Width > 0 && total > s.Width {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 10 {
			break
		}
		widths[widest]--
		total--
	}
	for r, row := range rows {
		cells := make([][]string, len(row))
		height := 1
		for i, cell := range row {
			cells[i] = wrap(cell, widths[i])
			height = max(height, len(cells[i]))
		}
		for k := range height {
			line := make([]string, len(row))
			for i := range row {
				if k < len(cells[i]) {
					line[i] = cells[i][k]
				}
			}
			s.tableLine(r, line, widths, paint)
		}
	}
}

// Clock returns a moment as short as it may be.
func (s *Screen) Clock(t time.Time) string {
	t = t.In(s.Zone)
	now := s.Now
	if now.IsZero() {
		now = time.Now()
	}
	if now.Sub(t).Abs() < 12*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// Span returns a duration in its two greatest units.
func (s *Screen) Span(d time.Duration) string {
	d = max(d.Round(time.Second), 0)
	days, hours := d/(24*time.Hour), d%(24*time.Hour)/time.Hour
	minutes, seconds := d%time.Hour/time.Minute, d%time.Minute/time.Second
	switch {
	case days > 0:
		return fmt.Sprintf(s.t("%dd%dh", "%d天%d小时"), days, hours)
	case hours > 0:
		return fmt.Sprintf(s.t("%dh%dm", "%d小时%d分"), hours, minutes)
	case minutes > 0:
		return fmt.Sprintf(s.t("%dm%ds", "%d分%d秒"), minutes, seconds)
	}
	return fmt.Sprintf(s.t("%ds", "%d秒"), seconds)
}
