// Package sensitive holds the clear values of a message that must never be printed:
// card numbers, openids, account texts, payment account references.
package sensitive

import (
	"fmt"
	"io"
	"log/slog"
)

// Hidden is what a Text prints, logs and marshals as, whatever it holds.
const Hidden = "[hidden]"

// Text is a clear value on its way from a decoder to the code that replaces it
// by a keyed token. It has no printable form: fmt, slog, encoding/json and
// encoding.TextMarshaler all write Hidden. The value lies behind a pointer, so
// that printing a struct with a Text in an unexported field, where fmt cannot
// call the methods, shows an address. The zero Text holds nothing.
type Text struct{ clear *string }

// New takes a clear value; of an empty one it returns the zero Text.
func New(clear string) Text {
	if clear == "" {
		return Text{}
	}
	return Text{&clear}
}

// Reveal returns the clear value, "" for the zero Text.
func (t Text) Reveal() string {
	if t.clear == nil {
		return ""
	}
	return *t.clear
}

// Empty reports whether t holds nothing.
func (t Text) Empty() bool { return t.clear == nil }

// Equal reports whether both hold the same value. Compare with it, not with ==,
// which compares addresses.
func (t Text) Equal(u Text) bool { return t.Reveal() == u.Reveal() }

// String returns Hidden.
func (t Text) String() string { return Hidden }

// GoString returns Hidden.
func (t Text) GoString() string { return Hidden }

// Format writes Hidden for every verb and flag.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Hidden) }

// LogValue returns Hidden.
func (t Text) LogValue() slog.Value { return slog.StringValue(Hidden) }

// MarshalText returns Hidden.
func (t Text) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// MarshalJSON returns Hidden as a JSON string.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Hidden + `"`), nil }
