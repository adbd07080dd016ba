package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/ledger/sqlite"
)

// Export writes the whole store (records, verdicts, cases, what waits for the back
// office, keys) to w as Import reads it, as it is at one moment, whether a daemon has
// it open or not. The keys are in clear: w must encrypt. progress is told how many
// of how many rows are written; it may be nil. The store is not changed.
//
// Errors: of w; ErrUnavailable if a row or a key is damaged.
func (d *DB) Export(ctx context.Context, w io.Writer, progress func(done, all int64)) error {
	if d.temporary {
		return ErrReadOnly
	}
	return d.read(ctx, func(c *conn) (err error) {
		// A key that is made or dropped beside it is in one of the two readings.
		before, err := readKeyFiles(d.dir)
		if err != nil {
			return err
		}
		if err := c.Do("BEGIN"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Do("ROLLBACK")) }()
		if err := checkRows(c); err != nil {
			return err
		}
		after, err := readKeyFiles(d.dir)
		if err != nil {
			return err
		}
		e := exporter{c: c, w: bufio.NewWriterSize(w, 64<<10), progress: progress}
		return e.write(ctx, d.o.Now(), unite(before, after))
	})
}

type exporter struct {
	c         *conn
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
	if _, err := e.w.WriteString(carryMagic + string(line) + "\n"); err != nil {
		return err
	}
	for i := range h.Tables {
		if err := e.table(ctx, &h.Tables[i], orders[i]); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := writeBytes(e.w, carryBlob, k); err != nil {
			return err
		}
	}
	if _, err := e.w.WriteString(carryEnd); err != nil {
		return err
	}
	return e.w.Flush()
}

func (e *exporter) header(now time.Time) (h carryHeader, orders []string, err error) {
	h.Made = now.UTC().Format(time.RFC3339)
	if h.Schema, _, err = e.c.Int("PRAGMA user_version"); err != nil {
		return h, nil, err
	}
	names, orders := carriedTables()
	for _, name := range names {
		t := carryTable{Name: name}
		err := e.c.Each("SELECT name FROM pragma_table_info('"+name+"') ORDER BY cid", func(s *sqlite.Row) error {
			t.Columns = append(t.Columns, s.Text(0))
			return nil
		})
		if err != nil {
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
func (e *exporter) table(ctx context.Context, t *carryTable, order string) error {
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

// readKeyFiles reads both files of keys/ as they are.
func readKeyFiles(dir string) (files [2][]byte, err error) {
	for i, name := range []string{tokenFile, caseFile} {
		path := filepath.Join(dir, "keys", name)
		if files[i], err = os.ReadFile(path); err != nil {
			return files, keyError("read", path, err)
		}
		if ring, bad := parseRing(string(files[i])); bad > 0 || len(ring) == 0 {
			return files, unavailable(keyError("read", path, sqlite.ErrDamaged))
		}
	}
	return files, nil
}

// unite returns the newer files with the keys that stand in the older ring only.
func unite(before, after [2][]byte) [2][]byte {
	known := slices.Collect(strings.Lines(string(after[0])))
	for line := range strings.Lines(string(before[0])) {
		if !slices.Contains(known, line) {
			after[0] = fmt.Append(after[0], line)
		}
	}
	return after
}
