package refund

import (
	"bytes"
	"math/bits"

	"yuanlu/protocol/strictjson"
)

// Line is what one line of `yuanlu check` holds.
type Line uint8

const (
	LineRecord  Line = iota // a record, or nothing that is understood
	LineAsk                 // its `ask` is an object
	LineHoldEnd             // its `kind` is hold_end
)

// LineOf returns what a line holds, from its members ask and kind alone.
func LineOf(text []byte) Line {
	if !bytes.Contains(text, []byte(`ask"`)) && !bytes.Contains(text, []byte(`\u`)) {
		return LineRecord
	}
	d := strictjson.New(text, 0, &lineForm)
	line, kind := LineRecord, ""
	d.Object(func(name []byte) int {
		switch string(name) {
		case "ask":
			return 0
		case "kind":
			return 1
		}
		return -1
	}, func(m strictjson.Member) bool {
		switch {
		case m.Index == 0 && d.Kind() == '{':
			line = LineAsk
		case m.Index == 1 && d.Kind() == '"':
			b, ok := d.Quoted("a string")
			kind = string(b)
			return ok
		}
		return d.Skip()
	})
	if line == LineRecord && kind == kindHoldEnd {
		return LineHoldEnd
	}
	return line
}

// kindHoldEnd is the kind of a line that ends a hold.
const kindHoldEnd = "hold_end"

// HoldEnd is a line of `yuanlu check` that ends a hold, taken as it stands (guard.md § 3).
type HoldEnd struct {
	MerchantID, TerminalID, Ask string
	State                       string // HoldReleased or HoldCancelled
	By                          string
	At                          string // a time
}

// The states that a HoldEnd may have.
const (
	HoldReleased  = "released"
	HoldCancelled = "cancelled"
)

var holdEndNames = []string{"v", "kind", "merchant_id", "terminal_id", "ask", "state", "by", "at"}

// ParseHoldEnd reads one such line; all its members are required. The error is an
// *InputError of class ErrInput, without its Line.
func ParseHoldEnd(text []byte) (HoldEnd, error) {
	d := newReader(text, false)
	var h HoldEnd
	if d.holdEnd(&h) {
		return h, nil
	}
	return HoldEnd{}, d.inputError(text)
}

func (d *reader) holdEnd(h *HoldEnd) bool {
	seen, ok := d.object(holdEndNames, func(i int) bool {
		at := d.At()
		switch i {
		case 0:
			return d.version()
		case 5:
			return word(d, &h.State, []string{HoldReleased, HoldCancelled}, wordRequired)
		case 7:
			if !d.text(&h.At) {
				return false
			}
			_, ok := ParseTime(h.At)
			return ok || d.Fail(at, "no time", "RFC 3339 with offset")
		}
		var kind string
		return d.text([...]*string{1: &kind, 2: &h.MerchantID, 3: &h.TerminalID, 4: &h.Ask, 6: &h.By}[i])
	})
	if !ok {
		return false
	}
	if missing := (uint64(1)<<len(holdEndNames) - 1) &^ seen; missing != 0 {
		return d.lacks(holdEndNames[bits.TrailingZeros64(missing)])
	}
	return d.End("the end of the line after the hold_end")
}
