package ledger

import (
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"
)

// Classes of errors, for errors.Is.
var (
	// ErrLocked: another process has the store open for writing. The error is a
	// *LockedError with its pid.
	ErrLocked = errors.New("ledger: the store is in use")
	// ErrUnavailable: the store cannot take or give anything now (disk full, an
	// I/O error, being reopened). Nothing was confirmed; the same call may be
	// made again, and an Apply that did reach the disk is then recognised.
	ErrUnavailable = errors.New("ledger: the store is not available")
	// ErrDiskFull: as ErrUnavailable, because there is no room. It works again by
	// itself when there is.
	ErrDiskFull = errors.New("ledger: disk full")
	// ErrNotMounted: Options.Mount is not a mounted file system, or Dir is not on it.
	ErrNotMounted = errors.New("ledger: the data partition is not mounted")
	// ErrNotFound: no such case, record or entry.
	ErrNotFound = errors.New("ledger: not found")
	// ErrReadOnly: the store was opened for reading.
	ErrReadOnly = errors.New("ledger: the store is open for reading only")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("ledger: the store is closed")
	// ErrNewer: the store was written by a newer version of the agent.
	ErrNewer = errors.New("ledger: the store is of a newer version")

	errDamaged = errors.New("ledger: the store is damaged")
	// errContradiction: a row of ours is in the way of another, so what is counted does not
	// agree with the rows.
	errContradiction = errors.New("ledger: the store contradicts itself")
)

// LockedError says who has the store.
type LockedError struct {
	PID int // 0 if the lock file does not tell
}

// Error names the process.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return ErrLocked.Error()
	}
	return fmt.Sprintf("%v by process %d", ErrLocked, e.PID)
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// storeError is a failed call of SQLite: its extended result code, the kind of
// statement, SQLite's text. It holds no value of any row.
type storeError struct {
	code int32
	op   string
	text string
}

func (e *storeError) Error() string {
	return fmt.Sprintf("ledger: %s: %s (%d)", e.op, e.text, e.code)
}

// Is sorts the result codes into the package's classes.
func (e *storeError) Is(target error) bool {
	if e.code == sqlite3.SQLITE_IOERR_SHMSIZE { // the WAL's index found no room
		return target == ErrDiskFull || target == ErrUnavailable
	}
	switch e.code {
	case sqlite3.SQLITE_IOERR_DATA: // a page's sum does not match (pagesum.go)
		return target == errDamaged || target == ErrUnavailable
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return target == errContradiction || target == errDamaged || target == ErrUnavailable
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL: // no memory for a value (stmt.place)
		return target == ErrUnavailable
	}
	switch e.code & 0xff {
	case sqlite3.SQLITE_FULL:
		return target == ErrDiskFull || target == ErrUnavailable
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return target == errDamaged || target == ErrUnavailable
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return target == ErrUnavailable
	}
	return false
}

// unavailable wraps err so that it is ErrUnavailable and still names its cause.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// rowError is a row whose bytes are not those that were written.
type rowError struct {
	table string
	seq   int64
	why   string
}

func (e *rowError) Error() string {
	return fmt.Sprintf("ledger: %s %d: %s", e.table, e.seq, e.why)
}

// Is makes a damaged row part of the class of damaged stores.
func (e *rowError) Is(target error) bool { return target == errDamaged || target == ErrUnavailable }
