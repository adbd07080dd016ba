package ledger

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// Facts describes the store for support: sizes and counts, nothing of what is in it.
type Facts struct {
	SQLite    string           `json:"sqlite"`
	Schema    int64            `json:"schema_version"`
	Bytes     int64            `json:"bytes"` // of the database file
	WALBytes  int64            `json:"wal_bytes"`
	PageSize  int64            `json:"page_size"`
	Pages     int64            `json:"pages"`
	FreePages int64            `json:"free_pages"`
	Newest    int64            `json:"newest_seq"`  // of a record
	Oldest    int64            `json:"oldest_seq"`  // kept
	Rows      map[string]int64 `json:"rows"`        // by table; those that there was time to count
	Aside     []string         `json:"quarantined"` // names in quarantine/
	// Check is what PRAGMA quick_check returns: "ok", what is wrong, or that there was not
	// time enough.
	Check   string        `json:"quick_check"`
	Checked time.Duration `json:"quick_check_ns"` // how long that took
}

// NotChecked is Facts.Check where the time was over first.
const NotChecked = "not finished in time"

// CheckOK is Facts.Check of a store in which nothing was found.
const CheckOK = "ok"

// Facts looks at the store on a connection of its own, whether it is open for
// writing or not, and changes nothing. What is not done when ctx ends is left out;
// only a store that cannot be read at all is an error.
func (d *DB) Facts(ctx context.Context) (f Facts, err error) {
	c, err := openReader(d.file())
	if err != nil {
		return f, unavailable(err)
	}
	defer func() { _ = c.Close() }()
	defer c.InterruptAt(ctx)()
	f = Facts{SQLite: c.Version(), Rows: map[string]int64{}, Aside: []string{},
		Bytes: fileSize(d.file()), WALBytes: fileSize(d.file() + "-wal"), Check: NotChecked}
	for _, one := range []struct {
		to  *int64
		sql string
	}{
		{&f.Schema, "PRAGMA user_version"}, {&f.PageSize, "PRAGMA page_size"}, {&f.Pages, "PRAGMA page_count"}, {&f.FreePages, "PRAGMA freelist_count"},
		{&f.Newest, `SELECT max(seq) FROM record`}, {&f.Oldest, `SELECT min(seq) FROM record`},
	} {
		if *one.to, _, err = c.Int(one.sql); err != nil {
			return f, unavailable(err)
		}
	}
	aside, _ := os.ReadDir(filepath.Join(d.dir, "quarantine")) // mostly there is none
	for _, one := range aside {
		f.Aside = append(f.Aside, one.Name())
	}
	begin := time.Now()
	text, err := c.Text("PRAGMA quick_check(3)")
	f.Checked = time.Since(begin)
	switch {
	case err == nil:
		f.Check = clip(text, 200)
	case ctx.Err() == nil:
		f.Check = clip(err.Error(), 200)
	}
	for _, table := range append([]string{"record", "verdict", "key", "payer"}, smallTables[:]...) {
		if n, _, err := c.Int(`SELECT count(*) FROM ` + table); err == nil {
			f.Rows[table] = n
		}
	}
	return f, nil
}

// Probe writes to the store, changing nothing, and returns how long it took to be
// durable. Errors as those of Apply.
func (d *DB) Probe(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	err := d.write(ctx, func(t *tx) error { return t.c.Do(`UPDATE meta SET value = value WHERE name = 'stream'`) })
	return time.Since(begin), err
}

// Size returns how many bytes the database and its WAL have on the disk.
func (d *DB) Size() int64 { return fileSize(d.file()) + fileSize(d.file()+"-wal") }

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
