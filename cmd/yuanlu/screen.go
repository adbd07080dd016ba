package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/width"

	"yuanlu/protocol/printable"
)

// ink colours text where the output is a terminal.
type ink bool

func (p *program) ink(w io.Writer) ink {
	return ink(isTerminal(w) && p.env("NO_COLOR") == "" && p.env("TERM") != "dumb")
}

func (i ink) code(code, text string) string {
	if !i || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (i ink) bold(text string) string   { return i.code("1", text) }
func (i ink) red(text string) string    { return i.code("31", text) }
func (i ink) green(text string) string  { return i.code("32", text) }
func (i ink) yellow(text string) string { return i.code("33", text) }

// level colours text by how bad a word is.
func (i ink) level(word, text string) string {
	switch word {
	case "ok", "online", "same", "equivalent", "pass":
		return i.green(text)
	case "failing", "critical", "high", "ERROR", "different", "alarm", "denied", "absent":
		return i.red(text)
	case "degraded", "medium", "WARN", "doubtful", "unverifiable", "review":
		return i.yellow(text)
	}
	return text
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

// table prints rows with aligned columns, and writes what is not seen as escapes; paint colours a cell after it has been
// measured, nil: it does not.
func table(w io.Writer, rows [][]string, paint func(row, col int, cell string) string) {
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
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// clockText returns a moment as short as it may be.
func clockText(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	if time.Since(t).Abs() < 12*time.Hour {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// spanText returns a duration in its two greatest units.
func spanText(d time.Duration) string {
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
// enough on these terminals to be shown as the wire gives them.
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
