package currency

import (
	"testing"
	"time"
)

func TestByNumber(t *testing.T) {
	for number, want := range map[string]string{
		"156": "CNY", "344": "HKD", "446": "MOP", "840": "USD", "978": "EUR", "392": "JPY", "008": "ALL", "999": "XXX",
		"532": "XCG", // ANG until 2025
		"924": "ZWG", "932": "ZWL", "191": "HRK",
	} {
		if got, ok := ByNumber(number); got != want || !ok {
			t.Errorf("%s: got %q, %t, want %s", number, got, ok, want)
		}
	}
	for _, number := range []string{"", "000", "1", "15", "1560", "157", "CNY", "99A", "~~~"} {
		if got, ok := ByNumber(number); got != "" || ok {
			t.Errorf("%q is read as %q", number, got)
		}
	}
}

func TestLetters(t *testing.T) {
	for _, c := range []struct {
		letters string
		known   bool
		minor   int
		has     bool
		until   string
	}{
		{"CNY", true, 2, true, ""},
		{"JPY", true, 0, true, ""},
		{"KWD", true, 3, true, ""},
		{"CLF", true, 4, true, ""},
		{"XAU", true, 0, false, ""},
		{"ANG", true, 2, true, "2025-03-31"},
		{"RMB", false, 0, false, ""},
		{"cny", false, 0, false, ""},
		{"", false, 0, false, ""},
	} {
		minor, has := MinorUnits(c.letters)
		if Known(c.letters) != c.known || minor != c.minor || has != c.has || Withdrawn(c.letters) != c.until {
			t.Errorf("%q: known %t, minor %d %t, until %q", c.letters, Known(c.letters), minor, has, Withdrawn(c.letters))
		}
	}
}

func TestTableIsWellFormed(t *testing.T) {
	seen, inUse := map[string]bool{}, 0
	for i, e := range table {
		if len(e.number) != 3 || len(e.letters) != 3 || e.minor < -1 || e.minor > 4 || seen[e.letters] {
			t.Errorf("line %d is not well formed: %+v", i, e)
		}
		seen[e.letters] = true
		if i > 0 && (table[i-1].number > e.number || table[i-1].number == e.number && e.until == "") {
			t.Errorf("line %d (%s) is out of order", i, e.letters)
		}
		if e.until == "" {
			inUse++
			continue
		}
		if d, err := time.Parse(time.DateOnly, e.until); err != nil || d.Format(time.DateOnly) > Published {
			t.Errorf("%s: %q is no day up to %s", e.letters, e.until, Published)
		}
	}
	if inUse != 178 {
		t.Errorf("list one has %d codes, want 178", inUse)
	}
}
