// Package pins keeps the PINs of supervisors and counts wrong ones (guard.md § 3): a file of
// argon2id hashes, one line a supervisor, and beside it a file with how many wrong PINs each
// has behind him, written before a PIN is compared.
//
// A PIN is a refund.Secret from the moment it is read: it cannot print, log or marshal, and
// no error of this package holds one. It is in no configuration, because that travels over
// the broker, and six digits behind any hash are found in a day.
package pins
