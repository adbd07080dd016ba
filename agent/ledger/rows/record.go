package rows

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Flags of a record's row; Synced is one of an outbox entry's, too.
const (
	Synced    = 1 // the clock was trusted when it was received
	AtClock   = 2 // `at` is the time of reception
	Redated   = 4 // the clock was not trusted; `at` was made again by one that was
	YearClock = 8 // the year of `at` is that of the latest such day at the reception
)

// RecordColumns are the columns of the table record, in the order of Scan.
const RecordColumns = `seq, copy_of, undone_by, link, received, flags, frame_mac, case_id, keys, note, observed, crc, body`

// Record is one row of the table record: a sighting, or the event that is completed by its
// copies (migrations/0001.sql).
type Record struct {
	Seq, CopyOf, UndoneBy int64
	Link                  int64
	Received              int64 // ms since 1970, UTC
	Flags                 int64
	MAC                   []byte // as of PackMAC
	CaseID                string
	Keys                  []byte // as of PackKeys
	Note                  string
	Observed              string // as of PackTotals
	Body                  []byte // refund.EncodeStored
}

// FromClock reports whether the row's `at` was made from a clock and stands as it was.
func (r *Record) FromClock() bool { return r.Flags&(AtClock|Redated) == AtClock }

// Undated reports whether the row's `at`, or its year, was made from a clock that was not
// trusted, and stands as it was.
func (r *Record) Undated() bool {
	return r.Flags&(AtClock|YearClock) != 0 && r.Flags&(Synced|Redated) == 0
}

// Insert writes the row, with its checksum. stored is its Body as the table is to keep it:
// packed, or as it is.
// leaf is what it has of its leaf (AppendLeaf), nil: none, or a table of before there were any.
func (r *Record) Insert(c *sqlite.Conn, stored, leaf []byte) error {
	if leaf != nil {
		return c.Do(`INSERT INTO record(`+RecordColumns+`, leaf) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)`,
			r.Seq, sqlite.PositiveInt(r.CopyOf), sqlite.PositiveInt(r.UndoneBy), r.Link, r.Received, r.Flags, r.MAC, sqlite.StatedText(r.CaseID),
			r.Keys, sqlite.StatedText(r.Note), sqlite.StatedText(r.Observed), Sum(r.Seq, stored), sqlite.JSON(stored), leaf)
	}
	return c.Do(`INSERT INTO record(`+RecordColumns+`) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)`,
		r.Seq, sqlite.PositiveInt(r.CopyOf), sqlite.PositiveInt(r.UndoneBy), r.Link, r.Received, r.Flags, r.MAC, sqlite.StatedText(r.CaseID),
		r.Keys, sqlite.StatedText(r.Note), sqlite.StatedText(r.Observed), Sum(r.Seq, stored), sqlite.JSON(stored))
}

// RecordIntact reports whether RecordColumns have the checksum that they were written with.
func RecordIntact(c Columns) bool { return Sum(c.Int(0), c.View(12)) == c.Int(11) }

// ScanRecord reads RecordColumns; *Error if they are damaged.
func ScanRecord(c Columns) (Record, error) {
	r := Record{
		Seq: c.Int(0), CopyOf: c.Int(1), UndoneBy: c.Int(2), Link: c.Int(3), Received: c.Int(4), Flags: c.Int(5),
		MAC: copied(c.View(6)), CaseID: string(c.View(7)), Keys: copied(c.View(8)), Note: string(c.View(9)), Observed: string(c.View(10)),
	}
	if !RecordIntact(c) {
		return r, Damaged("record", r.Seq, "checksum does not match")
	}
	var err error
	if r.Body, err = packed.Text(nil, c.View(12)); err != nil {
		return r, Damaged("record", r.Seq, "body is not packed as it says")
	}
	return r, nil
}

// Records returns the rows of a query for RecordColumns.
func Records(c *sqlite.Conn, sql string, args ...any) (list []Record, err error) {
	err = c.Each(sql, func(row *sqlite.Row) error {
		r, err := ScanRecord(row)
		list = append(list, r)
		return err
	}, args...)
	return list, err
}

func copied(b []byte) []byte { return append([]byte(nil), b...) }

// Decode returns the row's record.
func (r *Record) Decode() (refund.Record, error) {
	rec, err := refund.DecodeStored(r.Body)
	if err != nil {
		return rec, Damaged("record", r.Seq, "body is not a stored record")
	}
	return rec, nil
}

// tokenBytes is the number of bytes of a frame's MAC.
const tokenBytes = 16

// PackMAC writes "k3:<32 hex>" as the key's id and 16 bytes, anything else as 0
// and its text.
func PackMAC(mac string) []byte {
	if mac == "" {
		return nil
	}
	id, sum, ok := strings.Cut(mac, ":")
	if ok && len(id) > 1 && id[0] == 'k' && id[1] != '0' && len(sum) == 2*tokenBytes && sum == strings.ToLower(sum) {
		n, err := strconv.ParseUint(id[1:], 10, 62)
		b := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+2*tokenBytes), n)
		at := len(b)
		b = append(b, sum...)
		used, bad := hex.Decode(b[at:], b[at:])
		if err == nil && bad == nil {
			return b[:at+used]
		}
	}
	return append([]byte{0}, mac...)
}

// UnpackMAC returns the text that PackMAC packed.
func UnpackMAC(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	n, used := binary.Uvarint(b)
	if n == 0 || used <= 0 {
		return string(b[1:])
	}
	return "k" + strconv.FormatUint(n, 10) + ":" + hex.EncodeToString(b[used:])
}

// AppendKey appends a key as the table key holds it: the kind and the value.
func AppendKey(dst []byte, k refund.Key) []byte {
	dst = append(dst, byte(k.Kind))
	return append(dst, k.Value...)
}

// PackKeys writes an event's keys as it will need them to remove them again.
func PackKeys(keys []refund.Key) []byte {
	b := []byte{}
	for _, k := range keys {
		b = binary.AppendUvarint(b, uint64(1+len(k.Value)))
		b = AppendKey(b, k)
	}
	return b
}

// EachKey calls do with each key of PackKeys' form; a damaged rest is left out.
func EachKey(b []byte, do func(value []byte) error) error {
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		if used <= 0 || uint64(len(b)-used) < n {
			return nil
		}
		if err := do(b[used : used+int(n)]); err != nil {
			return err
		}
		b = b[used+int(n):]
	}
	return nil
}

// Millis is a time as it stands in the store: ms since 1970; 0 for no time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the time of Millis, UTC.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// PackTotals writes the sums of Event.Observed, "" for none.
func PackTotals(t *refund.Totals) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d", t.DebitAmount, t.DebitCount, t.CreditAmount, t.CreditCount)
}

// UnpackTotals reads them; nil: none, or not readable.
func UnpackTotals(text string) *refund.Totals {
	var t refund.Totals
	n, err := fmt.Sscanf(text, "%d %d %d %d", &t.DebitAmount, &t.DebitCount, &t.CreditAmount, &t.CreditCount)
	if err != nil || n != 4 {
		return nil // the judge adds them up again
	}
	return &t
}

// Date is a record's local date as written, or the day that it was received on in a zone.
func (r *Record) Date(rec *refund.Record, zone *time.Location) string {
	if at, ok := rec.Time(); ok {
		return at.Format(time.DateOnly)
	}
	return Time(r.Received).In(zone).Format(time.DateOnly)
}

// ParseBounds reads the bounds of the journal as they stand in meta; ok is false if they are
// not readable.
func ParseBounds(text string) (b refund.Bounds, ok bool) {
	b = refund.Bounds{AllTerminals: true}
	return b, json.Unmarshal([]byte(text), &b) == nil
}
