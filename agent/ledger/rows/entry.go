package rows

import (
	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// EntryColumns are the columns that the tables outbox, untold and quarantine have in common:
// an event that waits for the back office.
const EntryColumns = `entry, case_id, id, type, subject, time, flags, size, crc, data`

// FirstEvent is the entry of the first event that is no case: below it an entry is
// a case's sequence, so the order of entries is the order of sending (topics.md,
// rule 2).
const FirstEvent = int64(1) << 40

// FirstDay is the entry of the first part of a digest of a day, which has a table of its own: an
// entry is FirstDay and its sequence.
const FirstDay = int64(1) << 41

// historical is the flag of an event that did not just happen; the other is Synced.
const historical = 2

// EntryOverhead is what an entry counts against the byte bound besides its data.
const EntryOverhead = 256

// EntrySize is what an event counts against the outbox's byte bound.
func EntrySize(n *refund.Notice) int64 { return int64(len(n.Data)) + EntryOverhead }

// EntryIntact reports whether EntryColumns have the checksum that they were written with.
func EntryIntact(c Columns) bool { return int64(sqlite.Checksum(0, c.View(9))) == c.Int(8) }

// ScanEntry reads EntryColumns of an entry of this stream; *Error if they are damaged.
func ScanEntry(c Columns, stream string) (n refund.Notice, err error) {
	err = ScanEntryInto(c, stream, &n)
	return n, err
}

// ScanEntryInto is ScanEntry into n, whose Data is written over where it has room.
func ScanEntryInto(c Columns, stream string, n *refund.Notice) error {
	typ := n.Type
	data, err := packed.Text(n.Data[:0], c.View(9))
	if b := c.View(3); string(b) != typ {
		typ = string(b)
	}
	*n = refund.Notice{
		Entry: c.Int(0), ID: string(c.View(2)), Stream: stream, Type: typ, Subject: string(c.View(4)), Time: Time(c.Int(5)),
		ClockSynced: c.Int(6)&Synced != 0, Historical: c.Int(6)&historical != 0,
		Class: refund.NoticeEvent, Data: data,
	}
	if n.Entry < FirstEvent {
		n.Class, n.Sequence = refund.NoticeCase, n.Entry
	}
	switch {
	case !EntryIntact(c):
		return Damaged("outbox", n.Entry, "checksum does not match")
	case err != nil:
		return Damaged("outbox", n.Entry, "data are not packed as they say")
	}
	return nil
}

// InsertEntry writes a row of outbox or untold; entry 0: the table numbers it. stored is
// n.Data as the table is to keep it: packed, or as it is.
func InsertEntry(c *sqlite.Conn, table string, entry int64, caseID string, n *refund.Notice, stored []byte) error {
	flags := int64(0)
	if n.ClockSynced {
		flags |= Synced
	}
	if n.Historical {
		flags |= historical
	}
	return c.Do(`INSERT INTO `+table+`(`+EntryColumns+`) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`,
		sqlite.PositiveInt(entry), sqlite.StatedText(caseID), n.ID, n.Type, n.Subject, Millis(n.Time), flags, EntrySize(n),
		int64(sqlite.Checksum(0, stored)), sqlite.JSON(stored))
}
