package cup8583

import (
	"strings"

	"yuanlu/protocol/sensitive"
)

// Source is where a card number was read, the strongest last.
type Source uint8

// The sources.
const (
	SourceNone  Source = iota
	SourceChip         // F55 tag 5A
	SourceTrack        // F35, before the separator
	SourceField        // F2
)

// Account returns the card number and where it was read: F2, else F35 (unless F53 calls
// it encrypted), else tag 5A of F55.
func (m *Message) Account() (sensitive.Text, Source) {
	if pan := sensitive.New(strings.TrimRight(m.pan.Reveal(), " ")); !pan.Empty() {
		return pan, SourceField
	}
	switch {
	case !m.track.Empty():
		return m.track, SourceTrack
	case !m.chip.pan.Empty():
		return m.chip.pan, SourceChip
	}
	return sensitive.Text{}, SourceNone
}

// PAR returns the payment account reference, tag 9F24 of F55.
func (m *Message) PAR() sensitive.Text { return m.chip.par }

// DeviceToken reports whether by F55 the number is that of a phone or watch: it
// has tag 9F19 or 9F6E.
func (m *Message) DeviceToken() bool { return m.chip.device }

// digitsAt returns the digits from … to of a field; "" if it does not reach that far, or
// if it is text that has something else there.
func (m *Message) digitsAt(n, from, to int) string {
	v := m.values[n]
	if len(v) < to {
		return ""
	}
	v = v[from:to]
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return ""
		}
	}
	return v
}

// Type returns F60.1, the two digits that distinguish kinds.
func (m *Message) Type() string { return m.digitsAt(60, 0, 2) }

// Batch returns F60.2.
func (m *Message) Batch() string { return m.digitsAt(60, 2, 8) }

// Original returns F61.1 to F61.3: batch, STAN and date (MMDD) of the original. Each is
// "" where F61 does not reach that far; zeros mean that it is not given.
func (m *Message) Original() (batch, stan, date string) {
	return m.digitsAt(61, 0, 6), m.digitsAt(61, 6, 12), m.digitsAt(61, 12, 16)
}

// Sums returns the 62 digits of F48 in a settlement, "" if F48 has another length.
func (m *Message) Sums() string {
	v := strings.TrimRight(m.values[48], " ")
	if len(v) != 62 {
		return ""
	}
	return m.digitsAt(48, 0, 62)
}

// SettlementCode returns the reconciliation code of domestic cards in a settlement, '0' to
// '9'; 0 if F48 does not reach that far.
func (m *Message) SettlementCode() byte {
	if code := m.digitsAt(48, 30, 31); code != "" {
		return code[0]
	}
	return 0
}

// Sub59 returns the value of a sub-field of F59 (tag of two characters, length of three
// digits, value) without trailing spaces; "" if it is absent or empty, or if F59 is
// something else that a vendor put there.
func (m *Message) Sub59(tag string) string {
	found, has := "", false
	rest := WalkSubFields(m.values[59], func(t, value string) {
		if t == tag && !has {
			found, has = value, true
		}
	})
	if rest != "" {
		return ""
	}
	return strings.TrimRight(found, " ")
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
