package ledger

import (
	"fmt"
	"math"

	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
)

// wholeCheck is the size in bytes up to which every opening checks the whole file.
// In a larger one the small tables are checked, and what is read: a damaged page or
// row shows when it is, and the reopening after it checks everything. everything is
// more than any file has.
const (
	wholeCheck = 16 << 20
	everything = math.MaxInt64
)

// smallTables are those without which nothing goes.
var smallTables = [...]string{"meta", "link", "held", "cases", "outbox", "untold", "quarantine", "memory", "daily"}

// check finds out whether a database file of up to so many bytes is a whole store; of a
// larger one, whether its small tables are. What is wrong is sqlite.ErrDamaged.
func check(c *conn, whole int64) (err error) {
	defer asDamage(&err)
	if err := checkHeader(c); err != nil {
		return err
	}
	tables, _, err := c.Int(`SELECT count(*) FROM sqlite_schema`)
	if err != nil || tables == 0 {
		return err
	}
	if err := checkSchema(c); err != nil {
		return err
	}
	pages, _, err := c.Int("PRAGMA page_count")
	if err != nil {
		return err
	}
	size, _, err := c.Int("PRAGMA page_size")
	if err != nil {
		return err
	}
	if pages*size <= whole {
		if err := quickCheck(c, "PRAGMA integrity_check(1)"); err != nil {
			return err
		}
		return checkRows(c)
	}
	for _, table := range smallTables {
		if err := quickCheck(c, "PRAGMA quick_check("+table+")"); err != nil {
			return err
		}
	}
	return nil
}

// checkHeader distinguishes a store from another program's database. A database without
// tables is a store whose making was cut short.
func checkHeader(c *conn) error {
	id, _, err := c.Int("PRAGMA application_id")
	if err != nil || id == applicationID {
		return err
	}
	tables, _, err := c.Int(`SELECT count(*) FROM sqlite_schema`)
	if err != nil || id == 0 && tables == 0 {
		return err
	}
	return fmt.Errorf("%w: application id %#x, want %#x", sqlite.ErrDamaged, id, applicationID)
}

// checkSchema compares the texts of the schema with those of a new store of the same
// version: a flipped byte in them can change what a statement means.
func checkSchema(c *conn) error {
	version, _, err := c.Int("PRAGMA user_version")
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil || version > int64(len(steps)) {
		return err // migrate returns that it is newer
	}
	fresh, err := openConn(":memory:", sqlite.ReadWrite)
	if err != nil {
		return err
	}
	defer func() { _ = fresh.Close() }()
	if err := migrate(fresh, steps[:version]); err != nil {
		return err
	}
	const texts = `SELECT group_concat(type || name || tbl_name || coalesce(sql, ''), ';') FROM
 (SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name)`
	want, err := fresh.Text(texts)
	if err != nil {
		return err
	}
	got, err := c.Text(texts)
	if err == nil && got != want {
		err = fmt.Errorf("%w: its schema is not that of version %d", sqlite.ErrDamaged, version)
	}
	return err
}

func quickCheck(c *conn, pragma string) error {
	text, err := c.Text(pragma)
	if err != nil {
		return err
	}
	if text != "ok" {
		return fmt.Errorf("%w: %s", sqlite.ErrDamaged, clip(text, 200))
	}
	return nil
}

// checkRows compares every guarded row with its checksum.
func checkRows(c *conn) error {
	version, _, err := c.Int("PRAGMA user_version")
	if err != nil || version == 0 {
		return err
	}
	for _, guarded := range []struct {
		table, columns string
		intact         func(rows.Columns) bool
	}{
		{"record", rows.RecordColumns, rows.RecordIntact},
		{"verdict", rows.VerdictColumns, rows.VerdictIntact},
		{"outbox", rows.EntryColumns, rows.EntryIntact},
		{"hold", rows.HoldColumns, rows.HoldIntact},
	} {
		if guarded.table == "hold" {
			if ok, err := hasHolds(c); err != nil || !ok {
				return err
			}
		}
		err := c.Each(`SELECT `+guarded.columns+` FROM `+guarded.table, func(r *sqlite.Row) error {
			if !guarded.intact(r) {
				return rows.Damaged(guarded.table, r.Int(0), "checksum does not match")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// asDamage turns a fault inside SQLite, which only a damaged file can cause, into
// sqlite.ErrDamaged. It guards what reads files that nothing has checked yet.
func asDamage(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: reading it faults", sqlite.ErrDamaged)
	}
}
