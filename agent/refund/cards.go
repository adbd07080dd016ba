package refund

import (
	"strings"

	"yuanlu/protocol/cardnumber"
)

// MaskCards returns a text in which every card number, 13 to 19 ASCII digits in a row
// whose check digit holds, is replaced by its masked form: for texts of a message that
// should hold no card number. It keeps the number of characters.
func MaskCards(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		i := strings.IndexAny(rest, "0123456789")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		rest = rest[i:]
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if run := rest[:n]; n >= 13 && n <= 19 && cardnumber.Luhn(run) == 0 && strings.Trim(run, "0") != "" {
			b.WriteString(shownForm(SchemePAN, run))
		} else {
			b.WriteString(run)
		}
		rest = rest[n:]
	}
	return b.String()
}
