package wiretest_test

import (
	"errors"
	"testing"

	"yuanlu/protocol/wiretest"
)

// A part of a message is found in a text in every form a careless error has it in.
func TestLeak(t *testing.T) {
	message := []byte("\x62\x00\x12\x34\x56\x78\x90\x05 PAN=6205500000000000004 oTESTa1b2")
	for text, leaks := range map[string]bool{
		"got 12 bytes, want 15 digits":       false,
		"offset 21: got 620055":              true,  // packed, from the message's second nibble on
		"got 6205":                           true,  // text
		"got 36323035":                       true,  // text as hexadecimal digits
		"got 0x12345678":                     true,  // packed
		"got %!d(string=oTESTa1b2)":          true,  // a name
		"want at most the 0012 that follow":  false, // a size, if the message were as long
		"got 3456, want a printable one":     true,
		"want printable characters and TEST": false, // of the vocabulary
	} {
		t.Run(text, func(t *testing.T) {
			if got := wiretest.Leak(text, message, "printable TEST ESTa and"); (got != "") != leaks {
				t.Errorf("%s: %q", text, got)
			}
		})
	}
}

func TestRefusalCheck(t *testing.T) {
	good := wiretest.Refusal{Err: errors.New("field F2, offset 3: got x, want y"), Field: "F2", Offset: 3, Got: "x", Want: "y"}
	if wrong := good.Check([]byte("12345"), ""); wrong != "" {
		t.Error(wrong)
	}
	for name, change := range map[string]func(*wiretest.Refusal){
		"no field":   func(r *wiretest.Refusal) { r.Field = "" },
		"no want":    func(r *wiretest.Refusal) { r.Want = "" },
		"behind":     func(r *wiretest.Refusal) { r.Offset = 6 },
		"before":     func(r *wiretest.Refusal) { r.Offset = -1 },
		"its bytes":  func(r *wiretest.Refusal) { r.Got = "1234" },
		"in the err": func(r *wiretest.Refusal) { r.Err = errors.New("got 2345") },
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			change(&r)
			if r.Check([]byte("12345"), "") == "" {
				t.Errorf("%s: nothing is wrong", name)
			}
		})
	}
}
