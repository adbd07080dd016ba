package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"yuanlu/agent/ledger/carry"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/newfile"
)

// importFolder is where Import builds a store, below the store's own folder.
const importFolder = "import"

// Import builds the store in o.Dir from what Export wrote. There must be no store,
// or one without records; what keys it had are replaced. Of o only Dir, Mount, Now
// and Log are used. It begins a new stream: cases that were not yet acknowledged are
// published in it, from sequence 1 on; those that were are not published again. progress is
// called with how many of how many rows are read; it may be nil.
//
// All is built and checked beside the store before anything of it is touched: after
// an error nothing is left. Killed on the way, it leaves the store that was there,
// or an empty one that Import takes, or the new one.
//
// Errors: ErrCarried, ErrNotEmpty, ErrNewer, ErrLocked, ErrNotMounted, ErrUnavailable.
func Import(ctx context.Context, o Options, r io.Reader, progress func(done, all int64)) (err error) {
	o.judge = noJudge{}
	if err := o.fill(); err != nil {
		return err
	}
	if o.Mount != "" {
		if err := proveMount(o.Mount, o.Dir); err != nil {
			return err
		}
	}
	made := !exists(o.Dir)
	if err := makeDir(o.Dir); err != nil {
		return fmt.Errorf("ledger: folder: %w", classOf(err))
	}
	lock, notes, err := lockStore(o.Dir, o.Now())
	if err != nil {
		return classOf(err)
	}
	logDamage(o.Log, notes)
	defer func() {
		lock.release()
		if made && err != nil {
			_ = os.RemoveAll(o.Dir)
		}
	}()
	if err := provedEmpty(o.Dir); err != nil {
		return err
	}
	dir := filepath.Join(o.Dir, importFolder)
	if err := os.RemoveAll(dir); err != nil {
		return classOf(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return classOf(err)
	}
	i := importer{dir: dir, o: &o}
	if i.r, err = carry.NewReader(r, progress); err != nil {
		return err
	}
	if err := i.build(ctx); err != nil {
		return err
	}
	lock.clean() // what it held was of the store that goes
	return classOf(i.install(o.Dir))
}

// provedEmpty makes sure that no record is lost by putting another store in place.
func provedEmpty(dir string) error {
	for _, name := range []string{storeFile, storeFile + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			continue
		}
		c, err := openConn(filepath.Join(dir, storeFile), sqlite.ReadOnly)
		if err != nil {
			return unavailable(err)
		}
		n, _, err := c.Int(`SELECT max(seq) FROM record`)
		var e *sqlite.Error
		if errors.As(err, &e) && e.NoSuchTable() {
			n, err = 0, nil // its making was cut short
		}
		err = errors.Join(err, c.Close())
		switch {
		case err != nil:
			return unavailable(err)
		case n > 0:
			return ErrNotEmpty
		}
	}
	return nil
}

type importer struct {
	dir    string
	o      *Options
	r      *carry.Reader
	c      *conn
	keys   [2][]byte
	stream string
}

// build makes the store in i.dir, whole, checked and on the disk.
func (i *importer) build(ctx context.Context) (err error) {
	steps, err := migrations()
	if err != nil {
		return err
	}
	if i.r.Schema > int64(len(steps)) {
		return fmt.Errorf("%w: %d, this one knows %d", ErrNewer, i.r.Schema, len(steps))
	}
	if i.c, err = openConn(filepath.Join(i.dir, storeFile), sqlite.ReadWrite); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.c.Close()) }()
	// Nothing of it counts before it is whole: no journal, synced once at the end.
	for _, sql := range []string{"PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cell_size_check = 1"} {
		if err := i.c.Script(sql); err != nil {
			return err
		}
	}
	if err := migrate(i.c, steps[:i.r.Schema]); err != nil {
		return err
	}
	if err := i.r.Tables(ctx, i.c.Conn); err != nil {
		return err
	}
	if i.keys, err = i.r.Keys(wholeRing); err != nil {
		return err
	}
	if err := migrate(i.c, steps); err != nil {
		return err
	}
	if err := i.newStream(); err != nil {
		return err
	}
	if err := check(i.c, everything); err != nil {
		return fmt.Errorf("%w: %w", ErrCarried, err)
	}
	return nil
}

// newStream begins a new stream: what waits is numbered from 1 and gets new ids, because
// the ids of events are made from the stream (topics.md, Case event). Events that are
// no cases are about the other terminal and are left out.
func (i *importer) newStream() error {
	ring, _ := parseRing(string(i.keys[1]))
	i.stream = randomID()
	if err := i.c.Begin(); err != nil {
		return err
	}
	if err := i.c.Do(`DELETE FROM outbox WHERE entry >= ?1`, rows.FirstEvent); err != nil {
		return err
	}
	if err := i.c.Do(`DELETE FROM meta WHERE name LIKE 'outbox.%' OR name IN ('day.stream', 'day.last', 'day.acked')`); err != nil {
		return err
	}
	before, err := metaText(i.c, "stream")
	if err != nil {
		return err
	}
	if before != "" {
		if _, err := noteBefore(i.c, before); err != nil {
			return err
		}
	}
	if err := i.endLog(); err != nil {
		return err
	}
	waiting, err := renumber(i.c, ring[0].secret, i.stream)
	if err != nil {
		return err
	}
	if err := setMetaInt(i.c, "outbox.last", waiting); err != nil {
		return err
	}
	if err := setMeta(i.c, "stream", i.stream); err != nil {
		return err
	}
	return i.c.Commit()
}

// endLog leaves to the first opening to begin a new log (evidence.md § 1).
func (i *importer) endLog() error {
	note, err := metaText(i.c, logCosignedName)
	if err != nil {
		return err
	}
	if err := i.c.Do(`DELETE FROM meta WHERE name LIKE 'log.%'`); err != nil {
		return err
	}
	return errors.Join(setMeta(i.c, logWhyName, logImport), setMeta(i.c, logBeforeName, note))
}

// install puts what was built in place of what is there. The marker goes first and
// comes back last: between the two an opening makes an empty store of what is missing.
func (i *importer) install(to string) error {
	for n, name := range []string{tokenFile, caseFile} {
		if err := writeFile(filepath.Join(i.dir, "keys", name), i.keys[n]); err != nil {
			return err
		}
	}
	if err := syncFile(filepath.Join(i.dir, storeFile)); err != nil {
		return err
	}
	if err := makeDir(filepath.Join(to, "keys")); err != nil {
		return err
	}
	i.o.step("import.ready")
	for _, name := range []string{markerFile, storeFile + "-wal", storeFile + "-shm", storeFile} {
		if err := os.Remove(filepath.Join(to, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := newfile.SyncDir(to); err != nil {
		return err
	}
	i.o.step("import.cleared")
	for _, name := range []string{filepath.Join("keys", tokenFile), filepath.Join("keys", caseFile), storeFile} {
		if err := os.Rename(filepath.Join(i.dir, name), filepath.Join(to, name)); err != nil {
			return err
		}
		if err := newfile.SyncDir(filepath.Dir(filepath.Join(to, name))); err != nil {
			return err
		}
		i.o.step("import." + filepath.Base(name))
	}
	return writeFile(filepath.Join(to, markerFile), []byte(i.stream+"\n"))
}

// syncFile makes a file's bytes durable.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
