package refund

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// ParseRecord reads one record of records.md from one JSON object. Its clear
// identifiers go to Secrets: the record must be sealed before anything is done with
// it. Nothing of the result refers to line.
//
// What is well-formed but impossible (an amount of 0, a currency of two letters, an
// `at` that is no time) is kept as it is for the judge (verdicts.md § 1.2); an
// amount of more than 64 bits becomes the nearest one that has 64. RMB becomes CNY.
//
// A party that states `token` and `shown` but no `id`, as AppendJSON writes it, is
// read as sealed. Whose key made the token is not known here, so it is marked
// (ForeignToken) and equals only others read this way; what the masked form does not
// show, such as a wrong check digit, is lost. A `par` in the form of a token is one.
//
// The error is an *InputError, of class ErrInput, without its Line.
func ParseRecord(line []byte, unknown UnknownPolicy) (Record, error) {
	d := newReader(line, unknown == Ignore)
	var r Record
	if d.parse(&r) {
		return r, nil
	}
	return Record{}, d.inputError(line)
}

// inputError returns the reader's error as one of a line.
func (d *reader) inputError(line []byte) *InputError {
	e := d.Err()
	column := utf8.RuneCount(line[:e.Offset]) + 1 // counted from 1, in characters
	return &InputError{Column: column, Member: e.Path, Got: e.Got, Want: e.Want}
}

// parse reads the whole text as one record.
func (d *reader) parse(r *Record) bool {
	seen, ok := d.object(recordMembers, func(i int) bool {
		if i == memberParty {
			r.Party = new(Party)
			return d.party(r.Party, partyMembers)
		}
		return d.member(r, i, wordOptional)
	})
	if !ok {
		return false
	}
	needed := uint64(1<<memberV | 1<<memberKind | 1<<memberOutcome)
	if r.Kind == KindJournal {
		needed &^= 1 << memberOutcome
	}
	if missing := needed &^ seen; missing != 0 {
		d.Fail(d.Pos()-1, "no such member", "every record to have it")
		return d.Within(recordMembers[bits.TrailingZeros64(missing)])
	}
	if r.Currency == "RMB" {
		r.Currency = "CNY"
	}
	return d.end()
}

// member reads the value of the record's i-th member, any but party. mode is for
// the members that hold words and may be empty.
func (d *reader) member(r *Record, i int, mode wordMode) bool {
	switch i {
	case memberV:
		return d.version()
	case memberKind:
		return word(d, &r.Kind, kinds, required(mode))
	case memberOutcome:
		return word(d, &r.Outcome, outcomes, required(mode))
	case memberCopy:
		return word(d, &r.Copy, copies, mode)
	case memberTraining:
		return d.Bool(&r.Training)
	case memberChannel:
		return word(d, &r.Channel, channels, mode)
	case memberEntry:
		return word(d, &r.Entry, entries, mode)
	case memberAmount:
		r.HasAmount = true
		return d.Integer(&r.Amount, true)
	case memberPayerAmount:
		r.HasPayerAmount = true
		return d.Integer(&r.PayerAmount, true)
	case memberOriginal:
		_, ok := d.object(originalMembers, func(k int) bool { return d.text(r.Original.text(k)) })
		return ok
	case memberRefundRoute:
		return word(d, &r.RefundRoute, routes, mode)
	case memberTotals:
		r.Totals = new(Totals)
		_, ok := d.object(totalsMembers, func(k int) bool { return d.Integer(r.Totals.number(k), false) })
		return ok
	case memberJournal:
		r.Coverage = new(Coverage)
		return d.coverage(r.Coverage)
	}
	return d.text(r.text(i))
}

// version reads the member v, which is 1.
func (d *reader) version() bool {
	at := d.At()
	var v int64
	if !d.Integer(&v, true) {
		return false
	}
	return v == 1 || d.Fail(at, "another version", "1")
}

func (d *reader) coverage(c *Coverage) bool {
	_, ok := d.object(coverageMembers, func(i int) bool {
		if i == 0 {
			return d.text(&c.From)
		}
		return d.texts(&c.Terminals)
	})
	return ok
}

// party reads a party, or with alsoMembers one of its further identifiers.
func (d *reader) party(p *Party, members []string) bool {
	var id, token, par string
	_, ok := d.object(members, func(i int) bool {
		switch i {
		case partyScheme:
			return word(d, &p.Scheme, schemes, wordOptional)
		case partyNamespace:
			return d.text(&p.Namespace)
		case partyID:
			return d.text(&id)
		case partyToken:
			at := d.At()
			return d.text(&token) && (token == "" || isToken(token) || d.Fail(at, "no token", "key:hexadecimal digits"))
		case partyShown:
			return d.text(&p.Shown)
		case partyPAR:
			return d.text(&par)
		case partyText:
			return d.text(&p.Text)
		}
		return d.List(func(int) bool {
			p.Also = append(p.Also, Party{})
			return d.party(&p.Also[len(p.Also)-1], alsoMembers)
		})
	})
	if !ok {
		return false
	}
	if isToken(par) {
		p.PARTokens = []string{ForeignToken(par)}
	} else {
		p.PAR = NewSecret(par)
	}
	p.takeIdentifier(id, token)
	for i := range p.Also {
		p.takeFlaw(i)
	}
	return true
}

// takeIdentifier fills a party from what was read: the clear identifier if there
// is one, else the token and the masked form, which is masked once more.
func (p *Party) takeIdentifier(id, token string) {
	if id != "" {
		p.ID, p.Shown = NewSecret(id), ""
		return
	}
	p.Shown = shownForm(p.Scheme, p.Shown)
	if token == "" {
		return
	}
	p.Tokens = []string{ForeignToken(token)}
	if p.Shown == "" {
		return
	}
	if p.Scheme == SchemePAN {
		if p.Flaw = shownFlaw(p.Shown); p.Flaw != "" {
			return
		}
	}
	p.Mask = maskOfShown(p.Scheme, p.Shown)
}

// foreignMark begins the key of a token that ParseRecord read.
const foreignMark = "in."

// ForeignToken marks a token of unknown origin: its key is not the key of that name
// here. One that is marked already stays as it is.
func ForeignToken(token string) string {
	if strings.HasPrefix(token, foreignMark) {
		return token
	}
	return foreignMark + token
}

// isToken reports whether a text has the form of a token: the name of a key (a
// small letter, then small letters, digits and dots, 16 at most), a colon, and 20 to
// 128 hexadecimal digits. No card number, openid or PAR has it.
func isToken(s string) bool {
	key, digits, ok := strings.Cut(s, ":")
	if !ok || key == "" || len(key) > 16 || key[0] < 'a' || key[0] > 'z' || len(digits) < 20 || len(digits) > 128 {
		return false
	}
	for _, c := range []byte(key) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	for _, c := range []byte(digits) {
		if (c < 'a' || c > 'f') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
