package carry

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"yuanlu/agent/ledger/sqlite"
)

// Write writes the store that c sees, in a transaction of its caller's, and its two key
// files to w. made is when. progress is called with how many of how many rows are written;
// it may be nil. Errors: of w, of the store, of ctx.
func Write(ctx context.Context, c *sqlite.Conn, w io.Writer, made time.Time, keys [2][]byte, progress func(done, all int64)) error {
	e := exporter{c: c, w: bufio.NewWriterSize(w, 64<<10), progress: progress}
	return e.write(ctx, made, keys)
}

type exporter struct {
	c         *sqlite.Conn
	w         *bufio.Writer
	progress  func(done, all int64)
	done, all int64
}

func (e *exporter) write(ctx context.Context, now time.Time, keys [2][]byte) error {
	h, orders, err := e.header(now)
	if err != nil {
		return err
	}
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := e.w.WriteString(magic + string(line) + "\n"); err != nil {
		return err
	}
	for i := range h.Tables {
		if err := e.table(ctx, &h.Tables[i], orders[i]); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := writeBytes(e.w, blob, k); err != nil {
			return err
		}
	}
	if _, err := e.w.WriteString(end); err != nil {
		return err
	}
	return e.w.Flush()
}

func (e *exporter) header(now time.Time) (h header, orders []string, err error) {
	h.Made = now.UTC().Format(time.RFC3339)
	if h.Schema, _, err = e.c.Int("PRAGMA user_version"); err != nil {
		return h, nil, err
	}
	names, orders := tables(h.Schema)
	for _, name := range names {
		t := table{Name: name}
		if t.Columns, err = columns(e.c, name); err != nil {
			return h, nil, err
		}
		if t.Rows, _, err = e.c.Int("SELECT count(*) FROM " + name); err != nil {
			return h, nil, err
		}
		e.all += t.Rows
		h.Tables = append(h.Tables, t)
	}
	return h, orders, nil
}

// table writes the rows of one table.
func (e *exporter) table(ctx context.Context, t *table, order string) error {
	sql := "SELECT " + strings.Join(t.Columns, ", ") + " FROM " + t.Name + " ORDER BY " + order
	return e.c.Each(sql, func(s *sqlite.Row) error {
		for i := range t.Columns {
			if err := writeValue(e.w, s.Value(i)); err != nil {
				return err
			}
		}
		if e.done++; e.progress != nil && (e.done%4096 == 0 || e.done == e.all) {
			e.progress(e.done, e.all)
			return ctx.Err()
		}
		return nil
	})
}
