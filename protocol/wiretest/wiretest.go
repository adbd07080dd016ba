// Package wiretest holds what the tests of every wire's decoder need: messages from
// files, their damaged forms, and what a refusal must look like: a place inside the
// message, and no part of the message in the text.
package wiretest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Messages reads testdata/name: one message a line in hexadecimal digits, # begins a
// comment.
func Messages(t testing.TB, name string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		b, err := hex.DecodeString(line)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no message", name)
	}
	return out
}

// Vocabulary returns the source of the package under test: what stands there may be in
// an error's text.
func Vocabulary(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// Refusal is what a DecodeError holds.
type Refusal struct {
	Err       error
	Field     string
	Offset    int
	Got, Want string
}

// Check returns what is wrong with the refusal of a message, "" if nothing: it names a
// field and an offset in the message, states what it got and wanted, and holds nothing
// of the message.
func (r Refusal) Check(message []byte, vocabulary string) string {
	switch {
	case r.Field == "":
		return "it names no field"
	case r.Offset < 0 || r.Offset > len(message):
		return fmt.Sprintf("offset %d of %d", r.Offset, len(message))
	case r.Got == "" || r.Want == "":
		return "it does not state what it got or wanted"
	}
	for _, text := range []string{r.Err.Error(), fmt.Sprintf("%+v", r.Err), strings.Join([]string{r.Field, r.Got, r.Want}, "; ")} {
		text = strings.ReplaceAll(text, "offset "+strconv.Itoa(r.Offset), "offset")
		if part := Leak(text, message, vocabulary); part != "" {
			return "it holds a part of the message: " + strconv.Quote(part)
		}
	}
	return ""
}

// run is how many characters in a row are a part of a message.
const run = 4

// Leak returns a part of a message that stands in a text: four letters or digits in a
// row of it, as they are, as the hexadecimal digits of its bytes, or as digits packed
// two to a byte. What stands in the vocabulary is none, nor is a number of bytes.
func Leak(text string, message []byte, vocabulary string) string {
	packed := []byte(strings.ToLower(hex.EncodeToString(message)))
	for i := 0; i+run <= len(text); i++ {
		part := text[i : i+run]
		if !isWord(part) || !bytes.Contains(message, []byte(part)) && !bytes.Contains(packed, []byte(strings.ToLower(part))) {
			continue
		}
		if !strings.Contains(vocabulary, part) && !isSize(text, i, len(message)) {
			return part
		}
	}
	return ""
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c < 0x80 {
			return false
		}
	}
	return true
}

// isSize reports whether the digits around place i of a text are a number that a
// message of so many bytes can have of something.
func isSize(text string, i, size int) bool {
	digit := func(k int) bool { return k >= 0 && k < len(text) && text[k] >= '0' && text[k] <= '9' }
	from, to := i, i
	for digit(from - 1) {
		from--
	}
	for digit(to) {
		to++
	}
	n, err := strconv.Atoi(text[from:to])
	return err == nil && to-from >= run && n <= max(size, 0)
}

// Changed calls each with every message that differs from a good one in one byte, by
// the given changes; the bytes are valid during the call.
func Changed(good []byte, each func(what string, b []byte), changes ...func(byte) byte) {
	b := bytes.Clone(good)
	for i, was := range good {
		for _, change := range changes {
			if now := change(was); now != was {
				b[i] = now
				each(fmt.Sprintf("byte %d as %#x", i, now), b)
			}
		}
		b[i] = was
	}
}

// AFew are changes for many messages: a bit below, a bit above, and bytes that mean
// something somewhere.
func AFew() []func(byte) byte {
	to := func(v byte) func(byte) byte { return func(byte) byte { return v } }
	flip := func(v byte) func(byte) byte { return func(c byte) byte { return c ^ v } }
	return []func(byte) byte{flip(1), flip(0x10), flip(0x80), to(0), to(0xFF), to('9')}
}

// Bench reads one message after the other, from the first again after the last.
func Bench(b *testing.B, messages [][]byte, read func([]byte) error) {
	b.Helper()
	size := 0
	for _, m := range messages {
		size += len(m)
	}
	b.SetBytes(int64(size / len(messages)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := read(messages[n%len(messages)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
