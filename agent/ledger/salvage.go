package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/salvage"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/newfile"
	"yuanlu/agent/refund"
)

// What happens with a damaged store (topics.md rule 9):
//
//  1. a folder quarantine/<time>-<id>/ with a file "pending" that holds "moving";
//  2. yuanlu.db and its WAL are moved there; "pending" holds "building";
//  3. yuanlu.db.new is built: every record that can be read is judged again in its
//     order, under its number and case id; wire memory, events and cases whose refund is
//     lost are copied; the stream is a new one, so every case is published again in it
//     (doc.go, Salvage);
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

// salvageNote is what the file "pending" of a salvage holds, a line each: the stage, the
// reason, and how the process before had left the store (two lines as in the lock).
type salvageNote struct {
	stage, why string
	left       leftOpen
}

func (n salvageNote) text() string { return n.stage + "\n" + n.why + "\n" + n.left.text() }

// parseSalvageNote reads it; what is not readable is left out.
func parseSalvageNote(text string) (n salvageNote) {
	n.stage, text, _ = strings.Cut(text, "\n")
	n.why, text, _ = strings.Cut(text, "\n")
	n.left, _ = parseLeft(text)
	return n
}

// salvage replaces the damaged store by what can be read of it.
func (d *DB) salvage(ctx context.Context, why error) error {
	d.o.Log.LogAttrs(ctx, slog.LevelWarn, "store.salvage", slog.String("why", why.Error()))
	q, err := makeQuarantine(d.dir, d.o.Now())
	if err != nil {
		return classOf(err)
	}
	n := salvageNote{stage: stageMoving, why: strings.ReplaceAll(clip(why.Error(), 300), "\n", " "), left: d.lock.left}
	d.o.step("salvage.begin")
	if err := writeFile(filepath.Join(q, pendingFile), []byte(n.text())); err != nil {
		return classOf(err)
	}
	d.o.step("salvage.pending")
	return d.finishSalvage(ctx, q, n)
}

// resumeSalvage goes on with a salvage that was cut short.
func (d *DB) resumeSalvage(ctx context.Context) error {
	pending, err := filepath.Glob(filepath.Join(d.dir, quarantineDir, "*", pendingFile))
	if err != nil {
		return err
	}
	for _, p := range pending {
		why, err := obstacle(p, aFile)
		if err != nil {
			return classOf(err)
		}
		n := salvageNote{stage: stageBuilding, why: "what was being done about it is not readable"}
		if why != "" { // what lies beside it counts as moved
			err = os.Rename(p, p+"-"+onceName(d.o.Now()))
		} else {
			var b []byte
			b, err = os.ReadFile(p)
			if is := parseSalvageNote(string(b)); is.stage == stageMoving || is.stage == stageBuilding {
				n = is
			}
		}
		if err != nil {
			return classOf(err)
		}
		if err := d.finishSalvage(ctx, filepath.Dir(p), n); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) finishSalvage(ctx context.Context, q string, n salvageNote) error {
	pending := filepath.Join(q, pendingFile)
	if n.stage != stageBuilding {
		for _, name := range []string{storeFile, storeFile + "-wal"} {
			err := os.Rename(filepath.Join(d.dir, name), filepath.Join(q, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return classOf(err)
			}
		}
		_ = os.Remove(d.file() + "-shm") // is made again from the WAL
		if err := errors.Join(newfile.SyncDir(q), newfile.SyncDir(d.dir)); err != nil {
			return classOf(err)
		}
		d.o.step("salvage.moved")
		n.stage = stageBuilding
		if err := writeFile(pending, []byte(n.text())); err != nil {
			return classOf(err)
		}
	}
	d.lock.clean() // from here on there need be no WAL
	note := DamageNote{What: storeFile, Why: n.why, Moved: q, When: d.o.Now()}
	if exists(d.file()) { // built before the process ended
		if was, err := readNote(filepath.Join(q, foundFile)); err == nil {
			note.Kept, note.Lost, note.When = was.Kept, was.Lost, was.When
		}
	} else {
		d.o.step("salvage.build")
		if err := d.rebuild(ctx, q, n.left, &note); err != nil {
			return err
		}
	}
	d.o.step("salvage.built")
	if err := os.Remove(pending); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return classOf(err)
	}
	if err := newfile.SyncDir(q); err != nil {
		return classOf(err)
	}
	d.noteDamage(note)
	return nil
}

// rebuild builds the new store from what can be read in q.
func (d *DB) rebuild(ctx context.Context, q string, left leftOpen, note *DamageNote) error {
	path := filepath.Join(d.dir, buildFile)
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + end)
	}
	old := salvage.Find(filepath.Join(q, storeFile), left.open, left.mark, d.o.Now().Location())
	defer old.Close()
	note.Kept, note.Lost = old.Kept, old.Lost
	c, err := openConn(path, sqlite.ReadWrite)
	if err != nil {
		return err
	}
	err = d.fillRebuilt(ctx, c, old)
	if err == nil {
		// Everything into the file itself, synced, before it gets its name.
		err = c.Script("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
	}
	d.w, d.unreleased = nil, nil
	if e := c.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = classOf(d.keepNote(*note)) // before the name: what was counted is not known later
	}
	d.o.step("salvage.rename")
	if err == nil { // it is of the log before; from here on it would contradict the new one
		err = classOf(removeFile(d.cosignedFile()))
	}
	if err == nil {
		err = classOf(os.Rename(path, d.file()))
	}
	if err == nil {
		err = classOf(newfile.SyncDir(d.dir))
	}
	return err
}

func (d *DB) fillRebuilt(ctx context.Context, c *conn, old *salvage.Found) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	if err := c.Script("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if err := configure(c, settings("NORMAL", writerCache, false)); err != nil {
		return err
	}
	if err := migrate(c, steps); err != nil {
		return err
	}
	d.unreleased, d.links = nil, nil
	if err := d.load(c); err != nil {
		return err
	}
	d.w, d.rebuilding = c, true
	defer func() { d.rebuilding = false }()
	return (&salvager{d, old}).run(ctx)
}

// makeQuarantine makes a new folder below quarantine/.
func makeQuarantine(dir string, now time.Time) (string, error) {
	top := filepath.Join(dir, quarantineDir)
	if err := makeDir(top); err != nil {
		return "", err
	}
	q := filepath.Join(top, onceName(now))
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
		_ = os.Remove(q)
		return "", err
	}
	return to, errors.Join(newfile.SyncDir(q), newfile.SyncDir(filepath.Dir(path)))
}

// publishDamage queues an event for each damage that has none yet.
func (d *DB) publishDamage() error {
	for ; d.damagePublished < len(d.damage); d.damagePublished++ {
		n := d.damage[d.damagePublished]
		if !n.OfRecords() { // a salvage has kept its own
			if err := d.keepNote(n); err != nil {
				return fmt.Errorf("ledger: keeping the note of the damage: %w", classOf(err))
			}
		}
		data, err := outbox.Marshal(map[string]any{"what": n.What, "why": n.Why, "moved": n.Moved, "kept": n.Kept, "lost": n.Lost})
		if err != nil {
			return err
		}
		err = d.transact(func(t *tx) error {
			return t.out.QueueEvent(refund.Notice{Type: "store.damaged", Subject: "store", Time: n.When, ClockSynced: t.n.synced, Data: data})
		})
		if err != nil {
			return fmt.Errorf("ledger: telling the damage: %w", err)
		}
	}
	return nil
}
