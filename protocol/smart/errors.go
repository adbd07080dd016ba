package smart

import (
	"errors"
	"fmt"
)

// ErrMalformed is the class of every error of this package.
var ErrMalformed = errors.New("smart: malformed message")

// DecodeError is where DATA went wrong. It holds no value of the message, only
// names of members and kinds of values, so it is safe to log.
type DecodeError struct {
	Field  string // path of a known member ("body.amount.total"); "DATA" the message itself
	Offset int    // in DATA; inside JSON that stands in a string, of that string
	Got    string
	Want   string
}

// Error returns field, offset, got and want.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("%v: field %s, offset %d: got %s, want %s", ErrMalformed, e.Field, e.Offset, e.Got, e.Want)
}

// Unwrap returns ErrMalformed.
func (e *DecodeError) Unwrap() error { return ErrMalformed }
