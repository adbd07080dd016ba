package carry

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"yuanlu/agent/ledger/sqlite"
)

// ErrCarried: what is read is no export, is cut off, or is damaged.
var ErrCarried = errors.New("ledger: not a whole export of a store")

const (
	magic = "yuanlu-store 1\n"
	end   = "end\n"
)

// tables are the tables of an export, in their order; by are the columns that make their
// rows come in the order of their keys.
func tables(schema int64) (names, by []string) {
	names = []string{"meta", "link", "record", "key", "payer", "verdict", "held", "cases", "outbox", "untold", "daily"}
	by = []string{"name", "id", "seq", "value, seq", "last", "seq", "seq", "case_id", "entry", "entry", "day"}
	if schema >= withHolds {
		names, by = append(names, "hold"), append(by, "id")
	}
	if schema >= withFollowed {
		names, by = append(names, "followed", "refund_after"), append(by, "case_id, what, seq", "seq")
	}
	if schema >= withDates {
		names, by = append(names, "day_run", "day_due", "tally"), append(by, "first", "day", "subject")
	}
	return names, by
}

// withDates is the schema version from which on there are the tables day_run, day_due and tally.
const withDates = 7

// withFollowed is the schema version from which on there are the tables followed and refund_after.
const withFollowed = 6

// withHolds is the schema version from which on there is the table hold.
const withHolds = 3

// header is the line of JSON.
type header struct {
	Schema int64   `json:"schema"`
	Made   string  `json:"made"`
	Tables []table `json:"tables"`
}

type table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
}

// columns returns the names of a table's columns, in their order.
func columns(c *sqlite.Conn, table string) ([]string, error) {
	return c.Texts("SELECT name FROM pragma_table_info('" + table + "') ORDER BY cid")
}

// Kinds of a value.
const (
	null = iota
	integer
	text
	blob
)

// most bytes of one value, of the header and of a key file: more is damage.
const (
	mostValue  = 16 << 20
	mostHeader = 64 << 10
)

// writeValue writes a column of a row.
func writeValue(w *bufio.Writer, v sqlite.Value) error {
	switch v.Kind {
	case sqlite.Null:
		return w.WriteByte(null)
	case sqlite.Integer:
		b := binary.AppendVarint(append(w.AvailableBuffer(), integer), v.N)
		_, err := w.Write(b)
		return err
	case sqlite.Text:
		return writeBytes(w, text, v.Bytes)
	case sqlite.Blob:
		return writeBytes(w, blob, v.Bytes)
	}
	return fmt.Errorf("%w: a value of a kind that no table has", sqlite.ErrDamaged)
}

func writeBytes(w *bufio.Writer, kind byte, v []byte) error {
	b := binary.AppendUvarint(append(w.AvailableBuffer(), kind), uint64(len(v)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	_, err := w.Write(v)
	return err
}

// readValue reads a value; its room is used again.
func readValue(r *bufio.Reader, v *sqlite.Value) (err error) {
	kind, err := r.ReadByte()
	if err != nil {
		return carried(err)
	}
	switch kind {
	case null:
		v.Kind = sqlite.Null
	case integer:
		v.Kind = sqlite.Integer
		if v.N, err = binary.ReadVarint(r); err != nil {
			return carried(err)
		}
	case text, blob:
		if v.Kind = sqlite.Text; kind == blob {
			v.Kind = sqlite.Blob
		}
		v.Bytes, err = readBytes(r, v.Bytes)
	default:
		err = fmt.Errorf("%w: a value of an unknown kind", ErrCarried)
	}
	return err
}

// readBytes reads bytes into room, or a larger one.
func readBytes(r *bufio.Reader, room []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, carried(err)
	}
	if n > mostValue {
		return nil, fmt.Errorf("%w: a value of %d bytes", ErrCarried, n)
	}
	if room == nil || uint64(cap(room)) < n {
		room = make([]byte, n, max(n, 64))
	}
	b := room[:n]
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, carried(err)
	}
	return b, nil
}

// readHeader reads what stands before the rows.
func readHeader(r *bufio.Reader) (header, error) {
	var h header
	if err := expect(r, magic); err != nil {
		return h, err
	}
	var line []byte
	for len(line) == 0 || line[len(line)-1] != '\n' {
		c, err := r.ReadByte()
		if err != nil {
			return h, carried(err)
		}
		if line = append(line, c); len(line) > mostHeader {
			return h, fmt.Errorf("%w: its header has no end", ErrCarried)
		}
	}
	if json.Unmarshal(line, &h) != nil || h.Schema < 1 || h.Schema > math.MaxInt32 {
		return h, fmt.Errorf("%w: its header is not readable", ErrCarried)
	}
	return h, nil
}

func expect(r *bufio.Reader, want string) error {
	b := make([]byte, len(want))
	if _, err := io.ReadFull(r, b); err != nil {
		return carried(err)
	}
	if string(b) != want {
		return fmt.Errorf("%w: %q is missing", ErrCarried, want)
	}
	return nil
}

// carried is the class of an error of the reader: an end too soon is a file that was
// cut off; anything else is the reader's own error, such as a byte changed.
func carried(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off", ErrCarried)
	}
	return fmt.Errorf("%w: %w", ErrCarried, err)
}
