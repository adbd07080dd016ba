package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"yuanlu/agent/newfile"
)

// Classes of errors of Restore.
var (
	ErrBackup   = errors.New("store: this is no whole backup")
	ErrNotEmpty = errors.New("store: there is a store already")
)

// Restored is what was restored, as it was found to be afterwards.
type Restored struct {
	Backed
	Cases int         `json:"cases"` // of the case desk, built again of their journals
	Files int         `json:"files"` // whose hashes are right
	Amiss []FileFault `json:"amiss"` // of the others: they were so when the backup was made
}

// Restore makes a store of a backup at a place where there is none: an SQLite file that does
// not exist, or an empty PostgreSQL database, whatever the backup came from. It builds the
// case desk of its journals and checks the hash of every file. A backup that is damaged leaves
// nothing behind: ErrBackup, with block and byte. ErrNotEmpty, ErrVersion, ErrWork, ErrUnavailable.
func Restore(ctx context.Context, place string, from io.Reader) (r Restored, err error) {
	in := newBlockReader(from)
	h, err := in.header()
	if err != nil {
		return r, err
	}
	if h.Version < 1 || h.Version > version {
		return r, fmt.Errorf("%w: version %d, this desk knows 1 to %d", ErrVersion, h.Version, version)
	}
	if isPostgres(place) {
		return restoreAt(ctx, place, in, h)
	}
	if _, err := os.Lstat(place); err == nil {
		return r, fmt.Errorf("%w: %s", ErrNotEmpty, place)
	}
	part := place + ".restoring"
	clear := func() error {
		var all error
		for _, name := range []string{part, part + "-wal", part + "-shm"} {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				all = errors.Join(all, err)
			}
		}
		return all
	}
	if err := clear(); err != nil { // of a restore that was ended
		return r, err
	}
	if r, err = restoreAt(ctx, part, in, h); err != nil {
		return r, errors.Join(err, clear())
	}
	return r, errors.Join(handOver(part, place), clear())
}

// handOver puts a finished store at its place, with the owner of its folder.
func handOver(part, place string) error {
	if _, err := os.Lstat(part + "-wal"); err == nil {
		return fmt.Errorf("%w: %s-wal was left over", ErrUnavailable, part)
	}
	dir := filepath.Dir(place)
	if info, err := os.Stat(dir); err == nil && os.Geteuid() == 0 {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			if err := os.Chown(part, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	if err := os.Link(part, place); err != nil {
		return err
	}
	return newfile.SyncDir(dir)
}

// restoreAt restores into an empty database.
func restoreAt(ctx context.Context, place string, in *blockReader, h header) (r Restored, err error) {
	if r.Backed, err = load(ctx, place, in, h); err != nil {
		return r, err
	}
	s, err := Open(ctx, place) // what an earlier version backed up is brought up to this one
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	// What the desk signed since the backup is not in it: its log is not continued (evidence.md § 4).
	if err := s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE desk_log SET ended = 1 WHERE ended = 0`)
		return err
	}); err != nil {
		return r, err
	}
	w, err := s.Journals(ctx)
	if err != nil {
		return r, err
	}
	r.Cases = w.Cases
	r.Files, r.Amiss, err = s.Files(ctx)
	return r, err
}

// load stores the rows of a backup in an empty database of its version.
func load(ctx context.Context, place string, in *blockReader, h header) (b Backed, err error) {
	s, have, err := OpenAsItIs(ctx, place)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.empty(ctx, have); err != nil {
		return b, err
	}
	steps, err := s.steps(ctx, 0)
	if err != nil {
		return b, classify(err)
	}
	if _, err := steps.UpTo(ctx, int64(h.Version)); err != nil {
		return b, classify(err)
	}
	b = Backed{Version: h.Version, Made: h.Made, ID: h.ID, Rows: map[string]int64{}}
	err = s.write(ctx, func(t *tx) error { return t.restore(in, h, &b) })
	b.Bytes = in.at
	return b, err
}

// empty checks that there is no store, or one that nothing has come to.
func (s *Store) empty(ctx context.Context, have int) error {
	if have == 0 {
		return nil
	}
	var used int64
	err := s.read(ctx, func(t *tx) error {
		_, err := t.row(`SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM desk`, nil, &used)
		return err
	})
	if err == nil && (used > 0 || have > version) {
		err = ErrNotEmpty
	}
	return err
}

// restore puts the rows of a backup in place of those that a new store has.
func (t *tx) restore(in *blockReader, h header, b *Backed) error {
	tables, err := t.tables()
	if err != nil {
		return err
	}
	if !maps.EqualFunc(tables, h.Tables, slices.Equal[[]string]) {
		return fmt.Errorf("%w: its tables are not those of version %d", ErrBackup, h.Version)
	}
	for name := range tables {
		if _, err := t.exec(`DELETE FROM ` + quote(name)); err != nil {
			return err
		}
	}
	for {
		lines, err := in.block()
		if err != nil {
			return err
		}
		ended, err := t.restoreBlock(in, lines, tables, b)
		if err != nil || ended {
			return err
		}
	}
}

// restoreBlock takes in one block; ended: it was the last.
func (t *tx) restoreBlock(in *blockReader, lines io.Reader, tables map[string][]string, b *Backed) (ended bool, err error) {
	var begin struct {
		Table string
		End   bool
		Rows  map[string]int64
	}
	dec := json.NewDecoder(lines)
	dec.UseNumber()
	if err := dec.Decode(&begin); err != nil {
		return false, in.damaged("%v", err)
	}
	if begin.End {
		if !maps.Equal(begin.Rows, b.Rows) {
			return false, in.damaged("rows of some table are missing")
		}
		return true, in.over()
	}
	columns, ok := tables[begin.Table]
	if !ok {
		return false, in.damaged("no such table")
	}
	into, err := t.PrepareContext(t.ctx, t.d.sql(`INSERT INTO `+quote(begin.Table)+`(`+list(columns)+`) VALUES(?`+strings.Repeat(",?", len(columns)-1)+`)`))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	return false, t.restoreRows(in, dec, into, begin.Table, len(columns), b)
}

func (t *tx) restoreRows(in *blockReader, dec *json.Decoder, into *sql.Stmt, table string, columns int, b *Backed) error {
	if _, ok := b.Rows[table]; !ok {
		b.Rows[table] = 0
	}
	for {
		var row []json.RawMessage
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return in.damaged("%v", err)
		}
		if len(row) != columns {
			return in.damaged("table %s: %d values, want %d", table, len(row), columns)
		}
		values := make([]any, columns)
		for i, raw := range row {
			v, ok := readValue(raw)
			if !ok {
				return in.damaged("table %s: a value that is none", table)
			}
			values[i] = v
		}
		if _, err := into.ExecContext(t.ctx, values...); err != nil {
			return errors.Join(in.damaged("table %s: a row that cannot be stored", table), classify(err))
		}
		b.Rows[table]++
	}
}

// readValue is the reverse of written.
func readValue(raw json.RawMessage) (any, bool) {
	switch {
	case string(raw) == "null":
		return nil, true
	case len(raw) > 0 && raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	case len(raw) > 0 && raw[0] == '{':
		return readBinary(raw)
	}
	var n int64
	err := json.Unmarshal(raw, &n)
	return n, err == nil
}

func readBinary(raw json.RawMessage) (any, bool) {
	var v binaryValue
	if json.Unmarshal(raw, &v) != nil || (v.Bytes == nil) == (v.Text == nil) {
		return nil, false
	}
	if v.Text != nil {
		text, err := base64.StdEncoding.DecodeString(*v.Text)
		return string(text), err == nil
	}
	b, err := base64.StdEncoding.DecodeString(*v.Bytes)
	return b, err == nil
}
