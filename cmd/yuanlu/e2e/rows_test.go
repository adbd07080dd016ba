package e2e

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openRows opens a store's database as a reader.
func openRows(b testing.TB, dir string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "yuanlu.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// table is one table of the store and the rows that the records after a seq left in it.
type table struct {
	name    string
	where   string
	columns []string
	rows    [][]any
}

// leftBehind reads the rows that records after seq left in the store.
func leftBehind(b testing.TB, dir string, seq int64) []table {
	b.Helper()
	db := openRows(b, dir)
	defer db.Close()
	ts := []table{{name: "record", where: "seq > ?"}, {name: "key", where: "seq > ?"}, {name: "payer", where: "last > ?"}, {name: "verdict", where: "seq > ?"}}
	for i := range ts {
		t := &ts[i]
		rows, err := db.Query("SELECT * FROM "+t.name+" WHERE "+t.where+" ORDER BY rowid", seq)
		if err != nil {
			rows, err = db.Query("SELECT * FROM "+t.name+" WHERE "+t.where+" ORDER BY seq", seq)
		}
		if err != nil {
			b.Fatal(err)
		}
		t.columns, _ = rows.Columns()
		for rows.Next() {
			row := make([]any, len(t.columns))
			to := make([]any, len(row))
			for i := range row {
				to[i] = &row[i]
			}
			if err := rows.Scan(to...); err != nil {
				b.Fatal(err)
			}
			t.rows = append(t.rows, row)
		}
		rows.Close()
	}
	return ts
}

// storeAlone writes the same rows again into a copy of the history's schema, 64
// records a transaction, and nothing else: records per second and bytes to the
// device per record.
func storeAlone(b testing.TB, dir string, seq int64) (rate, bytes float64) {
	b.Helper()
	ts := leftBehind(b, dir, seq)
	from := openRows(b, dir)
	defer from.Close()
	fresh := filepath.Join(b.TempDir(), "alone.db")
	// The same history below: an index is as deep as it is on the terminal.
	if _, err := from.Exec("VACUUM INTO ?", fresh); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+fresh+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=wal_autocheckpoint(1000)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, t := range ts {
		if _, err := db.Exec("DELETE FROM "+t.name+" WHERE "+t.where, seq); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		b.Fatal(err)
	}
	n := len(ts[0].rows)
	before := procField("/proc/self/io", "write_bytes:")
	begin := time.Now()
	const batch = 64
	for i := 0; i < n; i += batch {
		insertPart(b, db, ts, i, min(i+batch, n), n)
	}
	took := time.Since(begin)
	wrote := procField("/proc/self/io", "write_bytes:") - before
	return float64(n) / took.Seconds(), float64(wrote) / float64(n)
}

// insertPart writes records i..j of n, and as large a part of the other tables.
func insertPart(b testing.TB, db *sql.DB, ts []table, i, j, n int) {
	b.Helper()
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range ts {
		part := t.rows[len(t.rows)*i/n : len(t.rows)*j/n]
		if len(part) == 0 {
			continue
		}
		st, err := tx.Prepare(fmt.Sprintf("INSERT INTO %s VALUES(?%s)", t.name, strings.Repeat(",?", len(t.columns)-1)))
		if err != nil {
			b.Fatal(err)
		}
		for _, row := range part {
			if _, err := st.Exec(row...); err != nil {
				b.Fatal(err)
			}
		}
		st.Close()
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// commits times single-row commits of a 400-byte row in WAL with synchronous FULL.
func commits(b testing.TB, dir string, n int) (out []time.Duration) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "floor.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE r(seq INTEGER PRIMARY KEY, body TEXT)"); err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("x", 400)
	for range n {
		begin := time.Now()
		if _, err := db.Exec("INSERT INTO r(body) VALUES(?)", body); err != nil {
			b.Fatal(err)
		}
		out = append(out, time.Since(begin))
	}
	return out
}
