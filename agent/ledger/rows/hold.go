package rows

import "yuanlu/agent/ledger/sqlite"

// HoldColumns are the columns of the table hold.
const HoldColumns = `id, crc, state, body`

// Hold is one row of the table hold (migrations/0003.sql).
type Hold struct {
	ID          int64
	State, Body []byte
}

// HoldIntact reports whether HoldColumns have the checksum that they were written with.
func HoldIntact(c Columns) bool { return Sum(c.Int(0), c.View(2), c.View(3)) == c.Int(1) }

// ScanHold reads HoldColumns; *Error if they are damaged.
func ScanHold(c Columns) (Hold, error) {
	h := Hold{ID: c.Int(0), State: copied(c.View(2)), Body: copied(c.View(3))}
	if !HoldIntact(c) {
		return h, Damaged("hold", h.ID, "checksum does not match")
	}
	return h, nil
}

// Put writes the row, in place of an older one with its number.
func (h *Hold) Put(c *sqlite.Conn) error {
	return c.Do(`INSERT OR REPLACE INTO hold(`+HoldColumns+`) VALUES(?1, ?2, ?3, ?4)`,
		h.ID, Sum(h.ID, h.State, h.Body), sqlite.JSON(h.State), sqlite.JSON(h.Body))
}
