package ingest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"yuanlu/agent/refund"
)

// LeftOut is why a message made no record although nothing is wrong with it, in the
// words of wires.md (Common, replay), the same in every language: "type 18",
// "src jd.trade", "request". It is made by LeftOutValue or is one of the constants.
type LeftOut string

// Reasons that name no value of the message.
const (
	LeftOutRequest      LeftOut = "request"        // mispos: a message without a result
	LeftOutRepeat       LeftOut = "repeat"         // the message was used already
	LeftOutEmpty        LeftOut = "empty"          // smart: a data frame without data
	LeftOutNoSuchRefund LeftOut = "no such refund" // a query of a refund that was never made
)

// maxLeftOutValue is the number of characters of a value that a LeftOut shows.
const maxLeftOutValue = 32

// LeftOutValue returns the reason that names what ("type", "src", "txnType", "proc_cd")
// with the value that no table has: its first 32 characters, ? for each that is no
// printable ASCII. A card number in it, 13 to 19 digits in a row whose check digit
// holds, is masked.
func LeftOutValue(what, value string) LeftOut {
	var b strings.Builder
	n := 0
	for _, c := range refund.MaskCards(value) {
		if n++; n > maxLeftOutValue {
			break
		}
		if c < 0x20 || c > 0x7E {
			c = '?'
		}
		b.WriteRune(c)
	}
	return LeftOut(what + " " + b.String())
}

// usual reports whether terminals send messages of this sort all day: they are counted
// and no warning.
func (l LeftOut) usual() bool {
	switch l {
	case LeftOutRequest, LeftOutRepeat, LeftOutNoSuchRefund:
		return true
	}
	// Signing on and off, parameters, results of scripts.
	return strings.HasPrefix(string(l), "type 08") && len(l) > len("type 08") || strings.HasPrefix(string(l), "type 06") && len(l) > len("type 06")
}

// LeftOutCount is how many messages a replay left out for one reason; for "bytes", how
// many bytes stand between frames.
type LeftOutCount struct {
	What LeftOut `json:"what"`
	N    uint64  `json:"n"`
}

// leftOutBytes stands for the bytes that belong to no good frame.
const leftOutBytes LeftOut = "bytes"

// leftOutTally counts what was left out, by reason.
type leftOutTally map[LeftOut]uint64

func (t leftOutTally) add(list []LeftOut) {
	for _, l := range list {
		t[l]++
	}
}

// counts returns the reasons in byte order.
func (t leftOutTally) counts() []LeftOutCount {
	var out []LeftOutCount
	for _, what := range slices.SortedFunc(maps.Keys(t), cmp.Compare[LeftOut]) {
		out = append(out, LeftOutCount{what, t[what]})
	}
	return out
}
