package smart_test

import (
	"errors"
	"os"
	"testing"

	"yuanlu/protocol/smart"
	"yuanlu/protocol/wiretest"
)

// corpora returns good and malformed messages: those of the vectors, and what fuzzing found.
func corpora(t testing.TB) (good, malformed [][]byte) {
	return wiretest.Messages(t, "good.hex"), wiretest.Messages(t, "malformed.hex")
}

// refused checks the refusal of a message; it reports whether it was refused.
func refused(t *testing.T, what string, data []byte, vocabulary string) bool {
	t.Helper()
	_, _, err := readAll(data)
	if err == nil {
		return false
	}
	var e *smart.DecodeError
	if !errors.As(err, &e) || !errors.Is(err, smart.ErrMalformed) {
		t.Fatalf("%s: %v", what, err)
	}
	if wrong := (wiretest.Refusal{Err: err, Field: e.Field, Offset: e.Offset, Got: e.Got, Want: e.Want}).Check(data, vocabulary); wrong != "" {
		t.Errorf("%s: %s: %v", what, wrong, err)
	}
	return true
}

// Every malformed message of the corpora is refused with its place, and without its
// bytes; every good one is taken, and refused or read as encoding/json reads it when a
// byte of it is another one (of every fourth; YUANLU_SOAK: of all).
func TestCorpora(t *testing.T) {
	good, malformed := corpora(t)
	vocabulary := wiretest.Vocabulary(t)
	for _, data := range malformed {
		if !refused(t, "malformed", data, vocabulary) {
			t.Errorf("a malformed message of %d bytes is taken", len(data))
		}
	}
	few := wiretest.AFew()
	for i, data := range good {
		if refused(t, "good", data, vocabulary) {
			t.Errorf("good message %d is refused", i)
		}
		if i%4 > 0 && os.Getenv("YUANLU_SOAK") == "" {
			continue
		}
		wiretest.Changed(data, func(what string, b []byte) {
			if !refused(t, what, b, vocabulary) {
				check(t, what, b)
			}
		}, few[i/4%len(few)])
	}
}
