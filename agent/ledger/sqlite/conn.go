package sqlite

import (
	"context"
	"fmt"
	"sync"

	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// minSQLite is the oldest SQLite this package works with: older ones can damage
// a WAL database when a checkpoint and a writer race (fixed in 3.51.3) or when a
// rollback journal is replayed (fixed in 3.53.4).
const minSQLite = 3053004

// Conn is one connection to a SQLite database, used by one goroutine at a time.
//
// It stands on the C interface of modernc.org/sqlite/lib and not on
// database/sql: the same statements (one lookup, one row, three keys, 64 to a
// commit) cost 18.7 µs and 9 allocations per record this way, 27.1 µs and 61
// through the driver's own conn, 28.9 µs and 87 through database/sql, measured
// in one run.
type Conn struct {
	tls   *libc.TLS
	db    uintptr // *sqlite3
	out   uintptr // room for one pointer that a call returns
	stmts map[string]*stmt
	sums  bool // opened with Open, not OpenPlain
}

// Mode is how a database file is opened.
type Mode int32

const (
	// ReadWrite opens for writing and makes a file that is missing.
	ReadWrite Mode = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE
	// ReadOnly cannot write.
	ReadOnly Mode = sqlite3.SQLITE_OPEN_READONLY
)

// Open opens the database file at path, comparing the sums of its pages. A file
// that is there is not read yet: what is wrong with it shows at the first statement.
func Open(path string, mode Mode) (*Conn, error) { return openAs(path, mode, true) }

// OpenPlain opens a database file without its pages' sums: one that is thrown away, or
// one to be read whatever they are.
func OpenPlain(path string, mode Mode) (*Conn, error) { return openAs(path, mode, false) }

func openAs(path string, mode Mode, sums bool) (*Conn, error) {
	if err := prepareLibrary(); err != nil {
		return nil, err
	}
	c := &Conn{tls: libc.NewTLS(), stmts: make(map[string]*stmt), sums: sums}
	c.out = libc.Xcalloc(c.tls, 1, 16)
	name, err := libc.CString(path)
	if err != nil || c.out == 0 {
		c.tls.Close()
		return nil, fmt.Errorf("ledger: open: out of memory")
	}
	defer libc.Xfree(c.tls, name)
	vfs := uintptr(0)
	if sums {
		if vfs, err = registerSums(c.tls); err != nil {
			libc.Xfree(c.tls, c.out)
			c.tls.Close()
			return nil, err
		}
	}
	flags := int32(mode) | sqlite3.SQLITE_OPEN_NOMUTEX
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.out, flags, vfs)
	c.db = loadPointer(c.out)
	if rc != sqlite3.SQLITE_OK {
		err := c.errorOf("open", rc)
		_ = c.Close()
		return nil, err
	}
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	if sums && mode == ReadWrite {
		c.leaveRoomForSums()
	}
	return c, nil
}

// prepareLibrary makes the choices that hold for the whole process; asking again
// changes nothing. fdatasync instead of fsync: half the time per commit on ext4
// and the same promise. OFD locks: they survive another part of the process
// opening and closing the file, which silently drops POSIX ones.
func prepareLibrary() error {
	if v := sqlite3.Xsqlite3_libversion_number(nil); v < minSQLite {
		return fmt.Errorf("ledger: SQLite %d is too old, at least %d is needed", v, minSQLite)
	}
	// Both calls fail only where the platform or the kernel has no such thing;
	// SQLite's own default is as safe then.
	_, _ = sqlite.Fdatasync(true)
	_, _ = sqlite.OFDLocking(true)
	return shareCache()
}

// The block that cached pages of all connections lie in. A slot is a page with what SQLite keeps
// beside it (SQLITE_CONFIG_PCACHE_HDRSZ is below 280 bytes); the library's allocator would round each
// up to 8 KiB. What finds no slot, and pages of 32 KiB of a temporary store, come from the
// allocator. Slots that are not used take no memory.
const (
	cacheSlot  = PageSize + 280
	cacheSlots = 640 // the caches of the writer and of four readers
)

// shareCache hands that block to SQLite, once in a process and before its first use.
var shareCache = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	block, list := libc.Xmalloc(tls, cacheSlot*cacheSlots), libc.Xmalloc(tls, 3*8)
	if block == 0 || list == 0 {
		return fmt.Errorf("ledger: open: out of memory")
	}
	defer libc.Xfree(tls, list)
	if rc := sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PAGECACHE, libc.VaList(list, block, int32(cacheSlot), int32(cacheSlots))); rc != sqlite3.SQLITE_OK {
		libc.Xfree(tls, block) // another use of SQLite in this process came first: its own cache serves
	}
	return nil
})

// Script runs one or more statements that return no rows.
func (c *Conn) Script(sql string) error {
	text, err := libc.CString(sql)
	if err != nil {
		return fmt.Errorf("ledger: exec: %w", err)
	}
	defer libc.Xfree(c.tls, text)
	if rc := sqlite3.Xsqlite3_exec(c.tls, c.db, text, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		return c.errorOf(verbOf(sql), rc)
	}
	return nil
}

// prepare returns the statement for sql, compiled once per connection. It is reset; its
// bindings are those of its last use.
func (c *Conn) prepare(sql string) (*stmt, error) {
	if s := c.stmts[sql]; s != nil {
		if s.busy {
			return nil, errInUse(s)
		}
		return s, nil
	}
	text, err := libc.CString(sql)
	if err != nil {
		return nil, fmt.Errorf("ledger: prepare: %w", err)
	}
	defer libc.Xfree(c.tls, text)
	rc := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, c.out, 0)
	if rc != sqlite3.SQLITE_OK {
		return nil, c.errorOf("prepare "+verbOf(sql), rc)
	}
	s := &stmt{Row: Row{c: c, p: loadPointer(c.out)}, verb: verbOf(sql)}
	c.stmts[sql] = s
	return s, nil
}

// Changes is the number of rows that the last statement inserted, changed or removed.
func (c *Conn) Changes() int64 { return int64(sqlite3.Xsqlite3_changes(c.tls, c.db)) }

// InTransaction reports whether a transaction is open: an error may have ended it.
func (c *Conn) InTransaction() bool {
	return sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) == 0
}

// ReleaseMemory returns what the connection's cache holds.
func (c *Conn) ReleaseMemory() { sqlite3.Xsqlite3_db_release_memory(c.tls, c.db) }

// Close finalizes every statement and closes the connection. A transaction that
// is open is rolled back.
func (c *Conn) Close() error {
	if c == nil || c.tls == nil {
		return nil
	}
	for _, s := range c.stmts {
		s.finalize()
	}
	c.stmts = nil
	rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	var err error
	if rc != sqlite3.SQLITE_OK {
		err = &Error{code: rc, op: "close", text: libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))}
	}
	libc.Xfree(c.tls, c.out)
	c.tls.Close()
	c.tls = nil
	return err
}

// errorOf makes the error of a failed call, with SQLite's own text: it names
// tables and columns, never a value.
func (c *Conn) errorOf(op string, rc int32) error {
	text := libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))
	if c.db != 0 {
		if ext := sqlite3.Xsqlite3_extended_errcode(c.tls, c.db); ext&0xff == rc&0xff {
			rc = ext
			text = libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))
		}
	}
	if rc == sqlite3.SQLITE_IOERR_DATA {
		text = "a page of the file does not match its sum"
	}
	return &Error{code: rc, op: op, text: text}
}

// verbOf is the first word of a statement, for errors.
func verbOf(sql string) string {
	for i, r := range sql {
		if r == ' ' || r == ';' || r == '\n' {
			return sql[:i]
		}
	}
	return sql
}

// Begin starts a transaction that may write at once.
func (c *Conn) Begin() error { return c.Do("BEGIN IMMEDIATE") }

// Commit ends it; on nil everything is as durable as the settings promise.
func (c *Conn) Commit() error { return c.Do("COMMIT") }

// KeepWAL has Close leave the WAL as it is: after an I/O error a checkpoint would
// build on pages that may not be on the disk.
func (c *Conn) KeepWAL() {
	const slot = 8 // of a variable argument, on every target
	args := libc.Xmalloc(c.tls, 2*slot)
	if args == 0 {
		return
	}
	defer libc.Xfree(c.tls, args)
	sqlite3.Xsqlite3_db_config(c.tls, c.db, sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
		libc.VaList(args, int32(1), uintptr(0)))
}

// InterruptAt ends what the connection is doing when ctx ends. The function it returns must
// be called before the connection is closed.
func (c *Conn) InterruptAt(ctx context.Context) func() {
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		tls := libc.NewTLS()
		defer tls.Close()
		sqlite3.Xsqlite3_interrupt(tls, c.db)
	})
	return func() {
		if !stop() {
			<-finished
		}
	}
}

// Version is the version of SQLite, "3.53.4".
func (c *Conn) Version() string { return libc.GoString(sqlite3.Xsqlite3_libversion(c.tls)) }
