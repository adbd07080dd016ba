// Package rows is the format of the store's guarded rows: records, verdicts and outbox
// entries, as they are written, and as they are read by a query or out of the pages of a
// damaged store. migrations/0001.sql describes the tables.
package rows

import (
	"encoding/binary"
	"fmt"

	"yuanlu/agent/ledger/sqlite"
)

// Columns are the columns of a row, from 0: *sqlite.Row, or a row that a salvage has found.
// NULL is 0 and nil; what View returns is good until the next row.
type Columns interface {
	Int(i int) int64
	View(i int) []byte
}

// Error is a row whose bytes are not those that were written. It holds no value of it.
type Error struct {
	Table string
	Seq   int64 // of the row, 0 where it has none
	Why   string
}

// Damaged returns an *Error; why holds no value of the row.
func Damaged(table string, seq int64, why string) error { return &Error{table, seq, why} }

// Error names the row.
func (e *Error) Error() string {
	return fmt.Sprintf("ledger: %s %d: %s", e.Table, e.Seq, e.Why)
}

// Is makes a damaged row part of the class of damaged stores.
func (e *Error) Is(target error) bool {
	return target == sqlite.ErrDamaged || target == sqlite.ErrUnavailable
}

// Sum is the checksum that guards a row: CRC-32C over its number and its texts. SQLite finds
// a broken page structure, not a flipped bit inside a text.
func Sum(seq int64, texts ...[]byte) int64 {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(seq))
	sum := sqlite.Checksum(0, n[:])
	for _, t := range texts {
		sum = sqlite.Checksum(sum, t)
	}
	return int64(sum)
}
