package cardnumber

import (
	"fmt"
	"testing"
)

func TestLuhn(t *testing.T) {
	for digits, want := range map[string]int{"": 0, "0": 0, "7": 7, "18": 0, "91": 0, "6200000000000005": 0, "6205500000000000004": 0, "6200000000000006": 1, "62*5": -1, "62 5": -1, "6२": -1} {
		t.Run(digits, func(t *testing.T) {
			if got := Luhn(digits); got != want || Luhn([]byte(digits)) != want {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
	for i := range 10 { // every single digit that is wrong is noticed
		if got := Luhn(fmt.Sprintf("620000000000%d005", i)); (got == 0) != (i == 0) {
			t.Errorf("%d in the middle: got %d", i, got)
		}
	}
}

func TestLike(t *testing.T) {
	for digits, want := range map[string]bool{"6200000000000005": true, "4111111111111111": true, "9": false, "18": false, "6200000000000006": false, "620000******0005": false} {
		t.Run(digits, func(t *testing.T) {
			if Like(digits) != want {
				t.Errorf("%s: got %t", digits, !want)
			}
		})
	}
}
