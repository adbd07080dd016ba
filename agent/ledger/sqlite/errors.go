package sqlite

import (
	"errors"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// Classes of errors, for errors.Is. Their texts name the ledger: users know the store by
// that name.
var (
	// ErrUnavailable: the store cannot be read or written now (disk full, an I/O error).
	// All classes below belong to it.
	ErrUnavailable = errors.New("ledger: the store is not available")
	// ErrDiskFull: there is no room on the disk.
	ErrDiskFull = errors.New("ledger: disk full")
	// ErrDamaged: the bytes of the file are not those that were written.
	ErrDamaged = errors.New("ledger: the store is damaged")
	// ErrContradiction: a row that is inserted has the key of another. It is damage, too:
	// the store numbers its rows itself.
	ErrContradiction = errors.New("ledger: the store contradicts itself")
)

// Error is a failed call of SQLite: its extended result code, the kind of statement,
// SQLite's text. It holds no value of any row.
type Error struct {
	code int32
	op   string
	text string
}

// Error names the statement's verb, SQLite's text and its code.
func (e *Error) Error() string {
	return fmt.Sprintf("ledger: %s: %s (%d)", e.op, e.text, e.code)
}

// NoSuchTable reports whether the statement names a table that the database does not have.
func (e *Error) NoSuchTable() bool { return strings.Contains(e.text, "no such table") }

// Is sorts the result codes into the package's classes.
func (e *Error) Is(target error) bool {
	switch e.code {
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the WAL's index found no room
		return target == ErrDiskFull || target == ErrUnavailable
	case sqlite3.SQLITE_IOERR_DATA: // a page's sum does not match (pagesum.go)
		return target == ErrDamaged || target == ErrUnavailable
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return target == ErrContradiction || target == ErrDamaged || target == ErrUnavailable
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL: // no memory for a value (stmt.place)
		return target == ErrUnavailable
	}
	switch e.code & 0xff {
	case sqlite3.SQLITE_FULL:
		return target == ErrDiskFull || target == ErrUnavailable
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return target == ErrDamaged || target == ErrUnavailable
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return target == ErrUnavailable
	}
	return false
}
