package refund

import "slices"

// EncodeStored appends the store's form of a sealed record: the JSON of records.md
// (readable with sqlite3), but of a party it keeps all that Seal made:
//
//	"party":{"scheme":"pan","token":["k2:…","k1:…"],"shown":"620000******0005",
//	         "mask":["620000","0005",16],"par":["k2:…"],"text":"…","flaw":"…","also":[{…}]}
//
// token and par are lists, newest key first; mask is lead, tail and length, then a
// position and a list of tokens for each further digit. Record.LateAmount is
// "late_amount":true, Record.Guard an object "guard". DecodeStored returns the same record back. r must be sealed: a
// clear identifier is not written.
func EncodeStored(dst []byte, r *Record) []byte {
	dst = appendRecord(dst, r, appendStoredParty)
	if r.LateAmount {
		dst = append(dst[:len(dst)-1], `,"late_amount":true}`...)
	}
	if r.Guard != nil {
		dst = append(appendGuard(dst[:len(dst)-1], r.Guard), '}')
	}
	return dst
}

func appendStoredParty(dst []byte, p *Party) []byte {
	at := len(dst)
	dst = appendStoredIdentifier(append(dst, '{'), p)
	dst = appendTexts(dst, `,"par":`, p.PARTokens)
	dst = appendText(dst, `,"text":`, maskText(p.Text))
	dst = appendText(dst, `,"flaw":`, p.Flaw)
	for i := range p.Also {
		if i == 0 {
			dst = append(dst, `,"also":[`...)
		} else {
			dst = append(dst, ',')
		}
		at := len(dst)
		dst = closeObject(appendStoredIdentifier(append(dst, '{'), &p.Also[i]), at)
	}
	if len(p.Also) > 0 {
		dst = append(dst, ']')
	}
	return closeObject(dst, at)
}

func appendStoredIdentifier(dst []byte, p *Party) []byte {
	dst = appendText(dst, `,"scheme":`, string(p.Scheme))
	dst = appendText(dst, `,"namespace":`, p.Namespace)
	dst = appendTexts(dst, `,"token":`, p.Tokens)
	dst = appendText(dst, `,"shown":`, p.Shown)
	return appendMask(dst, &p.Mask)
}

func appendMask(dst []byte, m *Mask) []byte {
	if m.Lead == "" && m.Tail == "" && m.Length == 0 && len(m.Middle) == 0 {
		return dst
	}
	dst = appendString(append(dst, `,"mask":[`...), m.Lead)
	dst = appendString(append(dst, ','), m.Tail)
	dst = appendInt(dst, ",", int64(m.Length))
	for _, digit := range m.Middle {
		dst = appendInt(dst, ",", int64(digit.Pos))
		dst = appendStrings(append(dst, ','), digit.Tokens)
	}
	return append(dst, ']')
}

// DecodeStored reads what EncodeStored wrote. Members of a later version are
// skipped, values of one are kept. The error is of class ErrStored; it names the
// member and the byte, never a value. The result does not refer to b.
func DecodeStored(b []byte) (Record, error) {
	d := storedReader(b)
	var r Record
	_, ok := d.object(storedRecordMembers, func(i int) bool {
		switch i {
		case memberParty:
			r.Party = new(Party)
			return d.storedParty(r.Party, storedMembers)
		case storedLateAmount:
			return d.Bool(&r.LateAmount)
		case storedGuard:
			r.Guard = new(GuardMark)
			return d.guard(r.Guard)
		}
		return d.member(&r, i, wordAny)
	})
	if ok && d.end() {
		return r, nil
	}
	return Record{}, d.stored()
}

// A stored record has two members besides those of records.md.
var (
	storedRecordMembers = append(slices.Clone(recordMembers), "late_amount", "guard")
	storedLateAmount    = len(recordMembers)
	storedGuard         = storedLateAmount + 1
)

// The members of a stored party; in also only those up to mask.
const (
	storedScheme = iota
	storedNamespace
	storedToken
	storedShown
	storedMask
	storedPAR
	storedText
	storedFlaw
	storedAlso
)

var (
	storedMembers     = []string{"scheme", "namespace", "token", "shown", "mask", "par", "text", "flaw", "also"}
	storedAlsoMembers = storedMembers[:storedMask+1]
)

func (d *reader) storedParty(p *Party, members []string) bool {
	_, ok := d.object(members, func(i int) bool {
		switch i {
		case storedScheme:
			return word(d, &p.Scheme, schemes, wordAny)
		case storedNamespace:
			return d.text(&p.Namespace)
		case storedToken:
			return d.texts(&p.Tokens)
		case storedShown:
			return d.text(&p.Shown)
		case storedMask:
			return d.List(func(i int) bool { return d.maskPart(&p.Mask, i) })
		case storedPAR:
			return d.texts(&p.PARTokens)
		case storedText:
			return d.text(&p.Text)
		case storedFlaw:
			return d.text(&p.Flaw)
		}
		return d.List(func(int) bool {
			p.Also = append(p.Also, Party{})
			return d.storedParty(&p.Also[len(p.Also)-1], storedAlsoMembers)
		})
	})
	return ok
}

// maskPart reads the i-th element of a mask.
func (d *reader) maskPart(m *Mask, i int) bool {
	switch {
	case i == 0:
		return d.text(&m.Lead)
	case i == 1:
		return d.text(&m.Tail)
	case i == 2:
		return d.place(&m.Length)
	case i%2 == 1:
		m.Middle = append(m.Middle, MaskDigit{})
		return d.place(&m.Middle[len(m.Middle)-1].Pos)
	}
	return d.texts(&m.Middle[len(m.Middle)-1].Tokens)
}

// place reads a small number.
func (d *reader) place(v *int) bool {
	at := d.At()
	var n int64
	if !d.Integer(&n, true) {
		return false
	}
	if n < -1<<15 || n > 1<<15 {
		return d.Fail(at, "a large number", "a place in a card number")
	}
	*v = int(n)
	return true
}
