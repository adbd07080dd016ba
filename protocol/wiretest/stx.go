package wiretest

import "fmt"

// maxSTX is what two bytes of BCD can count, in bytes of DATA.
const maxSTX = 9999

// AppendSTX appends data as an STX frame (wires.md § mispos). The
// terminal writes such frames and the product only reads them. It fails, and appends
// nothing, unless data has 1 to 9999 bytes.
func AppendSTX(dst, data []byte) ([]byte, error) {
	n := len(data)
	if n < 1 || n > maxSTX {
		return dst, fmt.Errorf("wiretest: STX frame of %d bytes, want 1 to %d", n, maxSTX)
	}
	bcd := func(n int) byte { return byte(n/10<<4 | n%10) }
	at := len(dst) + 1
	dst = append(dst, 0x02, bcd(n/100), bcd(n%100))
	dst = append(append(dst, data...), 0x03)
	var check byte
	for _, c := range dst[at:] {
		check ^= c
	}
	return append(dst, check), nil
}
