// Package store is what the back office has taken and answers for: case events
// and other events as they came, the newest of each case, what every terminal
// last published about itself, how far each stream is complete, and what did not fit. It
// is kept in one SQLite file or in a PostgreSQL database that several desks share.
//
// One call of Apply is one transaction, durable when it returns; only what it has
// committed may be acknowledged. Every change gets a number, n, that grows in the
// order of commits and never skips one that comes later: a reader that has read up to n
// has seen everything up to n. Times are milliseconds since 1970 UTC.
//
// Methods are safe for concurrent use. Errors: ErrUnavailable (try again),
// ErrData (this very message cannot be stored), ErrNotFound, ErrHand (what a person
// wanted was not done, and why), each wrapped.
package store
