// Package sanitise makes of the bytes of a link what may be kept for support: the frames
// as they were, save that card numbers, identifiers of wallets and tokens are pseudonyms,
// that track data, PIN blocks, expiry dates and whatever no profile knows are blank, and
// that check bytes are right again. What is not named here is blank.
//
// A message is walked by the package that decodes its wire; what each value holds is
// decided here.
package sanitise

import (
	"crypto/rand"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/frame"
	"yuanlu/protocol/mispos"
)

// Sanitiser takes the bytes of one link. Bytes that belong to no good frame become 00:
// they may be a damaged message. A replay reads the result as it would have read the
// original. It is not safe for concurrent use.
type Sanitiser struct {
	scanner *frame.Scanner
	redact  func(data []byte)
	check   func(raw []byte)
	data    func(raw []byte) []byte
	pushed  int64
	written int64
}

// Mispos returns a Sanitiser of wire mispos.
func Mispos(l *mispos.Layout) *Sanitiser {
	return stx(misposRedactor{newPseudonyms(), l}.redact)
}

// CUP8583 returns a Sanitiser of wire cup8583.
func CUP8583(l *cup8583.Layout) *Sanitiser {
	return stx(cupRedactor{newPseudonyms(), l}.redact)
}

// Smart returns a Sanitiser of wire smart.
func Smart() *Sanitiser {
	return &Sanitiser{scanner: frame.NewSmart(), redact: newPseudonyms().message, check: checkSmart,
		data: func(raw []byte) []byte { return raw[7 : len(raw)-3] }}
}

// stx returns a Sanitiser of a wire in STX frames.
func stx(redact func(data []byte)) *Sanitiser {
	return &Sanitiser{scanner: frame.NewSTX(), redact: redact, check: checkSTX,
		data: func(raw []byte) []byte { return raw[3 : len(raw)-2] }}
}

// newPseudonyms returns pseudonyms under a random key that no one else has.
func newPseudonyms() *pseudonyms {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails: it ends the process instead
	return &pseudonyms{key}
}

func checkSTX(raw []byte) {
	var check byte
	for _, b := range raw[1 : len(raw)-1] {
		check ^= b
	}
	raw[len(raw)-1] = check
}

func checkSmart(raw []byte) {
	var check byte
	for _, b := range raw[2 : len(raw)-3] {
		check ^= b
	}
	raw[len(raw)-3] = check
}

// Clean takes bytes of the link and appends to dst what of them may be kept by now:
// an unfinished frame waits.
func (s *Sanitiser) Clean(dst, p []byte) []byte {
	s.scanner.Push(p)
	s.pushed += int64(len(p))
	return s.frames(dst)
}

func (s *Sanitiser) frames(dst []byte) []byte {
	for {
		f, ok := s.scanner.Next()
		if !ok {
			return dst
		}
		dst = append(dst, make([]byte, f.Offset-s.written)...)
		from := len(dst)
		dst = append(dst, f.Raw...)
		raw := dst[from:]
		s.redact(s.data(raw))
		s.check(raw)
		s.written = f.Offset + int64(len(raw))
	}
}

// Rest appends what is left where nothing comes for now: what is unfinished is given up,
// as a worker does, and everything taken so far is in dst.
func (s *Sanitiser) Rest(dst []byte) []byte {
	for s.scanner.Pending() {
		s.scanner.GiveUp()
		dst = s.frames(dst)
	}
	dst = append(dst, make([]byte, s.pushed-s.written)...)
	s.written = s.pushed
	return dst
}

// Stats counts good frames, damaged ones and bytes that belong to none.
func (s *Sanitiser) Stats() frame.Stats { return s.scanner.Stats() }
