package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/newfile"
)

// upgradeFile is the copy that an upgrade builds.
const upgradeFile = storeFile + ".upgrade"

// upgrade replaces a store of version 1, whose pages have no sums, by a copy of which
// they have: checked whole before it is copied and afterwards, on the disk before it
// gets the store's name. Until then nothing of the old one is changed, so a kill at any
// moment leaves one or the other; what was begun is thrown away and begun again. Where
// there is no room for the copy, or another process is reading the store, the store stays
// as it is for this time and the next opening tries again.
func (d *DB) upgrade(ctx context.Context) error {
	to := filepath.Join(d.dir, upgradeFile)
	for _, end := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(to + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return classOf(err)
		}
	}
	if plain, err := sqlite.WithoutSums(d.file()); err != nil || !plain {
		return classOf(err)
	}
	began := d.o.Now()
	err := d.copyWithSums(to)
	switch {
	case errors.Is(err, errUpgradeLater), errors.Is(err, ErrDiskFull):
		_ = os.Remove(to)
		d.o.Log.LogAttrs(ctx, slog.LevelWarn, "store.upgrade_later", slog.String("error", err.Error()))
		return nil
	case err != nil:
		return err
	}
	d.o.Log.LogAttrs(ctx, slog.LevelInfo, "store.upgraded", slog.Int("version", sqlite.SummedVersion),
		slog.Int64("bytes", fileSize(d.file())), slog.Duration("took", d.o.Now().Sub(began)))
	return nil
}

// errUpgradeLater: the store is not to be replaced now.
var errUpgradeLater = errors.New("ledger: the store is being read")

// copyWithSums is the whole of it. The old store is closed when it is renamed over.
func (d *DB) copyWithSums(to string) (err error) {
	c, err := openConn(d.file(), sqlite.ReadWrite)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.KeepWAL() // evidence stays as it is, and what the lock holds about the WAL is true
		}
		err = errors.Join(err, c.Close())
	}()
	if err := configure(c, settings("FULL", writerCache, false)); err != nil {
		return err
	}
	if version, _, err := c.Int("PRAGMA user_version"); err != nil || version != sqlite.SummedVersion-1 {
		return err // its making was cut short, or not a store: the opening sees to it
	}
	if err := check(c, everything); err != nil {
		return err
	}
	d.o.step("upgrade.copy")
	if err := c.copyInto(to); err != nil {
		return err
	}
	if err := finishCopy(to); err != nil {
		return err
	}
	d.o.step("upgrade.copied")
	d.lock.opened() // how far the WAL went is of no use from here on
	if busy, _, err := c.Int("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil || busy != 0 {
		return errors.Join(err, errUpgradeLater)
	}
	d.lock.clean() // from here on there need be no WAL
	if err := c.Close(); err != nil {
		return err
	}
	d.o.step("upgrade.rename")
	// Nothing of the old store is left in them, and the new one must not take them for its own.
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(d.file() + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return classOf(err)
		}
	}
	if err := errors.Join(newfile.SyncDir(d.dir), os.Rename(to, d.file()), newfile.SyncDir(d.dir)); err != nil {
		return classOf(err)
	}
	d.o.step("upgrade.renamed")
	return nil
}

// copyInto writes the whole database into a new file, whose pages have sums.
func (c *conn) copyInto(path string) error {
	return c.Do("VACUUM INTO ?1", path)
}

// finishCopy brings a copy to the schema version of what it has, checks it and makes it
// durable.
func finishCopy(path string) error {
	c, err := openConn(path, sqlite.ReadWrite)
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err == nil {
		err = migrate(c, steps)
	}
	if err == nil && !c.Summed() {
		err = fmt.Errorf("ledger: upgrade: the pages of the copy have no sums")
	}
	if err == nil {
		err = check(c, everything)
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return err
	}
	return classOf(syncFile(path))
}

// mayMigrateTo returns the version up to which a store that is there is brought where it
// lies: without sums never to one that promises them.
func (c *conn) mayMigrateTo(newest int) int {
	if c.Summed() {
		return newest
	}
	return min(newest, sqlite.SummedVersion-1)
}
