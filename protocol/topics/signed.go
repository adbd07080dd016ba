package topics

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Classes of errors about a signed payload.
var (
	ErrUnsigned   = errors.New("topics: not signed")
	ErrUnknownKey = errors.New("topics: signed with an unknown key")
	ErrSignature  = errors.New("topics: signature does not fit")
	ErrAddressee  = errors.New("topics: meant for another terminal")
)

// Signed is the form of every dn payload when the terminal knows keys of its
// back office (topics.md, Signed).
//
// Sig covers the bytes topic\nterminal\nid\nts\nbody, each as written in the
// payload (body as base64 text). None of these can hold a newline, so no two
// payloads have the same signed bytes.
type Signed struct {
	V        int    `json:"v"` // 1
	KID      string `json:"kid"`
	Terminal string `json:"terminal"`
	ID       string `json:"id"`
	TS       string `json:"ts"` // RFC 3339, as signed
	Body     string `json:"body"`
	Sig      string `json:"sig"`
}

// Key is one public key of a back office.
type Key struct {
	ID     string
	Public ed25519.PublicKey // 32 bytes
}

// signedID is what ids of commands and of signed payloads may look like.
var signedID = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// ValidID reports whether s may be the id of a command or of a signed payload.
func ValidID(s string) bool { return signedID.MatchString(s) }

// Sign wraps body for one topic of one terminal. id and ts must be as the
// schema signed.v1 wants them.
func Sign(private ed25519.PrivateKey, kid, topic, terminal, id string, ts time.Time, body []byte) ([]byte, error) {
	s := Signed{V: 1, KID: kid, Terminal: terminal, ID: id,
		TS: ts.UTC().Format(timeLayout), Body: base64.StdEncoding.EncodeToString(body)}
	if len(private) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: private key of %d bytes, want %d", ErrSignature, len(private), ed25519.PrivateKeySize)
	}
	if !ValidID(id) || CheckPart(terminal) != nil {
		return nil, fmt.Errorf("%w: id or terminal not as signed.v1 wants it", ErrName)
	}
	s.Sig = base64.StdEncoding.EncodeToString(ed25519.Sign(private, s.signedBytes(topic)))
	return json.Marshal(&s)
}

func (s *Signed) signedBytes(topic string) []byte {
	return []byte(topic + "\n" + s.Terminal + "\n" + s.ID + "\n" + s.TS + "\n" + s.Body)
}

// Open checks that payload is signed by one of keys for this topic and this
// terminal and returns the body. Errors: ErrUnsigned (not of the form),
// ErrUnknownKey, ErrAddressee, ErrSignature, each wrapped.
func Open(v *Validator, keys []Key, topic, terminal string, payload []byte) (Signed, []byte, error) {
	var s Signed
	if err := v.Decode("signed.v1", payload, &s); err != nil {
		return Signed{}, nil, fmt.Errorf("%w: %w", ErrUnsigned, err)
	}
	if !ValidID(s.ID) {
		return Signed{}, nil, fmt.Errorf("%w: id", ErrUnsigned)
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(s.Sig)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return Signed{}, nil, fmt.Errorf("%w: sig is not base64 of %d bytes", ErrSignature, ed25519.SignatureSize)
	}
	key, ok := findKey(keys, s.KID)
	if !ok {
		return Signed{}, nil, ErrUnknownKey
	}
	if s.Terminal != terminal {
		return Signed{}, nil, ErrAddressee
	}
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, s.signedBytes(topic), sig) {
		return Signed{}, nil, ErrSignature
	}
	body, err := base64.StdEncoding.Strict().DecodeString(s.Body)
	if err != nil {
		return Signed{}, nil, fmt.Errorf("%w: body is not base64", ErrSignature)
	}
	return s, body, nil
}

func findKey(keys []Key, kid string) (ed25519.PublicKey, bool) {
	for _, k := range keys {
		if k.ID == kid {
			return k.Public, true
		}
	}
	return nil, false
}
