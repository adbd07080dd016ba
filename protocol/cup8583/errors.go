package cup8583

import (
	"errors"
	"fmt"
	"strconv"
)

// Classes of errors, for errors.Is.
var (
	// ErrMalformed: the bytes are no message of this layout.
	ErrMalformed = errors.New("cup8583: malformed message")
	// ErrLayout: the fields make no layout.
	ErrLayout = errors.New("cup8583: not a layout")
)

// DecodeError is where a message went wrong. It holds no byte of it.
type DecodeError struct {
	Field  string // "F2", "MTI", "bitmap", "F55 tag 5A"; "MSG" before them and behind the last
	Offset int    // in the message (of LEN or TPDU the first byte is 0)
	Got    string
	Want   string
}

// Error returns field, offset, got and want.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("%v: field %s, offset %d: got %s, want %s", ErrMalformed, e.Field, e.Offset, e.Got, e.Want)
}

// Unwrap returns ErrMalformed.
func (e *DecodeError) Unwrap() error { return ErrMalformed }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// whole is the name of all of a message, where no field can be named.
const whole = "MSG"

func fieldName(n int) string { return "F" + strconv.Itoa(n) }
