// Package people is how the people of the desk prove who they are: passwords and sessions.
// It decides nothing about cases. Source: casework.md § 13.
package people

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // the commonest passwords
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// How a password is hashed (casework.md § 13).
const (
	memory   = 64 << 10 // KiB
	passes   = 3
	lanes    = 1
	saltSize = 16
	hashSize = 32
)

// Limits of a password, in characters.
const (
	Shortest = 12
	Longest  = 128
)

// ErrPassword is the class of passwords that are not taken.
var ErrPassword = errors.New("people: this password is not taken")

// commonest are the 298 passwords of 12 or more characters among the 30 000 that leak most
// often (the list of zxcvbn, MIT licence); shorter ones are refused by their length.
//
//go:embed commonest.txt
var commonest string

// Suitable returns why a password of a person is not taken: length, or too easily guessed.
// ErrPassword, without the password.
func Suitable(id, password string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password) || n < Shortest || n > Longest:
		return fmt.Errorf("%w: want %d to %d characters", ErrPassword, Shortest, Longest)
	case strings.EqualFold(password, id):
		return fmt.Errorf("%w: it is the login", ErrPassword)
	case slices.Contains(strings.Fields(commonest), strings.ToLower(password)):
		return fmt.Errorf("%w: it is one of the commonest", ErrPassword)
	}
	return nil
}

// Hash returns a PHC string of a password: argon2id, 64 MiB, 3 passes. It takes a tenth of a
// second or more, and the memory while it runs.
func Hash(password string) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	return phc(salt, argon2.IDKey([]byte(password), salt, passes, memory, lanes, hashSize))
}

func phc(salt, hash []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, b.EncodeToString(salt), b.EncodeToString(hash))
}

// Check reports whether a password is that of a PHC string. It takes as long for a string
// that is none, as for a login that does not exist.
func Check(stored, password string) bool {
	salt, hash := make([]byte, saltSize), make([]byte, hashSize)
	known := false
	if parts := strings.Split(stored, "$"); len(parts) == 6 {
		b := base64.RawStdEncoding
		s, err1 := b.DecodeString(parts[4])
		h, err2 := b.DecodeString(parts[5])
		if err1 == nil && err2 == nil && len(s) == saltSize && len(h) == hashSize && phc(s, h) == stored {
			salt, hash, known = s, h, true
		}
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, hashSize)
	return subtle.ConstantTimeCompare(got, hash) == 1 && known
}

// Token returns 256 random bits as text, for a session or against forged requests.
func Token() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// TokenHash is what is stored of the token of a session.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// FirstPassword returns a random password of 20 characters that can be read aloud: to be
// changed at first use.
func FirstPassword() string { return rand.Text()[:20] }
