// Package evidence makes evidence packs (evidence.md § 5): from a case, its journal, its files, the
// leaves of terminals and the desk's own log to the bytes of the pack. It is pure: the same
// input has the same bytes, but for the signature and the stamp, which a Signer and a Stamper
// make. The store keeps both, so that it can be handed out again.
package evidence
