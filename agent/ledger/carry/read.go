package carry

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"yuanlu/agent/ledger/sqlite"
)

// step is how many rows share a transaction.
const step = 4096

// Reader reads an export: Tables, then Keys.
type Reader struct {
	Schema    int64 // version of the tables
	header    header
	r         *bufio.Reader
	progress  func(done, all int64)
	done, all int64
}

// NewReader reads what stands before the rows. progress is called with how many of how many
// rows are read; it may be nil. All errors of a Reader that are about what is read are
// ErrCarried.
func NewReader(r io.Reader, progress func(done, all int64)) (*Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	h, err := readHeader(b)
	return &Reader{Schema: h.Schema, header: h, r: b, progress: progress}, err
}

// Tables reads the rows of all tables into c, a new store of the schema version that r has.
func (r *Reader) Tables(ctx context.Context, c *sqlite.Conn) error {
	h := &r.header
	names, _ := tables(r.Schema)
	for _, t := range h.Tables {
		r.all += t.Rows
	}
	for n := range h.Tables {
		t := &h.Tables[n]
		if len(h.Tables) != len(names) || t.Name != names[n] {
			return fmt.Errorf("%w: other tables than this version has", ErrCarried)
		}
		have, err := columns(c, t.Name)
		if err != nil {
			return err
		}
		if !slices.Equal(have, t.Columns) {
			return fmt.Errorf("%w: other columns than table %s has", ErrCarried, t.Name)
		}
		if err := r.table(ctx, c, t); err != nil {
			return err
		}
	}
	return nil
}

// table reads the rows of one table, some of them in each transaction.
func (r *Reader) table(ctx context.Context, c *sqlite.Conn, t *table) error {
	sql := "INSERT INTO " + t.Name + "(" + strings.Join(t.Columns, ", ") + ") VALUES(?" + strings.Repeat(", ?", len(t.Columns)-1) + ")"
	values, args := make([]sqlite.Value, len(t.Columns)), make([]any, len(t.Columns))
	for k := range values {
		args[k] = &values[k]
	}
	for left := t.Rows; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.Begin(); err != nil {
			return err
		}
		for range min(left, step) {
			for k := range values {
				if err := readValue(r.r, &values[k]); err != nil {
					return err
				}
			}
			if err := c.Do(sql, args...); err != nil {
				return fmt.Errorf("%w: %w", ErrCarried, err)
			}
		}
		if err := c.Commit(); err != nil {
			return err
		}
		r.done += min(left, step)
		left -= min(left, step)
		if r.progress != nil {
			r.progress(r.done, r.all)
		}
	}
	return nil
}

// Keys reads the two key files, which come behind the tables, and makes sure that nothing is
// missing at the end. whole reports whether a file is as it was written.
func (r *Reader) Keys(whole func(file string) bool) (keys [2][]byte, err error) {
	for n := range keys {
		kind, err := r.r.ReadByte()
		if err != nil {
			return keys, carried(err)
		}
		b, err := readBytes(r.r, nil)
		if err != nil {
			return keys, err
		}
		if kind != blob || !whole(string(b)) {
			return keys, fmt.Errorf("%w: a key is not readable", ErrCarried)
		}
		keys[n] = b
	}
	if err := expect(r.r, end); err != nil {
		return keys, err
	}
	switch _, err := r.r.ReadByte(); {
	case errors.Is(err, io.EOF):
		return keys, nil
	case err != nil:
		return keys, carried(err)
	}
	return keys, fmt.Errorf("%w: more follows its end", ErrCarried)
}
