package wire

import "fmt"

// MaxSTX is the greatest number of bytes between the length and the 03 of an STX frame (four BCD digits).
const MaxSTX = 9999

// AppendSTX appends 02, the length of data as four BCD digits, data, 03 and the check byte: the XOR of length, data
// and 03 (wires.md § mispos). data is 1 to MaxSTX bytes long.
func AppendSTX(dst, data []byte) ([]byte, error) {
	n := len(data)
	if n == 0 || n > MaxSTX {
		return dst, fmt.Errorf("an STX frame holds 1 to %d bytes, not %d", MaxSTX, n)
	}
	hi, lo := byte(n/1000<<4|n/100%10), byte(n/10%10<<4|n%10)
	check := hi ^ lo ^ 0x03
	for _, b := range data {
		check ^= b
	}
	dst = append(dst, 0x02, hi, lo)
	dst = append(dst, data...)
	return append(dst, 0x03, check), nil
}

// HoldsSTX reports whether b is one whole STX frame with a right check byte. Faults use it: damage that the check byte
// cannot see is no test of anybody.
func HoldsSTX(b []byte) bool {
	if len(b) < 6 || b[0] != 0x02 {
		return false
	}
	n := 0
	for _, d := range []byte{b[1] >> 4, b[1] & 15, b[2] >> 4, b[2] & 15} {
		if d > 9 {
			return false
		}
		n = n*10 + int(d)
	}
	if len(b) != n+5 || b[n+3] != 0x03 {
		return false
	}
	var check byte
	for _, c := range b[1 : n+4] {
		check ^= c
	}
	return check == b[n+4]
}
