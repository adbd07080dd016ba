package sanitise

import "yuanlu/protocol/mispos"

// misposRedactor redacts DATA of wire mispos by the roles that the layout has for tags.
type misposRedactor struct {
	names  *pseudonyms
	layout *mispos.Layout
}

func (r misposRedactor) redact(data []byte) {
	rest := mispos.Walk(data, func(tag mispos.Tag, value []byte) {
		switch r.layout.Role(tag) {
		case mispos.Account:
			r.account(trimmed(value))
		case mispos.RoleInvalid, mispos.HostMessage, mispos.Expiry:
			fill(value, '0')
		case mispos.Namespace: // an application's number may look like a card's
		default:
			r.names.guard(value)
		}
	})
	fill(rest, 0)
}

// account replaces an account before what fills it up. What was no ASCII stays so.
func (r misposRedactor) account(value []byte) {
	value = value[:len(mispos.Unfilled(string(value)))]
	foreign := make([]bool, len(value))
	for i, c := range value {
		foreign[i] = c >= 0x80
	}
	r.names.text(value)
	for i := range value {
		if foreign[i] {
			value[i] = 0xB0
		}
	}
}

// trimmed returns a value without the spaces at its end, which are no part of it.
func trimmed(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}
