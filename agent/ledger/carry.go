package ledger

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

// A store that is carried to another terminal is one stream of bytes:
//
//	yuanlu-store 1\n
//	a line of JSON: schema version, when, tables with columns and number of rows
//	the rows of each table: per value one byte of kind and the value
//	two key files: length and bytes
//	end\n
//
// It holds the keys, so whoever writes it to a file encrypts it, in a way that shows
// a byte changed and an end cut off. Not carried: what a wire remembers (it belongs
// to the firmware it was heard from), events that are no cases, and cases that the
// back office has refused.
const (
	carryMagic = "yuanlu-store 1\n"
	carryEnd   = "end\n"
)

// Classes of errors of Export and Import, for errors.Is.
var (
	// ErrNotEmpty: the store to import into holds records.
	ErrNotEmpty = errors.New("ledger: the store holds records")
	// ErrCarried: what is imported is no export, is cut off, or is damaged.
	ErrCarried = errors.New("ledger: not a whole export of a store")
)

// carriedTables are the tables of an export, in their order. orders are the columns
// that make their rows come in the order of their keys.
func carriedTables() (names, orders []string) {
	return []string{"meta", "link", "record", "key", "payer", "verdict", "held", "cases", "outbox", "untold", "daily"},
		[]string{"name", "id", "seq", "value, seq", "last", "seq", "seq", "case_id", "entry", "entry", "day"}
}

// carryHeader is the line of JSON.
type carryHeader struct {
	Schema int64        `json:"schema"`
	Made   string       `json:"made"`
	Tables []carryTable `json:"tables"`
}

type carryTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
}

// Kinds of a value.
const (
	carryNull = iota
	carryInt
	carryText
	carryBlob
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
		return w.WriteByte(carryNull)
	case sqlite.Integer:
		b := binary.AppendVarint(append(w.AvailableBuffer(), carryInt), v.N)
		_, err := w.Write(b)
		return err
	case sqlite.Text:
		return writeBytes(w, carryText, v.Bytes)
	case sqlite.Blob:
		return writeBytes(w, carryBlob, v.Bytes)
	}
	return &rowError{"export", 0, "a value of a kind that no table has"}
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
	case carryNull:
		v.Kind = sqlite.Null
	case carryInt:
		v.Kind = sqlite.Integer
		if v.N, err = binary.ReadVarint(r); err != nil {
			return carried(err)
		}
	case carryText, carryBlob:
		if v.Kind = sqlite.Text; kind == carryBlob {
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
func readHeader(r *bufio.Reader) (carryHeader, error) {
	var h carryHeader
	if err := expect(r, carryMagic); err != nil {
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

func expect(r *bufio.Reader, text string) error {
	b := make([]byte, len(text))
	if _, err := io.ReadFull(r, b); err != nil {
		return carried(err)
	}
	if string(b) != text {
		return fmt.Errorf("%w: %q is missing", ErrCarried, text)
	}
	return nil
}

// carried says what an error of the reader means: an end too soon is a file that was
// cut off; anything else is the reader's own error, such as a byte changed.
func carried(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off", ErrCarried)
	}
	return fmt.Errorf("%w: %w", ErrCarried, err)
}
