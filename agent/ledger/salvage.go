package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"yuanlu/agent/refund"
)

// What happens with a damaged store (topics.md, rule 9):
//
//  1. a folder quarantine/<time>-<id>/ with a file "pending" that says "moving";
//  2. yuanlu.db and its WAL are moved there; "pending" says "building";
//  3. yuanlu.db.new is built: every record that can be read is judged again in its
//     order, under its number and case id; wire memory, events and quarantined
//     entries that can be read are copied; the stream is a new one, so every case
//     is told again in it;
//  4. yuanlu.db.new becomes yuanlu.db, "pending" is removed.
//
// An opening that finds "pending" goes on from there.
const (
	quarantineDir = "quarantine"
	pendingFile   = "pending"
	buildFile     = storeFile + ".new"

	stageMoving   = "moving"
	stageBuilding = "building"
)

// salvage replaces the damaged store by what can be read of it.
func (d *DB) salvage(ctx context.Context, why error) error {
	now := d.o.Now()
	d.o.Log.LogAttrs(ctx, slog.LevelError, "store.damaged", slog.String("error", why.Error()))
	q, err := makeQuarantine(d.dir, now)
	if err != nil {
		return classOf(err)
	}
	d.lock.clean() // from here on there need be no WAL
	d.o.step("salvage.begin")
	if err := writeFile(filepath.Join(q, pendingFile), []byte(stageMoving+"\n"+clip(why.Error(), 300)+"\n")); err != nil {
		return classOf(err)
	}
	d.o.step("salvage.pending")
	return d.finishSalvage(ctx, q, stageMoving, clip(why.Error(), 300))
}

// resumeSalvage goes on with a salvage that was cut short.
func (d *DB) resumeSalvage(ctx context.Context) error {
	pending, err := filepath.Glob(filepath.Join(d.dir, quarantineDir, "*", pendingFile))
	if err != nil {
		return err
	}
	for _, p := range pending {
		b, err := os.ReadFile(p)
		if err != nil {
			return classOf(err)
		}
		stage, why := splitLine(string(b))
		if err := d.finishSalvage(ctx, filepath.Dir(p), stage, why); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) finishSalvage(ctx context.Context, q, stage, why string) error {
	pending := filepath.Join(q, pendingFile)
	if stage != stageBuilding {
		for _, name := range []string{storeFile, storeFile + "-wal"} {
			err := os.Rename(filepath.Join(d.dir, name), filepath.Join(q, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return classOf(err)
			}
		}
		_ = os.Remove(d.file() + "-shm") // is made anew from the WAL
		if err := errors.Join(syncDir(q), syncDir(d.dir)); err != nil {
			return classOf(err)
		}
		d.o.step("salvage.moved")
		if err := writeFile(pending, []byte(stageBuilding+"\n"+why+"\n")); err != nil {
			return classOf(err)
		}
	}
	note := DamageNote{What: storeFile, Why: why, Moved: q, When: d.o.Now()}
	if !exists(d.file()) {
		d.o.step("salvage.build")
		if err := d.rebuild(ctx, q, &note); err != nil {
			return err
		}
	}
	d.o.step("salvage.built")
	if err := os.Remove(pending); err != nil {
		return classOf(err)
	}
	if err := syncDir(q); err != nil {
		return classOf(err)
	}
	d.queue.mu.Lock()
	d.damage = append(d.damage, note)
	d.queue.mu.Unlock()
	return nil
}

// rebuild builds the new store from what can be read in q.
func (d *DB) rebuild(ctx context.Context, q string, note *DamageNote) error {
	path := filepath.Join(d.dir, buildFile)
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + end)
	}
	old, bare := openDamaged(filepath.Join(q, storeFile))
	defer func() { _, _ = old.close(), bare.close() }()
	c, err := openConn(path, openWrite)
	if err != nil {
		return err
	}
	err = d.fillRebuilt(ctx, c, &salvager{d: d, old: old, bare: bare}, note)
	if err == nil {
		// Everything into the file itself, synced, before it gets its name.
		err = c.exec("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
	}
	d.w, d.held = nil, nil
	if e := c.close(); err == nil {
		err = e
	}
	d.o.step("salvage.rename")
	if err == nil {
		err = classOf(os.Rename(path, d.file()))
	}
	if err == nil {
		err = classOf(syncDir(d.dir))
	}
	return err
}

// openDamaged opens what may not be a database at all, once with the sums of its pages
// and once without; nil if nothing of it can be read.
func openDamaged(path string) (old, bare *conn) {
	for _, path := range []func() (string, error){func() (string, error) { return path, nil }, func() (string, error) { return patchFirstPage(path) }} {
		file, err := path()
		if err != nil {
			break
		}
		if old = tryDamaged(file, openConn); old != nil {
			return old, tryDamaged(file, openPlain)
		}
	}
	return nil, nil
}

func tryDamaged(path string, open func(string, openMode) (*conn, error)) (c *conn) {
	tables, err := int64(0), error(nil)
	defer func() {
		if recover() != nil || err != nil || tables != 1 {
			_ = c.close()
			c = nil
		}
	}()
	if !exists(path) {
		return nil
	}
	if c, err = open(path, openRead); err != nil {
		return c
	}
	// writable_schema: a file shorter than its header says is read as far as it goes.
	// Nothing is written: the connection is read-only.
	if err = c.exec("PRAGMA writable_schema = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA busy_timeout = 5000"); err != nil {
		return c
	}
	if err = checkSchema(c); err != nil {
		return c
	}
	tables, _, err = c.queryInt(`SELECT count(*) FROM sqlite_schema WHERE name = 'record'`)
	return c
}

func (d *DB) fillRebuilt(ctx context.Context, c *conn, s *salvager, note *DamageNote) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	if err := c.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if err := configure(c, settings("NORMAL", writerCache, false)); err != nil {
		return err
	}
	if err := migrate(c, steps); err != nil {
		return err
	}
	d.held, d.links = nil, nil
	if err := d.load(c); err != nil {
		return err
	}
	if s.old == nil {
		return nil
	}
	d.w, d.rebuilding = c, true
	defer func() { d.rebuilding = false }()
	return s.run(ctx, note)
}

// makeQuarantine makes a new folder below quarantine/.
func makeQuarantine(dir string, now time.Time) (string, error) {
	top := filepath.Join(dir, quarantineDir)
	if err := makeDir(top); err != nil {
		return "", err
	}
	q := filepath.Join(top, now.UTC().Format("20060102T150405Z")+"-"+randomID()[18:])
	return q, makeDir(q)
}

// moveAside moves one file into a quarantine folder of its own.
func moveAside(dir string, now time.Time, path string) (string, error) {
	q, err := makeQuarantine(dir, now)
	if err != nil {
		return "", err
	}
	to := filepath.Join(q, filepath.Base(path))
	if err := os.Rename(path, to); err != nil {
		return "", err
	}
	return to, errors.Join(syncDir(q), syncDir(filepath.Dir(path)))
}

func splitLine(s string) (first, second string) {
	for i := range len(s) {
		if s[i] == '\n' {
			first, second = s[:i], s[i+1:]
			break
		}
	}
	for i := range len(second) {
		if second[i] == '\n' {
			return first, second[:i]
		}
	}
	return first, second
}

// tellDamage queues an event for each damage that has not been told yet.
func (d *DB) tellDamage(ctx context.Context) error {
	for ; d.toldDamage < len(d.damage); d.toldDamage++ {
		n := d.damage[d.toldDamage]
		data, err := marshal(map[string]any{"what": n.What, "why": n.Why, "moved": n.Moved, "kept": n.Kept, "lost": n.Lost})
		if err != nil {
			return err
		}
		err = d.transact(func(t *tx) error {
			return t.queueEvent(refund.Notice{Type: "store.damaged", Subject: "store", Time: n.When, ClockSynced: t.n.synced, Data: data})
		})
		if err != nil {
			return fmt.Errorf("ledger: telling the damage: %w", err)
		}
	}
	return nil
}
