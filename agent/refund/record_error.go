package refund

import (
	"errors"
	"strconv"
	"strings"
)

// ErrInput is the class of every error of ParseRecord.
var ErrInput = errors.New("input is no record")

// ErrStored is the class of every error of DecodeStored: the store holds
// something that EncodeStored did not write.
var ErrStored = errors.New("stored record is damaged")

// UnknownPolicy is what ParseRecord does with JSON members that records.md does
// not name.
type UnknownPolicy uint8

const (
	// Reject makes an unknown member an error (`yuanlu check`).
	Reject UnknownPolicy = iota
	// Ignore skips unknown members (a wire's own payload: firmware may be newer).
	Ignore
)

// InputError is where a record is wrong and why. It never holds a value of the
// input, only names of members and kinds of values, so it is safe to log.
type InputError struct {
	Line   int    // 1-based line of the input; 0: not known to the reader of one line
	Column int    // 1-based, in characters; a byte that is no UTF-8 counts as one
	Member string // path of the member, "party.also[0].scheme"; "" the record itself
	Got    string // what stands there, described
	Want   string // what may stand there
}

// Error returns place, member, got and want in one line.
func (e *InputError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		b.WriteString("line " + strconv.Itoa(e.Line) + ", ")
	}
	b.WriteString("column " + strconv.Itoa(e.Column) + ": ")
	if e.Member != "" {
		b.WriteString(e.Member + ": ")
	}
	b.WriteString("got " + e.Got + ", want " + e.Want)
	return b.String()
}

// Unwrap returns ErrInput.
func (e *InputError) Unwrap() error { return ErrInput }
