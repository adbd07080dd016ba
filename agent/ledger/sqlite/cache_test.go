package sqlite

import (
	"path/filepath"
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// TestCachedPagesLieInTheBlock: a page with what SQLite keeps beside it fits in a slot.
func TestCachedPagesLieInTheBlock(t *testing.T) {
	c, err := Open(filepath.Join(t.TempDir(), "x.db"), ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	overflow := status(t, c, sqlite3.SQLITE_STATUS_PAGECACHE_OVERFLOW)
	if err := c.Script(`PRAGMA page_size = 4096; PRAGMA cache_size = -1024; CREATE TABLE t(a); INSERT INTO t SELECT randomblob(3000) FROM
 (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n)`); err != nil {
		t.Fatal(err)
	}
	if used, more := status(t, c, sqlite3.SQLITE_STATUS_PAGECACHE_USED), status(t, c, sqlite3.SQLITE_STATUS_PAGECACHE_OVERFLOW)-overflow; used < 100 || more > PageSize {
		t.Errorf("%d slots are used, and %d more bytes lie outside of them", used, more)
	}
}

func status(t *testing.T, c *Conn, what int32) int32 {
	t.Helper()
	at := libc.Xcalloc(c.tls, 2, 8)
	defer libc.Xfree(c.tls, at)
	if rc := sqlite3.Xsqlite3_status(c.tls, what, at, at+8, 0); rc != sqlite3.SQLITE_OK {
		t.Fatal(rc)
	}
	return int32(loadPointer(at))
}
