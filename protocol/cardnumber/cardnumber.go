// Package cardnumber has the check digit of card numbers (ISO/IEC 7812-1, Luhn), for
// those who read one and for those who keep one out of what they write.
package cardnumber

// Luhn returns the sum of ASCII digits after Luhn, modulo 10: 0 where the last one is the
// check digit of the others. It returns -1 if a character is no digit.
func Luhn[T string | []byte](digits T) int {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i]) - '0'
		if d < 0 || d > 9 {
			return -1
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum % 10
}

// Like reports whether digits, at least one, begin like the number of a card (3 to 6, or
// 9) and end with its check digit.
func Like[T string | []byte](digits T) bool {
	c := digits[0]
	return (c >= '3' && c <= '6' || c == '9') && Luhn(digits) == 0
}
