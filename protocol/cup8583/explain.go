package cup8583

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"yuanlu/protocol/explain"
)

// Explain returns the parts of a message in their order, as Decode sees them: TPDU, HEAD,
// type, bitmap, every field, the sub-fields of F55, F59, F60 and F61; masked, with what
// becomes of each. Where Decode refuses the message the last one holds why, and the
// *DecodeError is returned too.
func (l *Layout) Explain(data []byte) ([]explain.Field, error) {
	var m Message
	d := decoder{layout: l, message: &m, data: data, seen: new([]explain.Field)}
	refused := d.run()
	if e := (*DecodeError)(nil); errors.As(refused, &e) {
		plausible := isType(m.mti)
		*d.seen = explain.Refused(*d.seen, func(f *explain.Field) bool {
			return plausible && (f.Name == "MTI" || f.Name == "bitmap")
		}, e.Field, e.Offset, e.Got, e.Want)
	}
	return *d.seen, refused
}

// isType reports whether four digits are a message type, so that the envelope before it
// has the right size and the bitmap behind it is one.
func isType(mti string) bool {
	return len(mti) == 4 && mti[0] == '0' && mti[1] >= '1' && mti[1] <= '8' && mti[2] <= '4' && mti[3] <= '1'
}

// saw notes a part of the message, if its parts are asked for.
func (d *decoder) saw(name string, at, length int, kind, value, became string) {
	if d.seen != nil {
		*d.seen = append(*d.seen, explain.Field{Name: name, At: at, Length: length, Kind: kind, Value: value, Became: became})
	}
}

// sawEnvelope notes what stands before the fields; at is where TPDU begins.
func (d *decoder) sawEnvelope(at int) {
	o := &d.layout.opt
	if d.message.tcpLength {
		d.saw("LEN", 0, 2, "", "", "the length of TCP")
	}
	d.saw("TPDU", at, o.TPDU, "", "", "not looked at")
	training := "not looked at, but for its fifth digit"
	if d.message.Training() {
		training = "training"
	}
	d.saw("HEAD", at+o.TPDU, o.Head, "", "", training)
	d.saw("MTI", at+o.TPDU+o.Head, 2*mtiSize, "", d.message.mti, "kind")
}

// sawBitmap notes which fields the bitmap of a message lists.
func (d *decoder) sawBitmap(at int, claimed bitmap) {
	if d.seen == nil {
		return
	}
	var names []string
	for n := 2; n < fieldsEnd; n++ {
		if claimed.has(n) {
			names = append(names, strconv.Itoa(n))
		}
	}
	d.saw("bitmap", at, bitmapSize, "", strings.Join(names, " "), "the fields that follow")
}

// sawField notes field n, whose head begins at at and whose value is raw.
func (d *decoder) sawField(n, at, size int, raw []byte) {
	if d.seen == nil {
		return
	}
	f := &d.layout.fields[n]
	text := f.value(raw, size)
	kind, value := explain.Kind([]byte(text)), ""
	switch {
	case f.Form == Track:
		kind = plural(size, "nibble")
	case f.Binary:
		kind = plural(size, "byte")
	}
	switch n {
	case 2:
		value = explain.Identity(text)
	case 35:
		value = explain.Identity(d.message.track.Reveal())
	case 3, 4, 11, 12, 13, 15, 22, 23, 25, 26, 32, 33, 37, 38, 39, 41, 42, 49:
		value = explain.Text(text)
	}
	d.saw(f.name, at, size, kind, value, becomes(n))
	switch n {
	case 59:
		d.sawVendor(at + f.head)
	case 60:
		d.sawPart("F60.1", 60, 0, 2, "kind")
		d.sawPart("F60.2", 60, 2, 8, "batch")
	case 61:
		d.sawPart("F61.1", 61, 0, 6, "original.batch")
		d.sawPart("F61.2", 61, 6, 12, "original.stan")
		d.sawPart("F61.3", 61, 12, 16, "original.date")
	}
}

// sawPart notes digits from … to of a field, if they are there.
func (d *decoder) sawPart(name string, n, from, to int, became string) {
	if v := d.message.digitsAt(n, from, to); v != "" {
		f := &d.layout.fields[n]
		at := d.at - len(d.message.values[n]) + from
		if f.Form == Digits {
			at = d.at - f.bytes(len(d.message.values[n])) + from/2
		}
		d.saw(name, at, to-from, explain.Kind([]byte(v)), v, became)
	}
}

// sawVendor notes the sub-fields of F59, whose value begins at at; none, if it cannot be
// read as such.
func (d *decoder) sawVendor(at int) {
	if d.message.Sub59("A4") == "" && d.message.Sub59("A3") == "" {
		return
	}
	WalkSubFields(d.message.values[59], func(tag, v string) {
		value, became := "", "not read"
		switch tag {
		case "A3":
			became = "channel: unionpay_qr"
		case "A4":
			value, became = explain.Text(strings.TrimRight(v, " ")), "channel_txn; of voids and refunds original.channel_txn"
		default:
			tag = "another sub-field"
		}
		d.saw("F59 "+tag, at, len(v), explain.Kind([]byte(v)), value, became)
		at += 5 + len(v)
	})
}

// sawTag notes a tag of F55.
func (d *decoder) sawTag(tag uint32, at int, value []byte) {
	if d.seen == nil {
		return
	}
	name, shown, became := "F55 another tag", "", "kept, not read"
	if isChipTag(tag) {
		name = fmt.Sprintf("F55 tag %02X", tag)
	}
	switch tag {
	case tagPAN:
		pan, _ := chipPAN(value)
		shown, became = explain.Identity(pan.Reveal()), "party, where F2 and F35 name none; then dropped"
	case tagPAR:
		shown, became = explain.Identity(string(value)), "party.par"
	case tagRequestor, tagFormIndic:
		became = "party.scheme: dpan"
	case tagTrack2, tagExpiry, tagTrack2MSD:
		became = "dropped"
	}
	d.saw(name, at, len(value), plural(len(value), "byte"), shown, became)
}

// isChipTag reports whether a tag is one that chips send. Another one may be anything:
// bytes of a message that is damaged before it.
func isChipTag(tag uint32) bool {
	switch tag {
	case 0x4F, 0x50, 0x57, 0x5A, 0x82, 0x84, 0x95, 0x9A, 0x9B, 0x9C, 0x5F20, 0x5F24, 0x5F25, 0x5F28, 0x5F2A, 0x5F30, 0x5F34,
		0x9F02, 0x9F03, 0x9F06, 0x9F07, 0x9F09, 0x9F0D, 0x9F0E, 0x9F0F, 0x9F10, 0x9F12, 0x9F15, 0x9F16, 0x9F19, 0x9F1A, 0x9F1C,
		0x9F1E, 0x9F21, 0x9F24, 0x9F26, 0x9F27, 0x9F33, 0x9F34, 0x9F35, 0x9F36, 0x9F37, 0x9F41, 0x9F53, 0x9F63, 0x9F66, 0x9F6B,
		0x9F6C, 0x9F6E, 0x9F74, 0xDF31, 0xDF32:
		return true
	}
	return false
}

// becomes names the member of the record that a field is read into.
func becomes(n int) string {
	switch n {
	case 2:
		return "party"
	case 3, 25:
		return "kind"
	case 4:
		return "amount"
	case 11:
		return "stan"
	case 12, 13:
		return "at, of an answer"
	case 14:
		return "dropped: expiry date"
	case 22:
		return "entry"
	case 35:
		return "dropped: track 2, but for its card number, which is the party where F2 names none"
	case 36:
		return "dropped: track 3"
	case 37:
		return "rrn; of a request original.rrn"
	case 38:
		return "auth_code; of a request original.auth_code"
	case 39:
		return "outcome, response_code, of an answer"
	case 41:
		return "terminal_id"
	case 42:
		return "merchant_id"
	case 48:
		return "totals of a settlement"
	case 49:
		return "currency"
	case 52:
		return "dropped: PIN block"
	case 53:
		return "tells whether F35 is encrypted"
	case 55, 59, 60, 61:
		return "below"
	}
	return "read over"
}
