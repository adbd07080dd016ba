package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/text/width"

	"yuanlu/agent/catalogue/cataloguetest"
	"yuanlu/agent/health"
)

// counterColumns is the width of the screen that a technician has at a counter.
const counterColumns = 80

// everyReader has doctor look again, for a reader of Chinese, of English and for a machine:
// each finds the same, in his language, on his screen, and with a remedy for what is amiss.
func (p *patient) everyReader(t *testing.T, row *ill) {
	t.Helper()
	for _, lang := range []string{"zh", "en"} {
		_, wide := p.doctorAt(10_000, append(row.args, "--lang", lang)...)
		for line := range strings.Lines(strings.ReplaceAll(wide, p.dir, "/dir")) {
			if wrong := cataloguetest.Foreign(line, lang == "zh", "pos", "nobody", "dialout", "unacknowledged"); wrong != "" {
				t.Errorf("%s: %s: %s", lang, wrong, line)
			}
		}
		code, out := p.doctor(append(row.args, "--lang", lang)...)
		if code != row.code {
			t.Errorf("%s: it ends with %d, want %d:\n%s", lang, code, row.code, out)
		}
		for line := range strings.Lines(out) {
			if n := displayed(strings.TrimRight(line, "\n")); n > counterColumns {
				t.Errorf("%s: %d columns: %s", lang, n, line)
			}
		}
		code, out = p.doctor(append(row.args, "--json", "--lang", lang)...)
		if code != row.code {
			t.Errorf("%s: as JSON it ends with %d, want %d:\n%s", lang, code, row.code, out)
		}
		for line := range strings.Lines(out) {
			checkCheckup(t, lang, line)
		}
	}
}

// checkCheckup holds a line of doctor --json against what each must have.
func checkCheckup(t *testing.T, lang, line string) {
	t.Helper()
	var c health.Checkup
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Errorf("%s: %v: %s", lang, err, line)
		return
	}
	switch c.Level {
	case health.Fine, health.Note:
	case health.Warning, health.Error:
		if c.Remedy == "" {
			t.Errorf("%s: no remedy: %s", lang, line)
		}
	default:
		t.Errorf("%s: level %q: %s", lang, c.Level, line)
	}
	if c.Name == "" || c.Text == "" {
		t.Errorf("%s: nothing is said: %s", lang, line)
	}
}

// displayed is how many columns a line takes on a terminal.
func displayed(line string) (n int) {
	for _, c := range line {
		switch width.LookupRune(c).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
