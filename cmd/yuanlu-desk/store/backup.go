package store

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// A backup is one moment of a store, of either database, in a form of its own, so that it can be
// restored into the other one too. It begins with backupMagic; blocks follow, each with its
// length (4 bytes, big-endian), a SHA-256 over the block's bytes and the hash of the block
// before, and its bytes, compressed lines of JSON:
//
//	{"version":3,"made":"…","id":"…","tables":{"desk":["id","n"],…}}   the first
//	{"table":"desk"} and a line for each row, [1,"text",{"b":"base64"}]
//	{"end":true,"rows":{"desk":2,…}}                                    the last
const backupMagic = "yuanlu-desk backup 1\n"

// blockSize is when a block is ended, in bytes before compression.
const blockSize = 1 << 20

// passing are the tables that no backup has: an old session must not open the desk again.
func passing() []string { return []string{"goose_db_version", "work_session", "work_failure"} }

// Backed is what a backup holds, or what was restored of one.
type Backed struct {
	Version int              `json:"version"` // of the schema
	Made    time.Time        `json:"made"`
	ID      string           `json:"id"`   // of the store
	Rows    map[string]int64 `json:"rows"` // of each table
	Bytes   int64            `json:"bytes"`
}

// header is the first block.
type header struct {
	Version int                 `json:"version"`
	Made    time.Time           `json:"made"`
	ID      string              `json:"id"`
	Tables  map[string][]string `json:"tables"` // their columns
}

// Backup writes the store as it is at one moment, whatever is stored meanwhile, and keeps no
// other from writing. ErrUnavailable, or an error of w.
func (s *Store) Backup(ctx context.Context, w io.Writer, now time.Time) (b Backed, err error) {
	out := newBlockWriter(w)
	b = Backed{Made: now.UTC(), Rows: map[string]int64{}}
	err = s.read(ctx, func(t *tx) error {
		tables, err := t.tables()
		if err != nil {
			return err
		}
		if b.Version, err = versionOf(ctx, t.Tx); err != nil {
			return err
		}
		if _, err := t.row(`SELECT value FROM meta WHERE name = 'id'`, nil, &b.ID); err != nil {
			return err
		}
		if err := out.line(header{b.Version, b.Made, b.ID, tables}); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			if b.Rows[name], err = t.backUp(out, name, tables[name]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = errors.Join(out.end(), out.line(map[string]any{"end": true, "rows": b.Rows}), out.end())
	}
	b.Bytes = out.bytes
	return b, err
}

// tables returns the columns of every table that a backup has.
func (t *tx) tables() (map[string][]string, error) {
	q := `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid`
	if t.d.postgres {
		q = `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`
	}
	tables := map[string][]string{}
	err := t.rows(q, nil, func(r *sql.Rows) error {
		var table, column string
		err := r.Scan(&table, &column)
		if !slices.Contains(passing(), table) {
			tables[table] = append(tables[table], column)
		}
		return err
	})
	return tables, err
}

// backUp writes the rows of a table.
func (t *tx) backUp(out *blockWriter, table string, columns []string) (n int64, err error) {
	values, to := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		to[i] = &values[i]
	}
	begin := func() error {
		return errors.Join(out.end(), out.line(map[string]string{"table": table}))
	}
	if err := begin(); err != nil {
		return 0, err
	}
	err = t.rows(`SELECT `+list(columns)+` FROM `+quote(table), nil, func(r *sql.Rows) error {
		if out.plain.Len() >= blockSize {
			if err := begin(); err != nil {
				return err
			}
		}
		if err := r.Scan(to...); err != nil {
			return err
		}
		row := make([]any, len(values))
		for i, v := range values {
			if row[i], err = written(v); err != nil {
				return fmt.Errorf("%w: table %s, column %s: %w", ErrUnavailable, table, columns[i], err)
			}
		}
		n++
		return out.line(row)
	})
	return n, err
}

// binaryValue is bytes in a row: of a column of bytes, or a text that is not UTF-8.
type binaryValue struct {
	Bytes *string `json:"b,omitempty"`
	Text  *string `json:"t,omitempty"`
}

// written is a value of a row as a backup has it.
func written(v any) (any, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case string:
		if !utf8.ValidString(v) {
			text := base64.StdEncoding.EncodeToString([]byte(v))
			return binaryValue{Text: &text}, nil
		}
		return v, nil
	case []byte:
		text := base64.StdEncoding.EncodeToString(v)
		return binaryValue{Bytes: &text}, nil
	case nil:
		return nil, nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}

// list is the columns as a statement has them. Their names come from the database.
func list(columns []string) string {
	var b bytes.Buffer
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(c))
	}
	return b.String()
}

func quote(name string) string { return `"` + name + `"` }

// blockWriter writes blocks.
type blockWriter struct {
	w     io.Writer
	plain bytes.Buffer // of the block that is begun
	last  [sha256.Size]byte
	bytes int64
	begun bool
}

func newBlockWriter(w io.Writer) *blockWriter {
	return &blockWriter{w: w, last: sha256.Sum256([]byte(backupMagic))}
}

// line adds a line to the block that is begun.
func (b *blockWriter) line(v any) error {
	e := json.NewEncoder(&b.plain)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// end writes the block that is begun.
func (b *blockWriter) end() error {
	if b.plain.Len() == 0 {
		return nil
	}
	var packed bytes.Buffer
	if !b.begun {
		packed.WriteString(backupMagic)
		b.begun = true
	}
	at := packed.Len()
	packed.Write(make([]byte, 4+sha256.Size))
	z, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := z.Write(b.plain.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	b.plain.Reset()
	head, body := packed.Bytes()[at:at+4+sha256.Size], packed.Bytes()[at+4+sha256.Size:]
	if len(body) > mostBlock {
		return fmt.Errorf("%w: a row of %d bytes", ErrData, len(body))
	}
	b.last = chained(b.last, body)
	binary.BigEndian.PutUint32(head, uint32(len(body)))
	copy(head[4:], b.last[:])
	n, err := b.w.Write(packed.Bytes())
	b.bytes += int64(n)
	return err
}

// chained is the hash of a block behind another.
func chained(before [sha256.Size]byte, body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(before[:])
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}
