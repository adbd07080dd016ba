package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Flags of a record row.
const (
	flagSynced  = 1 // the clock was trusted when it was received
	flagAtClock = 2 // `at` is the time of reception
	flagRedated = 4 // the clock was not trusted; `at` was made again by one that was
	flagYear    = 8 // the year of `at` is that of the latest such day at the reception
)

// rowSum guards a stored row: CRC-32C over its number and its texts. SQLite finds
// a broken page structure, not a flipped bit inside a text.
func rowSum(seq int64, texts ...[]byte) int64 {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(seq))
	sum := sqlite.Checksum(0, n[:])
	for _, t := range texts {
		sum = sqlite.Checksum(sum, t)
	}
	return int64(sum)
}

const insertRecord = `INSERT INTO record(seq, copy_of, undone_by, link, received, flags, frame_mac, case_id, keys, note, observed, crc, body)
 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)`

// recordRow is one row of the table record.
type recordRow struct {
	seq, copyOf, undoneBy int64
	link                  int64
	received              int64
	flags                 int64
	mac                   []byte
	caseID                string
	keys                  []byte
	note                  string
	observed              string
	body                  []byte
}

// fromClock reports whether the row's `at` was made from a clock and stands as it was.
func (r *recordRow) fromClock() bool { return r.flags&(flagAtClock|flagRedated) == flagAtClock }

// undated reports whether the row's `at`, or its year, was made from a clock that was not
// trusted, and stands as it was.
func (r *recordRow) undated() bool {
	return r.flags&(flagAtClock|flagYear) != 0 && r.flags&(flagSynced|flagRedated) == 0
}

func (r *recordRow) insert(c *conn) error {
	return c.Do(insertRecord, r.seq, sqlite.PositiveInt(r.copyOf), sqlite.PositiveInt(r.undoneBy), r.link, r.received, r.flags, r.mac,
		sqlite.StatedText(r.caseID), r.keys, sqlite.StatedText(r.note), sqlite.StatedText(r.observed), rowSum(r.seq, r.body), sqlite.JSON(r.body))
}

const recordColumns = `seq, copy_of, undone_by, link, received, flags, frame_mac, case_id, keys, note, observed, crc, body`

// scanRecord reads the row a statement stands on; its columns are recordColumns.
func scanRecord(s *sqlite.Row) (recordRow, error) {
	r := recordRow{
		seq: s.Int(0), copyOf: s.Int(1), undoneBy: s.Int(2), link: s.Int(3), received: s.Int(4), flags: s.Int(5),
		mac: s.Bytes(6), caseID: s.Text(7), keys: s.Bytes(8), note: s.Text(9), observed: s.Text(10), body: s.Bytes(12),
	}
	if rowSum(r.seq, r.body) != s.Int(11) {
		return r, &rowError{"record", r.seq, "checksum does not match"}
	}
	return r, nil
}

// records returns the rows of a query for recordColumns.
func (c *conn) records(sql string, args ...any) (rows []recordRow, err error) {
	err = c.Each(sql, func(r *sqlite.Row) error {
		row, err := scanRecord(r)
		rows = append(rows, row)
		return err
	}, args...)
	return rows, err
}

// decode returns the row's record.
func (r *recordRow) decode() (refund.Record, error) {
	rec, err := refund.DecodeStored(r.body)
	if err != nil {
		return rec, &rowError{"record", r.seq, "body is not a stored record"}
	}
	return rec, nil
}

// packMAC writes "k3:<32 hex>" as the key's id and 16 bytes, anything else as 0
// and its text.
func packMAC(mac string) []byte {
	if mac == "" {
		return nil
	}
	id, sum, ok := strings.Cut(mac, ":")
	if ok && len(id) > 1 && id[0] == 'k' && id[1] != '0' && len(sum) == 2*tokenLen && sum == strings.ToLower(sum) {
		n, err := strconv.ParseUint(id[1:], 10, 62)
		b := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+2*tokenLen), n)
		at := len(b)
		b = append(b, sum...)
		used, bad := hex.Decode(b[at:], b[at:])
		if err == nil && bad == nil {
			return b[:at+used]
		}
	}
	return append([]byte{0}, mac...)
}

func unpackMAC(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	n, used := binary.Uvarint(b)
	if n == 0 || used <= 0 {
		return string(b[1:])
	}
	return "k" + strconv.FormatUint(n, 10) + ":" + hex.EncodeToString(b[used:])
}

// keyBytes is a key as the table key holds it: the kind and the value.
func keyBytes(dst []byte, k refund.Key) []byte {
	dst = append(dst, byte(k.Kind))
	return append(dst, k.Value...)
}

// packKeys writes an event's keys as it will need them to remove them again.
func packKeys(keys []refund.Key) []byte {
	b := []byte{}
	for _, k := range keys {
		b = binary.AppendUvarint(b, uint64(1+len(k.Value)))
		b = keyBytes(b, k)
	}
	return b
}

// eachPackedKey calls do with each key of packKeys' form; a damaged rest is left out.
func eachPackedKey(b []byte, do func(value []byte) error) error {
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

// millis and timeOf are how times stand in the store: milliseconds, UTC.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// packTotals and unpackTotals write the sums of Event.Observed, "" for none.
func packTotals(t *refund.Totals) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d", t.DebitAmount, t.DebitCount, t.CreditAmount, t.CreditCount)
}

func unpackTotals(text string) *refund.Totals {
	var t refund.Totals
	n, err := fmt.Sscanf(text, "%d %d %d %d", &t.DebitAmount, &t.DebitCount, &t.CreditAmount, &t.CreditCount)
	if err != nil || n != 4 {
		return nil // the judge adds them up again
	}
	return &t
}
