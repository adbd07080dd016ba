package evidence

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Types of keys in vkeys and key hashes (evidence.md § 2): of a log, and of a co-signer.
const (
	KeyLog    = 0x01
	KeyCosign = 0x04
)

// Key is a public key as a vkey states it.
type Key struct {
	Name   string
	Type   byte // KeyLog or KeyCosign
	Public ed25519.PublicKey
}

// hash returns the key hash of a name and a key: what a signature line begins with.
func (k Key) hash() [4]byte {
	sum := sha256.Sum256(append([]byte(k.Name+"\n"+string([]byte{k.Type})), k.Public...))
	return [4]byte(sum[:4])
}

// String returns the vkey.
func (k Key) String() string {
	h := k.hash()
	return k.Name + "+" + hex.EncodeToString(h[:]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{k.Type}, k.Public...))
}

// Fingerprint returns the SHA-256 of the 32-byte key in hex, for people to compare
// (evidence.md § 6).
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k.Public)
	return hex.EncodeToString(sum[:])
}

// keyName reports whether a name may stand in a vkey and on a signature line.
func keyName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '+' || r == 0x7f || r == utf8.RuneError })
}

// ParseKey reads a vkey of one type. ErrForm.
func ParseKey(text string, kind byte) (Key, error) {
	name, rest, _ := strings.Cut(text, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	b, err := decode64(encoded, 1+ed25519.PublicKeySize)
	if err != nil || !keyName(name) || b[0] != kind {
		return Key{}, fmt.Errorf("%w: not a vkey of type %d", ErrForm, kind)
	}
	k := Key{Name: name, Type: kind, Public: b[1:]}
	if k.String() != text {
		return Key{}, fmt.Errorf("%w: the key hash of a vkey is not that of its name and key", ErrForm)
	}
	return k, nil
}

// Signer signs checkpoints of a log, or as a co-signer. It does not print.
type Signer struct {
	name string
	key  ed25519.PrivateKey
}

// NewSigner returns the signer of a seed. ErrForm: the name cannot stand in a vkey, or the
// seed has not 32 bytes.
func NewSigner(name string, seed []byte) (*Signer, error) {
	if !keyName(name) || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: name or seed of a key", ErrForm)
	}
	return &Signer{name: name, key: ed25519.NewKeyFromSeed(seed)}, nil
}

// Named returns a signer of the same key under another name: of a desk's log (evidence.md § 4).
func (s *Signer) Named(name string) (*Signer, error) { return NewSigner(name, s.key.Seed()) }

// Key returns the public key with a type.
func (s *Signer) Key(kind byte) Key {
	return Key{Name: s.name, Type: kind, Public: s.key.Public().(ed25519.PublicKey)}
}

// String returns the name alone.
func (s *Signer) String() string { return s.name }

const privatePrefix = "PRIVATE+KEY+"

// PrivateLine returns the key as sumdb/note keeps it (evidence.md § 2).
func (s *Signer) PrivateLine() string {
	h := s.Key(KeyLog).hash()
	return privatePrefix + s.name + "+" + hex.EncodeToString(h[:]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{KeyLog}, s.key.Seed()...))
}

// ParseSigner reads a PrivateLine. The error never holds any of it. ErrForm.
func ParseSigner(line string) (*Signer, error) {
	rest, ok := strings.CutPrefix(line, privatePrefix)
	name, rest, _ := strings.Cut(rest, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	b, err := decode64(encoded, 1+ed25519.SeedSize)
	if !ok || err != nil || b[0] != KeyLog {
		return nil, fmt.Errorf("%w: not a private key of sumdb/note", ErrForm)
	}
	s, err := NewSigner(name, b[1:])
	if err != nil || s.PrivateLine() != line {
		return nil, fmt.Errorf("%w: the key hash of a private key is not that of its name and key", ErrForm)
	}
	return s, nil
}

var (
	terminalOrigin = regexp.MustCompile(`^yuanlu/([a-z0-9-]{1,64})/[0-9A-HJKMNP-TV-Z]{26}$`)
	deskOrigin     = regexp.MustCompile(`^(yuanlu-desk/[^/+\s]{1,64})/[0-9A-HJKMNP-TV-Z]{26}$`)
)

// TerminalOf returns the terminal of a log's origin (evidence.md § 1); false if it is none.
func TerminalOf(origin string) (string, bool) { return part(terminalOrigin, origin) }

// DeskOf returns the co-signer's name in the origin of a desk's log (evidence.md § 4);
// false if it is none.
func DeskOf(origin string) (string, bool) { return part(deskOrigin, origin) }

func part(form *regexp.Regexp, origin string) (string, bool) {
	m := form.FindStringSubmatch(origin)
	if m == nil {
		return "", false
	}
	return m[1], true
}
