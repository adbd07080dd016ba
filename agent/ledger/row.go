package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	sum := checksum(n[:])
	for _, t := range texts {
		sum = checksumMore(sum, t)
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
	s, err := c.prepare(insertRecord)
	if err != nil {
		return err
	}
	s.bindInt(1, r.seq)
	bindPositive(s, 2, r.copyOf)
	bindPositive(s, 3, r.undoneBy)
	s.bindInt(4, r.link)
	s.bindInt(5, r.received)
	s.bindInt(6, r.flags)
	s.bindBlob(7, r.mac)
	bindStated(s, 8, r.caseID)
	s.bindBlob(9, r.keys)
	bindStated(s, 10, r.note)
	bindStated(s, 11, r.observed)
	s.bindInt(12, rowSum(r.seq, r.body))
	s.bindJSON(13, r.body)
	return s.run()
}

func bindPositive(s *stmt, i int, v int64) {
	if v > 0 {
		s.bindInt(i, v)
	} else {
		s.bindNull(i)
	}
}

func bindStated(s *stmt, i int, v string) {
	if v != "" {
		s.bindText(i, v)
	} else {
		s.bindNull(i)
	}
}

const recordColumns = `seq, copy_of, undone_by, link, received, flags, frame_mac, case_id, keys, note, observed, crc, body`

// scanRecord reads the row a statement stands on; its columns are recordColumns.
func scanRecord(s *stmt) (recordRow, error) {
	r := recordRow{
		seq: s.int(0), copyOf: s.int(1), undoneBy: s.int(2), link: s.int(3), received: s.int(4), flags: s.int(5),
		mac: s.bytes(6), caseID: s.text(7), keys: s.bytes(8), note: s.text(9), observed: s.text(10), body: s.bytes(12),
	}
	if rowSum(r.seq, r.body) != s.int(11) {
		return r, &rowError{"record", r.seq, "checksum does not match"}
	}
	return r, nil
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

// keyRange returns the first and the first no longer matching value of a look-up by
// prefix, appended to dst one after the other; the first is dst[:n].
func keyRange(dst []byte, k refund.Key) (b []byte, n int) {
	b = keyBytes(dst, k)
	n = len(b)
	b = append(b, b...)
	b[len(b)-1]++ // a kind, or the 0x1f that ends each part: never 0xff
	return b, n
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
