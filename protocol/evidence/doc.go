// Package evidence is the pure half of evidence.md: leaves of a log, its Merkle tree,
// checkpoints as signed notes, co-signatures and vkeys. It knows no clock, no file and no
// network; everything that it reads is hostile until it was read whole.
//
// The tree and its proofs are those of golang.org/x/mod/sumdb/tlog. Notes are read here
// and not by sumdb/note, which takes a size with a leading zero, extension lines, a short
// root and base64 with unused bits set; evidence.md § 2 takes none of these.
//
// Errors have the class ErrForm where a text is not of the page's form, and ErrProof where
// it is, and a proof or signature does not hold. They name the place and never a value.
package evidence
