package refund

import (
	"strconv"
	"unicode/utf8"

	"yuanlu/protocol/strictjson"
)

// lineForm is the form of a record in a line and of what the store holds.
var lineForm = strictjson.Form{End: "the end of the line", Twice: "a second one", Depth: 1024}

// reader reads one record or verdict.
type reader struct {
	strictjson.Reader
	// kept is the text as a string whose parts are values of the result; "" if values
	// must be copies, because the text holds identifiers that must not live on with them.
	kept        string
	skipUnknown bool // members not in the list are skipped; else they are errors
}

// newReader returns a reader of a record that comes from outside.
func newReader(line []byte, skipUnknown bool) reader {
	return reader{Reader: strictjson.New(line, 0, &lineForm), skipUnknown: skipUnknown}
}

// storedReader returns a reader of what the store holds, with the members of later versions.
func storedReader(b []byte) reader {
	return reader{Reader: strictjson.New(b, 0, &lineForm), kept: string(b), skipUnknown: true}
}

// end reads the white space after the text.
func (d *reader) end() bool { return d.End("the end of the line after the record") }

// object reads an object and calls set with the index in names of each member, at
// its value. seen has one bit for each member that was there.
func (d *reader) object(names []string, set func(i int) bool) (seen uint64, ok bool) {
	last := -1
	return d.Object(func(name []byte) int {
		last = indexOf(names, name, last+1)
		return last
	}, func(m strictjson.Member) bool {
		if m.Index < 0 {
			return d.unknown(&m)
		}
		return set(m.Index) || d.Within(names[m.Index])
	})
}

// indexOf finds name among names, beginning with the place after the last one:
// members mostly come in order.
func indexOf(names []string, name []byte, from int) int {
	for i := from; i < len(names); i++ {
		if names[i] == string(name) {
			return i
		}
	}
	for i := range min(from, len(names)) {
		if names[i] == string(name) {
			return i
		}
	}
	return -1
}

// unknown skips the value of a member that this version does not know, or refuses it.
func (d *reader) unknown(m *strictjson.Member) bool {
	if d.skipUnknown {
		return d.Skip()
	}
	d.Fail(m.At, "an unknown member", "a member that records.md names")
	return d.Within(safeName(m.Name))
}

// safeName returns a member's name as an error may show it: nothing that could be a
// card number or an identifier of a wallet.
func safeName(name []byte) string {
	const most = 40
	if len(name) == 0 || len(name) > most {
		return "(a name of " + strconv.Itoa(len(name)) + " bytes)"
	}
	for _, c := range name {
		if c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return strconv.Quote(maskText(string(name)))
		}
	}
	return maskText(string(name))
}

// text reads a string.
func (d *reader) text(v *string) bool {
	from := d.Pos() + 1 // the value stands here: Object and List skip what is before it
	b, ok := d.Quoted("a string")
	if !ok {
		return false
	}
	if to := d.Pos() - 1; d.kept != "" && to-from == len(b) {
		*v = d.kept[from:to]
	} else {
		*v = string(b)
	}
	return true
}

// texts reads a list of strings.
func (d *reader) texts(v *[]string) bool {
	return d.List(func(int) bool {
		var s string
		if !d.text(&s) {
			return false
		}
		*v = append(*v, s)
		return true
	})
}
