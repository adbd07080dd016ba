package ingest_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/mispos"
	"yuanlu/protocol/smart"
	"yuanlu/protocol/wiretest"
)

// corpus returns the messages that the tests of a wire's decoder have.
func corpus(t testing.TB, wire, name string) (out [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "protocol", wire, "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		m, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// refusalOf finds the place in an error of any wire.
func refusalOf(err error) (wiretest.Refusal, bool) {
	var m *mispos.DecodeError
	var c *cup8583.DecodeError
	var s *smart.DecodeError
	switch {
	case errors.As(err, &m) && errors.Is(err, mispos.ErrMalformed):
		return wiretest.Refusal{Err: err, Field: m.Field, Offset: m.Offset, Got: m.Got, Want: m.Want}, true
	case errors.As(err, &c) && errors.Is(err, cup8583.ErrMalformed):
		return wiretest.Refusal{Err: err, Field: c.Field, Offset: c.Offset, Got: c.Got, Want: c.Want}, true
	case errors.As(err, &s) && errors.Is(err, smart.ErrMalformed):
		return wiretest.Refusal{Err: err, Field: s.Field, Offset: s.Offset, Got: s.Got, Want: s.Want}, true
	}
	return wiretest.Refusal{}, false
}

// source returns what may be in an error's text: that of the packages a message goes through.
func source(t testing.TB) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{".", "../refund", "../../protocol/mispos", "../../protocol/cup8583", "../../protocol/smart"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
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
	}
	return all.String()
}

// Every message of the corpora, and each with a byte changed, through a whole wire: a
// record or a refusal with its place, which holds nothing of the message; what is noted
// beside a record neither.
func TestRefusalsOfEveryWire(t *testing.T) {
	vocabulary := source(t)
	for _, wire := range ingest.Wires() {
		p, err := ingest.DefaultProfile(wire)
		if err != nil {
			t.Fatal(err)
		}
		refusals := 0
		try := func(what string, data []byte) (refused bool) {
			w, err := ingest.NewWire(wire, p, nil)
			if err != nil {
				t.Fatal(err)
			}
			step, err := w.Frame(frame.Frame{Data: data, Raw: data, ID: 1}, ingest.Clock{Now: time.Unix(1787000000, 0), HasNow: true})
			for _, l := range step.LeftOut {
				if part := wiretest.Leak(string(l), data, vocabulary); part != "" && !isCodeOf(string(l), part) {
					t.Errorf("%s, %s: what is left out holds %q: %s", wire, what, part, l)
				}
			}
			if part := wiretest.Leak(step.Ignored, data, vocabulary); part != "" && !isCodeOf(step.Ignored, part) {
				t.Errorf("%s, %s: what is ignored holds %q: %s", wire, what, part, step.Ignored)
			}
			if err == nil {
				return false
			}
			refusals++
			r, ok := refusalOf(err)
			if !ok {
				t.Fatalf("%s, %s: an error without a place: %v", wire, what, err)
			}
			if wrong := r.Check(data, vocabulary); wrong != "" {
				t.Errorf("%s, %s: %s: %v", wire, what, wrong, err)
			}
			return true
		}
		for _, data := range corpus(t, wire, "malformed.hex") {
			if !try("malformed", data) && !bytes.Contains(data, []byte(`"record"`)) {
				t.Errorf("%s: a malformed message is taken", wire)
			}
		}
		few := wiretest.AFew()
		for i, data := range corpus(t, wire, "good.hex") {
			if i%3 > 0 { // the decoders' own tests change them all
				continue
			}
			wiretest.Changed(data, func(what string, b []byte) { try(what, b) }, few[i/3%len(few)])
		}
		t.Logf("%s: %d refusals", wire, refusals)
	}
}

// isCodeOf reports whether what is ignored names a word or code of the tables, which
// cannot be a number of anyone: that is shown on purpose.
func isCodeOf(ignored, part string) bool {
	for _, word := range strings.Fields(ignored) {
		if strings.Contains(word, part) && len(word) <= 24 && strings.Trim(word, "0123456789") != "" {
			return true
		}
		if strings.Contains(word, part) && len(word) <= 6 {
			return true
		}
	}
	return false
}
