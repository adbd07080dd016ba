package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// passingKeys makes tokens under a key that nobody else has and that ends with
// the process: enough to see which identities of one capture are equal.
type passingKeys struct{ key []byte }

func newPassingKeys() (*passingKeys, error) {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("no random key: %w", err)
	}
	return &passingKeys{key}, nil
}

// Tokens implements refund.Tokenizer.
func (k *passingKeys) Tokens(label, clear string) []string {
	h := hmac.New(sha256.New, k.key)
	_, _ = h.Write([]byte(label))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(clear))
	return []string{"k1:" + hex.EncodeToString(h.Sum(nil)[:16])}
}
