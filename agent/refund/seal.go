package refund

import (
	"strconv"
	"unicode/utf8"

	"yuanlu/protocol/cardnumber"
)

// Labels under which Seal asks a Tokenizer for tokens. An identifier's label is
// its scheme and, for an openid, its namespace: scheme + labelEnd + namespace. pan
// and dpan share one (records.md, token).
const (
	labelCard  = "pan"
	labelPAR   = "par"
	labelDigit = "digit"
	labelEnd   = "\x1f"
)

// maxToken is how many characters a UnionPay token has at most: what is longer is
// encrypted, another text each time, and no identifier (records.md, scheme).
const maxToken = 40

// Seal returns r in the form that may be stored, compared, logged and sent: every
// clear identifier is replaced by Tokens, Shown and Mask, the PAR by PARTokens,
// and Party.Flaw is what was impossible about a card number. Long numbers inside
// Party.Text are masked. Nothing of r is changed, and sealing a sealed record
// changes nothing. It never fails; t must not be nil.
// Source: records.md, party; verdicts.md § 1.2.
func Seal(r Record, t Tokenizer) Record {
	if r.Party == nil {
		return r
	}
	p := sealOne(r.Party, t)
	if p.Flaw == "" {
		p.Flaw = r.Party.Flaw
	}
	if !r.Party.PAR.Empty() {
		p.PARTokens = t.Tokens(labelPAR, r.Party.PAR.Reveal())
		p.PAR = Secret{}
	}
	p.Text = maskText(p.Text)
	if len(r.Party.Also) > 0 {
		p.Also = make([]Party, len(r.Party.Also))
		for i := range r.Party.Also {
			p.Also[i] = sealOne(&r.Party.Also[i], t)
			p.takeFlaw(i)
		}
	}
	r.Party = &p
	return r
}

// sealOne seals a party's own identifier. One that has no clear identifier is
// sealed already, or never had one.
func sealOne(p *Party, t Tokenizer) Party {
	q := *p
	if p.ID.Empty() {
		return q
	}
	clear := p.ID.Reveal()
	q.ID = Secret{}
	if p.Scheme == SchemeUnionPayToken && utf8.RuneCountInString(clear) > maxToken {
		q.Scheme, q.Shown = SchemeNone, ""
		return q
	}
	q.Tokens = identifierTokens(p.Scheme, p.Namespace, clear, t)
	q.Shown = shownForm(p.Scheme, clear)
	q.Flaw, q.Mask = "", Mask{}
	switch p.Scheme {
	case SchemePAN:
		if q.Flaw = cardFlaw(clear); q.Flaw == "" {
			q.Mask = Mask{Lead: clear[:6], Tail: clear[len(clear)-4:], Length: len(clear)}
		}
	case SchemePANMasked:
		q.Mask = maskOf(clear, t)
	}
	return q
}

// takeFlaw makes the flaw of a further identifier that of the whole party.
func (p *Party) takeFlaw(i int) {
	a := &p.Also[i]
	if a.Flaw != "" && p.Flaw == "" {
		p.Flaw = "also " + strconv.Itoa(i+1) + ": " + a.Flaw
	}
	a.Flaw = ""
}

// identifierTokens asks for the tokens of one identifier.
func identifierTokens(s Scheme, namespace, clear string, t Tokenizer) []string {
	switch s {
	case SchemePAN, SchemeDPAN:
		return t.Tokens(labelCard, clear)
	case SchemeWeChatOpenID, SchemeAlipayOpenID:
		tokens := t.Tokens(string(s)+labelEnd+namespace, clear)
		if namespace == "" {
			return tokens
		}
		bare := t.Tokens(string(s)+labelEnd, clear)
		return append(tokens[:len(tokens):len(tokens)], bare...)
	}
	return t.Tokens(string(s)+labelEnd, clear)
}

// cardFlaw returns what is impossible about a clear card number, "" if nothing (verdicts.md § 1.2).
func cardFlaw(clear string) string {
	for i := range len(clear) {
		if clear[i] < '0' || clear[i] > '9' {
			return "not digits alone"
		}
	}
	if len(clear) < 12 || len(clear) > 19 {
		return strconv.Itoa(len(clear)) + " digits, want 12 to 19"
	}
	if cardnumber.Luhn(clear) != 0 {
		return "check digit does not hold"
	}
	return ""
}

// shownForm is the masked form for people (records.md, shown). Lengths are in
// characters. It does not change what is already masked.
func shownForm(s Scheme, clear string) string {
	c := []rune(clear)
	lead, tail := 0, 0
	card := s == SchemePAN || s == SchemeDPAN || s == SchemePANMasked
	switch n := len(c); {
	case card && n >= 11:
		lead, tail = 6, 4
	case s == SchemePANMasked:
		tail = min(4, n)
	case n >= 9:
		lead, tail = 4, 4
	}
	for i := lead; i < len(c)-tail; i++ {
		c[i] = '*'
	}
	return string(c)
}

// maskText masks in a free text every run of 12 or more digits but its last 4 (a
// card number, whatever its check digit; full-width digits too, and single spaces
// or hyphens between the digits do not end a run), and the inside of every run of
// 20 or more letters, digits, '-' and '_' (openids, user ids and payment tokens are
// that long; no description of an account is: a wallet whose name no profile knows
// has its identifier here). It does not change what is already masked.
func maskText(text string) string {
	if len(text) < 12 {
		return text
	}
	c := []rune(text)
	for i := 0; i < len(c); {
		end, digits := digitRun(c, i)
		if digits >= 12 {
			hideDigits(c[i:end], digits-4)
		}
		i = max(end, i+1)
	}
	for i := 0; i < len(c); {
		end := i
		for end < len(c) && isWord(c[end]) {
			end++
		}
		if end-i >= 20 {
			for k := i + 4; k < end-4; k++ {
				c[k] = '*'
			}
		}
		i = max(end, i+1)
	}
	return string(c)
}

// digitRun returns the end of the run of digits that begins at c[i] (i, 0: none
// does), and how many digits it has.
func digitRun(c []rune, i int) (end, digits int) {
	end = i
	for k := i; k < len(c); k++ {
		switch {
		case isDigit(c[k]) || c[k] >= '０' && c[k] <= '９':
			digits++
			end = k + 1
		case digits > 0 && end == k && (c[k] == ' ' || c[k] == '-'):
		default:
			return end, digits
		}
	}
	return end, digits
}

// hideDigits puts a star over the first n digits of c.
func hideDigits(c []rune, n int) {
	for i, r := range c {
		if n > 0 && r != ' ' && r != '-' {
			c[i] = '*'
			n--
		}
	}
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isWord(r rune) bool {
	return isDigit(r) || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_'
}

// shownFlaw is cardFlaw for a card number of which only the masked form is known.
func shownFlaw(shown string) string {
	if len(shown) < 12 || len(shown) > 19 {
		return strconv.Itoa(len([]rune(shown))) + " digits, want 12 to 19"
	}
	for _, r := range shown[:6] + shown[len(shown)-4:] {
		if !isDigit(r) {
			return "not digits alone"
		}
	}
	return ""
}
