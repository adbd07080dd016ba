package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"crypto"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"yuanlu/protocol/evidence"
)

// Media types of RFC 3161 § 3.4.
const (
	QueryType = "application/timestamp-query"
	ReplyType = "application/timestamp-reply"
)

// Query returns an RFC 3161 request for a stamp over content, with the certificates in the
// answer. It has no nonce: the token is compared with content, and an old one would be
// over other bytes.
func Query(content []byte) ([]byte, error) {
	digest := sha256.Sum256(content)
	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			addSHA256(b)
			b.AddASN1OctetString(digest[:])
		})
		b.AddASN1Boolean(true)
	})
	return b.Bytes()
}

// ReadReply returns the token of an answer to Query(content), once it holds as CheckStamp
// has it. ErrForm, ErrProof.
func ReadReply(reply, content []byte) ([]byte, error) {
	s := cryptobyte.String(reply)
	var all, status, token cryptobyte.String
	var granted int
	if !s.ReadASN1(&all, tag.SEQUENCE) || !s.Empty() || !all.ReadASN1(&status, tag.SEQUENCE) || !status.ReadASN1Integer(&granted) {
		return nil, badToken("an answer of RFC 3161")
	}
	if granted != 0 && granted != 1 {
		return nil, fmt.Errorf("%w: time stamp: it was not granted (status %d)", evidence.ErrProof, granted)
	}
	if !all.ReadASN1Element(&token, tag.SEQUENCE) || !all.Empty() {
		return nil, badToken("a token in the answer")
	}
	if _, err := CheckStamp(token, content); err != nil {
		return nil, err
	}
	return bytes.Clone(token), nil
}

// ReadSigner reads the key and the certificates that sign packs, both in PEM. The key is in
// PKCS #8, SEC 1 or PKCS #1. The error never holds any of the key. ErrKey, ErrForm.
func ReadSigner(keyPEM, chainPEM []byte) (crypto.Signer, []*x509.Certificate, error) {
	chain, err := ParseChain(chainPEM)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, nil, fmt.Errorf("%w: the key is not in PEM", ErrKey)
	}
	key := parseKey(block.Bytes)
	if key == nil {
		return nil, nil, fmt.Errorf("%w: a private key of ECDSA or RSA without a password", ErrKey)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(chain[0].PublicKey) {
		return nil, nil, fmt.Errorf("%w: the key is not that of the first certificate", ErrKey)
	}
	var b cryptobyte.Builder
	return key, chain, algorithm(&b, key.Public())
}

func parseKey(der []byte) crypto.Signer {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		switch k := k.(type) {
		case *ecdsa.PrivateKey:
			return k
		case *rsa.PrivateKey:
			return k
		}
		return nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k
	}
	return nil
}
