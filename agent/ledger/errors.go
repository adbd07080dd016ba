package ledger

import (
	"errors"
	"fmt"
	"strings"

	"yuanlu/agent/ledger/carry"
	"yuanlu/agent/ledger/sqlite"
)

// Classes of errors, for errors.Is.
var (
	// ErrLocked: another process has the store open for writing. The error is a
	// *LockedError with its pid.
	ErrLocked = errors.New("ledger: the store is in use")
	// ErrUnavailable: the store cannot be written or read now (disk full, an
	// I/O error, being reopened). Nothing was confirmed; the same call may be
	// made again, and an Apply that did reach the disk is then recognised.
	ErrUnavailable = sqlite.ErrUnavailable
	// ErrDamaged: bytes of the store are not those that were written. What is readable is
	// kept when the store is opened for writing.
	ErrDamaged = sqlite.ErrDamaged
	// ErrDiskFull: as ErrUnavailable, because there is no room. It works again by
	// itself when there is.
	ErrDiskFull = sqlite.ErrDiskFull
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
	// ErrNotEmpty: the store to import into holds records.
	ErrNotEmpty = errors.New("ledger: the store holds records")
	// ErrCarried: what is imported is no export, is cut off, or is damaged.
	ErrCarried = carry.ErrCarried
)

// LockedError names the process that has the store.
type LockedError struct {
	PID int // 0 if the lock file does not have it
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

// unavailable wraps err so that it is ErrUnavailable and still names its cause.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// SeveralError: several cases begin as was asked for. It is of class ErrNotFound.
type SeveralError struct {
	IDs []string // of them, at most ten, in their order
}

// Error names them.
func (e *SeveralError) Error() string {
	return "ledger: several cases begin so: " + strings.Join(e.IDs, ", ")
}

// Unwrap makes errors.Is(err, ErrNotFound) true.
func (e *SeveralError) Unwrap() error { return ErrNotFound }
