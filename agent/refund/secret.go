package refund

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is all that a Secret ever prints.
const hidden = "[hidden]"

// Secret is a clear identifier on its way to Seal. It cannot print, log or
// marshal itself: every way writes "[hidden]". The zero value is "no identifier".
//
// The text stands behind a pointer, because package fmt does not call the
// methods of what it finds in an unexported field: it prints the address.
type Secret struct{ clear *string }

// NewSecret takes a clear identifier. Of an empty one it returns the zero Secret.
func NewSecret(clear string) Secret {
	if clear == "" {
		return Secret{}
	}
	return Secret{&clear}
}

// Reveal returns the clear text. Only Seal, decoders and their tests may call it.
func (s Secret) Reveal() string {
	if s.clear == nil {
		return ""
	}
	return *s.clear
}

// Empty reports whether there is no identifier.
func (s Secret) Empty() bool { return s.clear == nil }

// Equal reports whether both hold the same clear text (== would compare places).
func (s Secret) Equal(t Secret) bool { return s.Reveal() == t.Reveal() }

// String returns "[hidden]".
func (s Secret) String() string { return hidden }

// GoString returns "[hidden]".
func (s Secret) GoString() string { return hidden }

// Format writes "[hidden]" for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue returns "[hidden]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON returns the JSON string "[hidden]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText returns "[hidden]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
