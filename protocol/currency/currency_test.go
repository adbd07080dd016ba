package currency

import "testing"

func TestByNumber(t *testing.T) {
	for number, want := range map[string]string{
		"156": "CNY", "344": "HKD", "446": "MOP", "840": "USD", "978": "EUR", "392": "JPY", "008": "ALL", "999": "XXX",
		"532": "XCG", // ANG until 2025
		"924": "ZWG", "932": "ZWL", "191": "HRK",
	} {
		t.Run(number, func(t *testing.T) {
			if got, ok := ByNumber(number); got != want || !ok {
				t.Errorf("%s: got %q, %t, want %s", number, got, ok, want)
			}
		})
	}
	for _, number := range []string{"", "000", "1", "15", "1560", "157", "CNY", "99A", "~~~"} {
		t.Run(number, func(t *testing.T) {
			if got, ok := ByNumber(number); got != "" || ok {
				t.Errorf("%q is read as %q", number, got)
			}
		})
	}
}

func TestKnown(t *testing.T) {
	for letters, want := range map[string]bool{
		"CNY": true, "JPY": true, "KWD": true, "XAU": true, "ANG": true, "RMB": false, "cny": false, "": false,
	} {
		t.Run(letters, func(t *testing.T) {
			if got := Known(letters); got != want {
				t.Errorf("%q: got %t, want %t", letters, got, want)
			}
		})
	}
}

func TestTableIsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for i, e := range table {
		if len(e.number) != 3 || len(e.letters) != 3 || seen[e.letters] {
			t.Errorf("line %d is not well formed: %+v", i, e)
		}
		seen[e.letters] = true
		if i > 0 && table[i-1].number > e.number {
			t.Errorf("line %d (%s) is out of order", i, e.letters)
		}
	}
	if want := 178 + 14; len(table) != want {
		t.Errorf("%d lines, want %d: list one, and what was withdrawn", len(table), want)
	}
}
