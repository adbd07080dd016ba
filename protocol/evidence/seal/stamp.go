package seal

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" // for ESSCertID of the first version, which names a certificate
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"yuanlu/protocol/evidence"
)

// maxChain is the greatest number of certificates in a stamp.
const maxChain = 10

// Stamp is what an RFC 3161 time stamp token proves.
type Stamp struct {
	Time  time.Time           // genTime
	Chain []*x509.Certificate // its signer, then what signed each before
}

func badToken(what string) error { return fmt.Errorf("%w: time stamp: %s", evidence.ErrForm, what) }

// CheckStamp reads a time stamp token over content: one signer, named by issuer and
// serial number, with all certificates from it upward and no other, no revocation lists, no unsigned
// attributes. Its signer may do nothing but stamp, and was valid at the time of the
// stamp. ErrForm, ErrProof.
func CheckStamp(der, content []byte) (*Stamp, error) {
	t, err := readToken(der)
	if err != nil {
		return nil, err
	}
	if err := t.findChain(); err != nil {
		return nil, err
	}
	if err := t.checkSigned(); err != nil {
		return nil, err
	}
	at, err := readInfo(t.info, content)
	if err != nil {
		return nil, err
	}
	if err := CheckChain(t.chain, at); err != nil {
		return nil, err
	}
	if !stamperOnly(t.chain[0]) {
		return nil, fmt.Errorf("%w: the signer of a time stamp has the critical extended key usage timeStamping, alone", evidence.ErrProof)
	}
	return &Stamp{Time: at, Chain: t.chain}, nil
}

// token is a CMS SignedData with one signer, taken apart.
type token struct {
	info           []byte
	certificates   []*x509.Certificate
	chain          []*x509.Certificate
	issuer         []byte
	serial         *big.Int
	digest         crypto.Hash
	attributes     cryptobyte.String
	signatureHash  crypto.Hash
	signatureIsRSA bool
	signature      []byte
}

func readToken(der []byte) (*token, error) {
	t := &token{serial: new(big.Int)}
	s := cryptobyte.String(der)
	var outer, wrapped, signed, content, octets, certificates cryptobyte.String
	var version int
	if !s.ReadASN1(&outer, tag.SEQUENCE) || !s.Empty() || !readOID(&outer, oidSignedData) || !outer.ReadASN1(&wrapped, explicit0) || !outer.Empty() ||
		!wrapped.ReadASN1(&signed, tag.SEQUENCE) || !wrapped.Empty() {
		return nil, badToken("SignedData")
	}
	var digests, digest cryptobyte.String
	if !signed.ReadASN1Integer(&version) || version != 3 || !signed.ReadASN1(&digests, tag.SET) || !digests.ReadASN1Element(&digest, tag.SEQUENCE) || !digests.Empty() {
		return nil, badToken("version 3 and one digest algorithm")
	}
	all, ok := readHash(&digest)
	if !ok || !digest.Empty() {
		return nil, badToken("digest algorithm SHA-256, SHA-384 or SHA-512")
	}
	if !signed.ReadASN1(&content, tag.SEQUENCE) || !readOID(&content, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}) ||
		!content.ReadASN1(&octets, explicit0) || !content.Empty() || !octets.ReadASN1((*cryptobyte.String)(&t.info), tag.OCTET_STRING) || !octets.Empty() {
		return nil, badToken("TSTInfo")
	}
	if !signed.ReadASN1(&certificates, explicit0) {
		return nil, badToken("certificates")
	}
	for !certificates.Empty() {
		var raw cryptobyte.String
		if !certificates.ReadASN1Element(&raw, tag.SEQUENCE) || len(t.certificates) == maxChain {
			return nil, badToken("certificates")
		}
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, badToken("a certificate that can be read")
		}
		t.certificates = append(t.certificates, c)
	}
	var signers cryptobyte.String
	if !signed.ReadASN1(&signers, tag.SET) || !signed.Empty() || !t.readSigner(&signers) || t.digest != all {
		return nil, badToken("one signer with signed attributes")
	}
	return t, nil
}

func (t *token) readSigner(s *cryptobyte.String) bool {
	var signer, name, issuer, signature cryptobyte.String
	var version int
	ok := s.ReadASN1(&signer, tag.SEQUENCE) && s.Empty() && signer.ReadASN1Integer(&version) && version == 1 &&
		signer.ReadASN1(&name, tag.SEQUENCE) && name.ReadASN1Element(&issuer, tag.SEQUENCE) && name.ReadASN1Integer(t.serial) && name.Empty()
	if !ok {
		return false
	}
	t.issuer = issuer
	if t.digest, ok = readHash(&signer); !ok || !signer.ReadASN1(&t.attributes, explicit0) || !t.readAlgorithm(&signer) {
		return false
	}
	ok = signer.ReadASN1(&signature, tag.OCTET_STRING) && signer.Empty()
	t.signature = signature
	return ok
}

func readOID(s *cryptobyte.String, want asn1.ObjectIdentifier) bool {
	var oid asn1.ObjectIdentifier
	return s.ReadASN1ObjectIdentifier(&oid) && oid.Equal(want)
}

// parameters reads those of an algorithm that has none: NULL or nothing.
func parameters(s cryptobyte.String) bool {
	var null cryptobyte.String
	return s.Empty() || s.ReadASN1(&null, tag.NULL) && null.Empty() && s.Empty()
}

func readHash(s *cryptobyte.String) (crypto.Hash, bool) {
	var a cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&a, tag.SEQUENCE) || !a.ReadASN1ObjectIdentifier(&oid) || !parameters(a) {
		return 0, false
	}
	return hashOf(oid)
}

func hashOf(oid asn1.ObjectIdentifier) (crypto.Hash, bool) {
	for i, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if oid.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, i + 1}) {
			return h, true
		}
	}
	return 0, false
}

// readAlgorithm reads the signature algorithm: RSA (PKCS #1 v1.5) or ECDSA.
func (t *token) readAlgorithm(s *cryptobyte.String) bool {
	var a cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&a, tag.SEQUENCE) || !a.ReadASN1ObjectIdentifier(&oid) || !parameters(a) {
		return false
	}
	if oid.Equal(oidRSA) {
		t.signatureHash, t.signatureIsRSA = t.digest, true
		return true
	}
	for i, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		switch {
		case oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11 + i}):
			t.signatureHash, t.signatureIsRSA = h, true
			return true
		case oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2 + i}):
			t.signatureHash = h
			return a.Empty()
		}
	}
	return false
}

// findChain orders the certificates from the signer upward; none may be left.
func (t *token) findChain() error {
	rest := append([]*x509.Certificate{}, t.certificates...)
	take := func(fits func(c *x509.Certificate) bool) bool {
		for i, c := range rest {
			if fits(c) {
				t.chain = append(t.chain, c)
				rest = append(rest[:i], rest[i+1:]...)
				return true
			}
		}
		return false
	}
	if !take(func(c *x509.Certificate) bool {
		return bytes.Equal(c.RawIssuer, t.issuer) && c.SerialNumber.Cmp(t.serial) == 0
	}) {
		return fmt.Errorf("%w: time stamp: the certificate of its signer is not in it", evidence.ErrProof)
	}
	for take(func(c *x509.Certificate) bool { return signedBy(t.chain[len(t.chain)-1], c) }) {
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: time stamp: %d certificates in it lead nowhere", evidence.ErrProof, len(rest))
	}
	return nil
}

// checkSigned checks the signed attributes and the signature over them.
func (t *token) checkSigned() error {
	var content, digest, named bool
	seen := map[string]bool{}
	for rest := t.attributes; !rest.Empty(); {
		var attribute, values cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !rest.ReadASN1(&attribute, tag.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&oid) || !attribute.ReadASN1(&values, tag.SET) || !attribute.Empty() || seen[oid.String()] {
			return badToken("signed attributes")
		}
		seen[oid.String()] = true
		switch {
		case oid.Equal(oidContentType):
			content = readOID(&values, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}) && values.Empty()
		case oid.Equal(oidMessageDigest):
			var octets cryptobyte.String
			digest = values.ReadASN1(&octets, tag.OCTET_STRING) && values.Empty() && bytes.Equal(octets, sum(t.digest, t.info))
		case oid.Equal(oidSigningCert), oid.Equal(oidSigningCertV2):
			if named = t.names(values, oid.Equal(oidSigningCertV2)); !named {
				return fmt.Errorf("%w: time stamp: it names another certificate as its signer's", evidence.ErrProof)
			}
		}
	}
	switch _, isRSA := t.chain[0].PublicKey.(*rsa.PublicKey); {
	case !content || !digest || !named:
		return fmt.Errorf("%w: time stamp: content type, digest and certificate in the signed attributes", evidence.ErrProof)
	case isRSA != t.signatureIsRSA || !verify(t.chain[0].PublicKey, t.signatureHash, toSign(t.attributes), t.signature):
		return fmt.Errorf("%w: time stamp: its signature is not by its signer", evidence.ErrProof)
	}
	return nil
}

func sum(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

// names reports whether signingCertificate, or its second version, names the signer first.
func (t *token) names(values cryptobyte.String, second bool) bool {
	var attribute, list, id, octets cryptobyte.String
	if !values.ReadASN1(&attribute, tag.SEQUENCE) || !values.Empty() || !attribute.ReadASN1(&list, tag.SEQUENCE) || !list.ReadASN1(&id, tag.SEQUENCE) {
		return false
	}
	hash := crypto.SHA1
	if second {
		hash = crypto.SHA256
		if id.PeekASN1Tag(tag.SEQUENCE) {
			var ok bool
			if hash, ok = readHash(&id); !ok {
				return false
			}
		}
	}
	return id.ReadASN1(&octets, tag.OCTET_STRING) && bytes.Equal(octets, sum(hash, t.chain[0].Raw))
}

// readInfo reads TSTInfo over content and returns its genTime.
func readInfo(der, content []byte) (time.Time, error) {
	s := cryptobyte.String(der)
	var info, imprint, octets, clock cryptobyte.String
	var version int
	var policy asn1.ObjectIdentifier
	serial := new(big.Int)
	ok := s.ReadASN1(&info, tag.SEQUENCE) && s.Empty() && info.ReadASN1Integer(&version) && version == 1 && info.ReadASN1ObjectIdentifier(&policy) && info.ReadASN1(&imprint, tag.SEQUENCE)
	if !ok {
		return time.Time{}, badToken("TSTInfo")
	}
	hash, ok := readHash(&imprint)
	if !ok || !imprint.ReadASN1(&octets, tag.OCTET_STRING) || !imprint.Empty() {
		return time.Time{}, badToken("a digest by SHA-256, SHA-384 or SHA-512")
	}
	if !bytes.Equal(octets, sum(hash, content)) {
		return time.Time{}, fmt.Errorf("%w: time stamp: it is over other bytes", evidence.ErrProof)
	}
	if !info.ReadASN1Integer(serial) || !info.ReadASN1(&clock, tag.GeneralizedTime) {
		return time.Time{}, badToken("serial number and genTime")
	}
	at, err := time.Parse("20060102150405Z", string(clock))
	if err != nil {
		return time.Time{}, badToken("genTime")
	}
	return at, nil
}

// stamperOnly reports whether a certificate has the critical extended key usage timeStamping alone.
func stamperOnly(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) > 0 {
		return false
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 37}) {
			return e.Critical
		}
	}
	return false
}
