package ingest

import (
	"crypto/rand"
	"fmt"

	"yuanlu/protocol/frame"
)

// Sanitiser makes of the bytes of a link what may be kept for support: the frames as
// they were, save that card numbers, identifiers of wallets and tokens are
// pseudonyms, that track data, PIN blocks, expiry dates and whatever no profile
// knows are blank, and that check bytes are right again. Bytes that belong to no
// good frame become 00: they may be a damaged message. Replay reads the result as it
// would have read the original. It is not safe for concurrent use.
type Sanitiser struct {
	scanner *frame.Scanner
	redact  func(data []byte)
	check   func(raw []byte)
	data    func(raw []byte) []byte
	pushed  int64
	written int64
}

// NewSanitiser makes one for the wire of a profile, with a key of its own that
// nobody else has.
func NewSanitiser(p Profile) (*Sanitiser, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("ingest: no random key: %w", err)
	}
	names := &pseudonyms{key}
	s := &Sanitiser{scanner: frame.NewSTX(), check: checkSTX, data: func(raw []byte) []byte { return raw[3 : len(raw)-2] }}
	switch body := p.body.(type) {
	case *misposProfile:
		s.redact = newMisposRedactor(body, names).redact
	case *cupProfile:
		r, err := newCupRedactor(body, names)
		if err != nil {
			return nil, err
		}
		s.redact = r.redact
	default:
		if p.wire != "smart" {
			return nil, fmt.Errorf("%w %q", ErrWire, p.wire)
		}
		s.scanner, s.check = frame.NewSmart(), checkSmart
		s.data = func(raw []byte) []byte { return raw[7 : len(raw)-3] }
		s.redact = names.message
	}
	return s, nil
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

// Rest says that nothing comes for now: what is unfinished is given up, as the
// agent does, and everything taken so far is in dst.
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
