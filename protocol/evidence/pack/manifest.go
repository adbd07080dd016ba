package pack

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
)

// Names of entries (evidence.md § 5).
const (
	Readme      = "README.txt"
	Case        = "case.json"
	Anchors     = "desk/anchors.jsonl"
	DeskNote    = "desk/checkpoint.txt"
	Notes       = "desk/notes.jsonl"
	Proofs      = "desk/proofs.jsonl"
	Stamps      = "desk/stamps.jsonl"
	Events      = "events.jsonl"
	Journal     = "journal.jsonl"
	Keys        = "keys.json"
	Meta        = "pack.json"
	Report      = "report.html"
	SignerPEM   = "signer.pem"
	Checkpoints = "terminal/checkpoints.jsonl"
	Leaves      = "terminal/leaves.jsonl"
	Sums        = "manifest-sha256.txt"
	Manifest    = "META-INF/ASiCManifest.xml"
	Signature   = "META-INF/signature.p7s"
	Manifest2   = "META-INF/ASiCManifest2.xml"
	Timestamp   = "META-INF/timestamp.tst"
)

// Required returns the entries that every pack has between mimetype and the lists of hashes.
func Required() []string {
	return []string{Readme, Case, Anchors, DeskNote, Notes, Proofs, Stamps, Events, Journal, Keys, Meta, Report}
}

// Extension returns that of the entry of a file with this media type; "" for a type that
// is not taken (evidence.md § 5).
func Extension(mediaType string) string {
	i := slices.Index([]string{"application/pdf", "image/jpeg", "image/png", "image/webp", "text/plain", "audio/mpeg", "audio/mp4"}, mediaType)
	if i < 0 {
		return ""
	}
	return []string{"pdf", "jpg", "png", "webp", "txt", "mp3", "m4a"}[i]
}

// SumList returns manifest-sha256.txt of entries.
func SumList(entries []Entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(hex.EncodeToString(e.Sum[:]) + "  " + e.Name + "\n")
	}
	return b.Bytes()
}

// The two references to what covers a list (evidence.md § 5).
const (
	signatureReference = `<SigReference URI="META-INF/signature.p7s" MimeType="application/pkcs7-signature"/>`
	stampReference     = `<SigReference URI="META-INF/timestamp.tst" MimeType="application/vnd.etsi.timestamp-token"/>`
	noReference        = `<SigReference URI="META-INF/none"/>`
)

// ManifestXML returns META-INF/ASiCManifest.xml of entries.
func ManifestXML(entries []Entry, signed bool) []byte {
	if signed {
		return manifestXML(signatureReference, entries)
	}
	return manifestXML(noReference, entries)
}

// StampXML returns META-INF/ASiCManifest2.xml of entries.
func StampXML(entries []Entry) []byte { return manifestXML(stampReference, entries) }

func manifestXML(reference string, entries []Entry) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<ASiCManifest xmlns="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + "\n" + reference + "\n")
	for _, e := range entries {
		b.WriteString(`<DataObjectReference URI="` + e.Name + `"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>` +
			base64.StdEncoding.EncodeToString(e.Sum[:]) + "</ds:DigestValue></DataObjectReference>\n")
	}
	b.WriteString("</ASiCManifest>\n")
	return b.Bytes()
}
