package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Names in the store's folder.
const (
	storeFile  = "yuanlu.db"
	markerFile = "store-id" // made when the first opening is complete: from then on a missing file is a lost one
)

// Cache sizes of a connection in KiB: the whole process must fit in 24 MiB.
const (
	writerCache    = 1536
	readerCache    = 256 // what is read runs through: lists, a drain
	temporaryCache = 80 << 10
)

// temporaryPage is the page size of a temporary store in bytes. The library's
// allocator rounds a cached page up to a power of two below 16 KiB, which takes
// twice the cache's size with pages of 4 KiB; and a full cache writes page by page.
const temporaryPage = "32768"

// Open opens the store in o.Dir for writing, or makes it. A damaged store is
// replaced by what could be read of it; Damage names it.
//
// Errors: *LockedError if another process has it; ErrNotMounted; ErrNewer; ErrUnavailable
// if the disk is full or returns I/O errors (try again later); else the folder
// cannot be used (permission).
func Open(ctx context.Context, o Options) (*DB, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if o.Mount != "" {
		if err := proveMount(o.Mount, o.Dir); err != nil {
			return nil, err
		}
	}
	notes, err := makeStoreDir(o.Dir, o.Now())
	if err != nil {
		return nil, fmt.Errorf("ledger: folder: %w", classOf(err))
	}
	lock, more, err := lockStore(o.Dir, o.Now())
	if err != nil {
		return nil, classOf(err)
	}
	d := newDB(o)
	d.lock = lock
	d.noteDamage(append(notes, more...)...)
	if err := d.openAll(ctx); err != nil {
		d.readers.close()
		lock.release()
		return nil, err
	}
	return d, nil
}

func newDB(o Options) *DB {
	d := &DB{dir: o.Dir, o: o, judge: o.judge, writer: make(chan struct{}, 1), queue: outbox.New(o.Now()), days: new(outbox.Days), book: ask.NewBook()}
	d.ran.now = o.Now
	d.writer <- struct{}{}
	return d
}

// openAll reads the keys and opens the store. The marker is written last.
func (d *DB) openAll(ctx context.Context) error {
	used := exists(filepath.Join(d.dir, markerFile))
	if err := d.clearWay(storePlaces()); err != nil {
		return err
	}
	keys, notes, err := loadKeys(d.dir, used, d.o.Now())
	if err != nil {
		return classOf(err)
	}
	d.keys = keys
	d.noteDamage(notes...)
	if keys.log, notes, err = loadLogKey(d.dir, d.o.Terminal, d.o.Now()); err != nil {
		return classOf(err)
	}
	d.noteDamage(notes...)
	if !used {
		d.o.step("open.keys")
	}
	err = d.openStore(ctx, nil)
	if errors.Is(err, ErrDiskFull) && d.releaseBallast() {
		err = d.openStore(ctx, nil)
	}
	if err != nil {
		return unavailableUnless(err, ErrNewer, context.Canceled, context.DeadlineExceeded)
	}
	d.keepBallast()
	if marker := filepath.Join(d.dir, markerFile); !exists(marker) {
		d.o.step("open.store")
		if err := writeFile(marker, []byte(d.Stream()+"\n")); err != nil {
			return classOf(err)
		}
	}
	return d.publishDamage()
}

// clearWay moves aside what stands in the way at these places and notes it.
func (d *DB) clearWay(places []place) error {
	notes, err := clearWay(d.dir, places, d.o.Now())
	d.noteDamage(notes...)
	return classOf(err)
}

// noteDamage keeps notes for Damage and for the events about them, and logs each:
// an opening that fails later must not hide it.
func (d *DB) noteDamage(notes ...DamageNote) {
	logDamage(d.o.Log, notes)
	d.damageMu.Lock()
	defer d.damageMu.Unlock()
	d.damage = append(d.damage, notes...)
}

func logDamage(log *slog.Logger, notes []DamageNote) {
	for _, n := range notes {
		log.LogAttrs(context.Background(), slog.LevelError, "store.damaged", slog.String("what", n.What), slog.String("why", n.Why), slog.String("moved", n.Moved),
			slog.Int64("kept", n.Kept), slog.Int64("lost", n.Lost))
	}
}

// openStore opens the database file, checks it and loads what the writer needs to
// know. cause is the error after which it is reopened, nil at the start. A damaged
// file is replaced by what can be read of it (salvage).
func (d *DB) openStore(ctx context.Context, cause error) error {
	if cause != nil {
		if err := d.clearWay(storePlaces()); err != nil {
			return err
		}
	}
	if err := d.resumeSalvage(ctx); err != nil {
		return err
	}
	err := classOf(d.missing(cause))
	if err == nil && errors.Is(cause, sqlite.ErrDamaged) {
		err = cause
	}
	if err == nil {
		err = d.upgrade(ctx)
	}
	if err == nil {
		err = d.openWithLog(ctx, cause != nil)
	}
	if errors.Is(err, sqlite.ErrDamaged) {
		if err = d.salvage(ctx, err); err == nil {
			err = d.openWithLog(ctx, false)
		}
	}
	return err
}

// openWithLog opens the database file and its evidence log. After an error the file is closed
// again: damage may show first where the log is read.
func (d *DB) openWithLog(ctx context.Context, whole bool) error {
	if err := d.openFile(whole); err != nil {
		return err
	}
	err := d.openLog(ctx)
	if err != nil {
		d.closeFile()
	}
	return err
}

// closeFile closes the database file, and leaves its WAL as it is.
func (d *DB) closeFile() {
	d.recent.forgetAll()
	d.readers.close()
	if d.w != nil {
		d.w.KeepWAL()
		_ = d.w.Close()
		d.w = nil
		d.lock.unfollow()
	}
}

// missing reports a store that was there and is gone, or has lost all its bytes or
// commits in its WAL, as damaged, before SQLite opens it.
func (d *DB) missing(cause error) error {
	wal := d.file() + "-wal"
	begun := exists(filepath.Join(d.dir, markerFile)) || fileSize(wal) >= sqlite.WALHeader
	info, err := os.Stat(d.file())
	switch {
	case errors.Is(err, fs.ErrNotExist) && !begun:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the file is missing", sqlite.ErrDamaged)
	case err != nil:
		return err
	case info.Size() == 0 && begun && fileSize(wal) < sqlite.WALHeader:
		return fmt.Errorf("%w: the file is empty", sqlite.ErrDamaged)
	case d.lock.left.open && cause == nil && !exists(wal):
		// The process before did not close the store, so the newest commits were in
		// the WAL.
		return fmt.Errorf("%w: the WAL is missing", sqlite.ErrDamaged)
	}
	return sqlite.CheckWAL(wal, d.lock.left.mark)
}

// openFile opens the database file as the writer. whole asks for the full check
// whatever the size.
func (d *DB) openFile(whole bool) error {
	c, err := openConn(d.file(), sqlite.ReadWrite)
	if err != nil {
		return err
	}
	if err = d.prepareWriter(c, whole); err == nil {
		err = d.load(c)
	}
	if err == nil {
		d.lock.opened()
		err = beginWAL(c)
	}
	if err != nil {
		c.KeepWAL() // evidence stays as it is, and what the lock holds about the WAL is true
		_ = c.Close()
		return err
	}
	d.w = c
	closeToOthers(d.file(), d.o.Log)
	d.lock.follow(d.file() + "-shm")
	d.readers.open(func() (*conn, error) { return openReader(d.file()) })
	return nil
}

// beginWAL moves what is committed into the database file and empties the WAL, so that
// nothing of a transaction that a power cut has torn lies behind the frames to come:
// sqlite.CheckWAL could take it for theirs. Where a reader or a full disk is in the way, it is
// left for the next checkpoint.
func beginWAL(c *conn) error {
	err := c.Script("PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE)")
	if errors.Is(err, ErrDiskFull) {
		err = nil
	}
	return errors.Join(err, c.Script("PRAGMA busy_timeout = 5000"))
}

// prepareWriter sets, checks and brings up to date a connection to the store.
func (d *DB) prepareWriter(c *conn, whole bool) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	if err := configure(c, settings(d.o.Synchronous, writerCache, false)); err != nil {
		return err
	}
	pages, _, err := c.Int("PRAGMA page_count")
	if err != nil {
		return err
	}
	if pages == 0 {
		if err := c.Script("PRAGMA auto_vacuum = INCREMENTAL"); err != nil {
			return err
		}
	} else {
		limit := d.o.wholeCheck
		if whole {
			limit = everything
		}
		if err := check(c, limit); err != nil {
			return err
		}
		steps = steps[:c.mayMigrateTo(len(steps))]
	}
	c.ReleaseMemory() // the pages that were looked at are not those that will be needed
	mode, err := c.Text("PRAGMA journal_mode = WAL")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("%w: journal mode is %q, not wal", ErrUnavailable, mode)
	}
	return migrate(c, steps)
}

// openReader opens a connection that cannot write.
func openReader(path string) (*conn, error) {
	c, err := openConn(path, sqlite.ReadOnly)
	if err != nil {
		return nil, err
	}
	list := []setting{
		{"busy_timeout", "5000"}, {"cell_size_check", "1"}, {"trusted_schema", "0"}, {"mmap_size", "0"},
		{"query_only", "1"}, {"cache_size", fmt.Sprint(-readerCache)},
	}
	if err := configure(c, list); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// OpenReadOnly opens the store in dir for the verbs that only read, whether the
// daemon has it open or not. Nothing is created, moved or locked. ErrNotFound:
// there is no store; ErrNewer; ErrUnavailable: it cannot be read (damaged, not permitted).
func OpenReadOnly(ctx context.Context, dir string) (*DB, error) {
	o := Options{Dir: dir, judge: noJudge{}}
	if err := o.fill(); err != nil {
		return nil, err
	}
	d := newDB(o)
	d.readOnly = true
	if !exists(d.file()) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, d.file())
	}
	c, err := openReader(d.file())
	if err != nil {
		return nil, unavailable(err)
	}
	err = d.loadForReading(c)
	_ = c.Close()
	if err != nil {
		return nil, unavailableUnless(err, ErrNewer)
	}
	d.readers.open(func() (*conn, error) { return openReader(d.file()) })
	return d, nil
}

// OpenTemporary opens a store of its own for `check` and `replay`: in a new folder
// below o.Dir (or the system's), nothing durable, no outbox, keys in memory,
// everything removed by Close. o.Grace does not matter: ReleaseAll ends it.
func OpenTemporary(_ context.Context, o Options) (*DB, error) {
	parent := o.Dir
	o.Dir = "temporary"
	if err := o.fill(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "yuanlu-check-")
	if err != nil {
		return nil, fmt.Errorf("ledger: temporary store: %w", err)
	}
	o.Dir = dir
	d := newDB(o)
	d.temporary = true
	d.keys = temporaryKeys(nil)
	if err := d.openTemporaryFile(); err != nil {
		_ = removeTemporary(dir)
		return nil, err
	}
	return d, nil
}

func (d *DB) openTemporaryFile() error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	plain, err := sqlite.OpenPlain(d.file(), sqlite.ReadWrite)
	if err != nil {
		return err
	}
	c := &conn{Conn: plain}
	if err = configure(c, settings("OFF", temporaryCache, true)); err == nil {
		if err = migrate(c, steps); err == nil {
			err = d.load(c)
		}
	}
	if err != nil {
		_ = c.Close()
		return err
	}
	d.w = c
	return nil
}

func removeTemporary(dir string) error { return os.RemoveAll(dir) }

// noJudge stands where nothing is ever judged.
type noJudge struct{}

func (noJudge) Apply(refund.History, int64, refund.Record) (refund.Changes, error) {
	return refund.Changes{}, ErrReadOnly
}

func (noJudge) Redated(refund.History, []int64) (refund.Changes, error) {
	return refund.Changes{}, ErrReadOnly
}

func (noJudge) SupposedOriginal(refund.History, int64) (int64, error) { return 0, ErrReadOnly }

func (noJudge) Foresee(refund.History, int64, *refund.Ask) (refund.Foreseen, error) {
	return refund.Foreseen{}, ErrReadOnly
}

func (noJudge) Release(refund.History, int64) (refund.Changes, error) {
	return refund.Changes{}, ErrReadOnly
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// classOf adds to an error of the file system the class it belongs to.
func classOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, ErrDiskFull, err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS):
		return unavailable(err)
	}
	return err
}

// unavailableUnless is unavailable but for errors of these classes.
func unavailableUnless(err error, classes ...error) error {
	for _, c := range classes {
		if errors.Is(err, c) {
			return err
		}
	}
	return unavailable(err)
}

// dropPageCache has the kernel forget what it holds of the closed store, so that
// the check after an I/O error reads the disk: after a failed fsync the pages in
// memory are marked clean whether they were written or not. No connection is
// open then, so no lock can be lost by opening the files.
func dropPageCache(path string) {
	for _, name := range []string{path, path + "-wal"} {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		_ = f.Close()
	}
}
