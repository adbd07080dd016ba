package pins

import (
	"errors"
	"fmt"
	"strings"

	"yuanlu/agent/refund"
)

// The lengths of a PIN. Source: guard.md § 3.
const (
	Shortest = 6
	Longest  = 12
)

// ErrWeak: a PIN is refused because it is none, or guessed first of all.
var ErrWeak = errors.New("pins: this PIN is not taken")

// Weak returns why a PIN is not taken, nil if it is: it is not 6 to 12 digits, its digits
// are all equal, count up or down by one, or repeat two or three digits. Every error is
// ErrWeak and holds nothing of the PIN. Source: guard.md § 3.
func Weak(pin refund.Secret) error {
	p := pin.Reveal()
	if len(p) < Shortest || len(p) > Longest || strings.Trim(p, "0123456789") != "" {
		return fmt.Errorf("%w: want %d to %d digits", ErrWeak, Shortest, Longest)
	}
	for _, step := range []int{1, 9} { // 9 is one less, over 0
		if counts(p, step) {
			return fmt.Errorf("%w: its digits count up or down by one", ErrWeak)
		}
	}
	for n := 1; n <= 3; n++ {
		if repeats(p, n) {
			return fmt.Errorf("%w: it repeats one, two or three digits", ErrWeak)
		}
	}
	return nil
}

// counts reports whether each digit is the one before it plus step; 0 follows 9.
func counts(p string, step int) bool {
	for i := 1; i < len(p); i++ {
		if int(p[i]-'0') != (int(p[i-1]-'0')+step)%10 {
			return false
		}
	}
	return true
}

// repeats reports whether p is its first n digits again and again, the last time perhaps
// not to their end.
func repeats(p string, n int) bool {
	for i := n; i < len(p); i++ {
		if p[i] != p[i-n] {
			return false
		}
	}
	return true
}
