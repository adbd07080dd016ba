package seal

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"yuanlu/protocol/evidence"
)

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCert   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidECDSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// ErrKey is the class of errors about a key or certificate that cannot sign packs.
var ErrKey = errors.New("seal: no key or certificate for signatures")

const (
	explicit0 = tag.Tag(0xa0)
	minRSA    = 2048
)

// ParseChain reads signer.pem: certificates in PEM, each behind the one that it signed, and
// nothing else. ErrForm.
func ParseChain(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := text; len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: certificates in PEM", evidence.ErrForm)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d", evidence.ErrForm, len(chain)+1)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 || !bytes.Equal(ChainPEM(chain), text) {
		return nil, fmt.Errorf("%w: certificates in PEM, and nothing between them", evidence.ErrForm)
	}
	return chain, nil
}

// ChainPEM writes certificates as signer.pem has them.
func ChainPEM(chain []*x509.Certificate) (out []byte) {
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// CheckChain checks that each certificate signed the one before, and that all are valid at
// a time. Whether one was revoked it cannot know. ErrProof.
func CheckChain(chain []*x509.Certificate, at time.Time) error {
	for i, c := range chain {
		if at.Before(c.NotBefore) || at.After(c.NotAfter) {
			return fmt.Errorf("%w: certificate %d is not valid at that time", evidence.ErrProof, i+1)
		}
		if i > 0 && !signedBy(chain[i-1], c) {
			return fmt.Errorf("%w: certificate %d did not sign the one before", evidence.ErrProof, i+1)
		}
	}
	if last := chain[len(chain)-1]; selfIssued(last) && !selfSigned(last) {
		return fmt.Errorf("%w: the last certificate names itself as its issuer and did not sign itself", evidence.ErrProof)
	}
	return nil
}

// Closed reports whether the last certificate of a chain signed itself. Where it did not, and
// is not the only one, its own signature cannot be checked, and with it not all of its bytes.
func Closed(chain []*x509.Certificate) bool {
	return len(chain) == 1 || selfIssued(chain[len(chain)-1])
}

func signedBy(c, issuer *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, issuer.RawSubject) && c.CheckSignatureFrom(issuer) == nil
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

func selfSigned(c *x509.Certificate) bool {
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// algorithm appends the identifier of the signature algorithm of a key (evidence.md § 5).
func algorithm(b *cryptobyte.Builder, key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidECDSASHA256) })
			return nil
		}
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSA {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidRSA); b.AddASN1NULL() })
			return nil
		}
	}
	return fmt.Errorf("%w: ECDSA on P-256 or P-384, or RSA of 2048 bits at least", ErrKey)
}

func addSHA256(b *cryptobyte.Builder) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA256) })
}

// attributes returns the four signed attributes, in the order of DER and without the tag
// around them.
func attributes(cert *x509.Certificate, content []byte, at time.Time) ([]byte, error) {
	digest, certificate := sha256.Sum256(content), sha256.Sum256(cert.Raw)
	var all [][]byte
	var failed error
	for _, a := range []struct {
		oid   asn1.ObjectIdentifier
		value func(b *cryptobyte.Builder)
	}{
		{oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }},
		{oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest[:]) }},
		{oidSigningTime, func(b *cryptobyte.Builder) { b.AddASN1UTCTime(at.UTC()) }},
		{oidSigningCertV2, func(b *cryptobyte.Builder) {
			nested(b, 3, func(b *cryptobyte.Builder) { b.AddASN1OctetString(certificate[:]) })
		}},
	} {
		var b cryptobyte.Builder
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(a.oid)
			b.AddASN1(tag.SET, a.value)
		})
		one, err := b.Bytes()
		failed = errors.Join(failed, err)
		all = append(all, one)
	}
	slices.SortFunc(all, bytes.Compare)
	return slices.Concat(all...), failed
}

// nested puts depth sequences around a value.
func nested(b *cryptobyte.Builder, depth int, value func(b *cryptobyte.Builder)) {
	if depth == 0 {
		value(b)
		return
	}
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { nested(b, depth-1, value) })
}

// toSign returns what the signature signs: the attributes as a SET.
func toSign(attrs []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag.SET, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
	return b.BytesOrPanic()
}

// build returns the one form of a signature (evidence.md § 5).
func build(cert *x509.Certificate, content []byte, at time.Time, signature []byte) ([]byte, error) {
	attrs, err := attributes(cert, content, at)
	if err != nil {
		return nil, fmt.Errorf("%w: a time that UTCTime can write: %w", evidence.ErrForm, err)
	}
	var b cryptobyte.Builder
	var failed error
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(tag.SET, addSHA256)
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) })
				b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(cert.Raw) })
				b.AddASN1(tag.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1Int64(1)
						b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddBytes(cert.RawIssuer)
							b.AddASN1BigInt(cert.SerialNumber)
						})
						addSHA256(b)
						b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(attrs) })
						failed = algorithm(b, cert.PublicKey)
						b.AddASN1OctetString(signature)
					})
				})
			})
		})
	})
	der, err := b.Bytes()
	return der, errors.Join(failed, err)
}

// Sign signs the content of META-INF/ASiCManifest.xml; at is the time in pack.json. ErrKey.
func Sign(key crypto.Signer, cert *x509.Certificate, content []byte, at time.Time) ([]byte, error) {
	attrs, err := attributes(cert, content, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", evidence.ErrForm, err)
	}
	digest := sha256.Sum256(toSign(attrs))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	der, err := build(cert, content, at, signature)
	if err != nil {
		return nil, err
	}
	if err := CheckSignature(der, cert, content, at); err != nil {
		return nil, fmt.Errorf("%w: the key is not that of the certificate", ErrKey)
	}
	return der, nil
}

// CheckSignature checks that der is the one form of a signature by cert over content at a
// time, and that it holds. ErrForm, ErrProof.
func CheckSignature(der []byte, cert *x509.Certificate, content []byte, at time.Time) error {
	signature, err := lastOctets(der)
	if err != nil {
		return err
	}
	want, err := build(cert, content, at, signature)
	if err != nil {
		return err
	}
	if !bytes.Equal(der, want) {
		return fmt.Errorf("%w: byte %d of the signature is not that of this certificate, content and time", evidence.ErrForm, firstOther(der, want))
	}
	attrs, err := attributes(cert, content, at)
	if err != nil {
		return err
	}
	if !verify(cert.PublicKey, crypto.SHA256, toSign(attrs), signature) {
		return fmt.Errorf("%w: the signature is not by the key of its certificate", evidence.ErrProof)
	}
	return nil
}

func firstOther(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// lastOctets returns the signature value, which stands last in everything around it.
func lastOctets(der []byte) ([]byte, error) {
	s, inner := cryptobyte.String(der), cryptobyte.String(nil)
	for _, step := range []tag.Tag{tag.SEQUENCE, explicit0, tag.SEQUENCE, tag.SET, tag.SEQUENCE, tag.OCTET_STRING} {
		found := false
		for !s.Empty() {
			var t tag.Tag
			if !s.ReadAnyASN1(&inner, &t) {
				return nil, fmt.Errorf("%w: DER of a signature", evidence.ErrForm)
			}
			found = t == step
		}
		if !found {
			return nil, fmt.Errorf("%w: DER of a signature", evidence.ErrForm)
		}
		s = inner
	}
	return s, nil
}

// verify checks a signature of ECDSA or RSA (PKCS #1 v1.5) with a hash.
func verify(key crypto.PublicKey, hash crypto.Hash, signed, signature []byte) bool {
	h := hash.New()
	h.Write(signed)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, h.Sum(nil), signature)
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA && rsa.VerifyPKCS1v15(k, hash, h.Sum(nil), signature) == nil
	}
	return false
}
