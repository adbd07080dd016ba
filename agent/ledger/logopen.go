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

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/ledger/tree"
	"yuanlu/agent/newfile"
	"yuanlu/agent/refund"
	"yuanlu/protocol/evidence"
)

// logVersion is the schema version from which on a store has a log.
const logVersion = 10

// Names in meta.
const (
	logOriginName    = "log.origin"
	logKeyName       = "log.key"       // its vkey
	logAfterName     = "log.after"     // evidenceLog.after
	logCosignedName  = "log.cosigned"  // the newest note that the desk co-signed
	logAnchorName    = "log.anchor"    // the desk's note of the newest anchor
	logAnchoredName  = "log.anchored"  // when that was, ms
	logForgottenName = "log.forgotten" // leaves up to this number have no bytes, but for leaf 0 and those of records
	logWhyName       = "log.why"       // why the next log begins, where that is known before
	logBeforeName    = "log.before"    // likewise the newest checkpoint of the log before
)

// Reasons why a log begins (evidence.md § 1).
const (
	logNew          = "new"
	logSalvage      = "salvage"
	logImport       = "import"
	logNewKey       = "key"
	logContradicted = "contradicted"
	logByHand       = "by_hand"
)

// loadLog reads which log the store has.
func (d *DB) loadLog(c *conn) (err error) {
	d.log = evidenceLog{}
	if version, err := c.version(); err != nil || version < logVersion {
		return err
	}
	if d.log.origin, err = metaText(c, logOriginName); err == nil {
		d.log.after, err = metaInt(c, logAfterName)
	}
	return err
}

// beginLog begins a new log in this transaction. before is the newest checkpoint known of the log
// before, or "".
func (t *tx) beginLog(key *evidence.Signer, why, before string) error {
	for _, table := range []string{"leaf", "tile", "cosigned"} {
		if err := t.c.Do(`DELETE FROM ` + table); err != nil {
			return err
		}
	}
	if err := t.c.Do(`DELETE FROM meta WHERE name LIKE 'log.%'`); err != nil {
		return err
	}
	origin := "yuanlu/" + t.d.o.Terminal + "/" + randomID()
	signer, err := key.Named(origin)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{logOriginName: origin, logKeyName: signer.Key(evidence.KeyLog).String()} {
		if err := setMeta(t.c, name, value); err != nil {
			return err
		}
	}
	if err := setMetaInt(t.c, logAfterName, t.n.seq); err != nil {
		return err
	}
	was := t.d.log
	t.undo(func() { t.d.log = was; t.d.log.edge = nil })
	t.d.log = evidenceLog{origin: origin, signer: signer, after: t.n.seq, edge: &tree.Edge{}}
	t.after(func() { t.d.logBegun(origin, why) })
	return t.logLeaf(evidence.LeafNote, refNone, evidence.AppendLog(nil, why, before))
}

// openLog makes sure that a store that was opened has a log, under its key, and that this log
// contains the note that is kept beside the database.
func (d *DB) openLog(ctx context.Context) error {
	if version, err := d.w.version(); err != nil || version < logVersion {
		return err
	}
	vkey, err := metaText(d.w, logKeyName)
	if err != nil {
		return err
	}
	if err := d.settleLogKey(vkey); err != nil {
		return err
	}
	why, before, err := d.logEnds(vkey)
	if err != nil {
		return err
	}
	if why != "" {
		return d.restartLog(why, before)
	}
	if d.log.signer, err = d.keys.log.Named(d.log.origin); err != nil {
		return err
	}
	if d.log.edge, err = loadEdge(d.w, d.log.after); lacksLeaves(err) {
		d.o.Log.LogAttrs(ctx, slog.LevelError, "log.incomplete", slog.String("error", err.Error()))
		return d.restartLog(logContradicted, before)
	} else if err != nil {
		return err
	}
	note, err := d.readCosigned()
	if err != nil || note == "" {
		return err
	}
	if contradicts, err := d.contradictedBy(note); err != nil || !contradicts {
		return err
	}
	return d.restartLog(logContradicted, note)
}

// logEnds returns why a new log must begin, "": it need not, and the newest checkpoint known of the
// log before.
func (d *DB) logEnds(vkey string) (why, before string, err error) {
	if before, err = metaText(d.w, logCosignedName); err != nil {
		return "", "", err
	}
	if (d.log.origin == "") != (vkey == "") { // both are written in one transaction
		return "", "", fmt.Errorf("%w: the evidence log has lost its origin or its key", sqlite.ErrDamaged)
	}
	if d.log.origin == "" {
		if why, err = metaText(d.w, logWhyName); err == nil && why == "" {
			why = logNew
		}
		if err == nil {
			before, err = metaText(d.w, logBeforeName)
		}
		return why, before, err
	}
	if of, _ := evidence.TerminalOf(d.log.origin); of != d.o.Terminal {
		return logByHand, before, nil // the terminal has another id now
	}
	signer, err := d.keys.log.Named(d.log.origin)
	if err != nil {
		return "", "", err
	}
	if signer.Key(evidence.KeyLog).String() != vkey {
		return logNewKey, before, nil
	}
	return "", "", nil
}

// lacksLeaves reports whether an error means that rows of the log are gone or changed, in a database
// whose pages are whole.
func lacksLeaves(err error) bool {
	var row *rows.Error
	return errors.As(err, &row)
}

// newKey reports whether a log that begins for this reason has a key of its own.
func newKey(why string) bool { return why == logImport || why == logContradicted }

// restartLog begins a new log, durably. A new key is on the disk before the log that is signed by it,
// and takes the other's place after it.
func (d *DB) restartLog(why, before string) error {
	key := d.keys.log
	if newKey(why) {
		var err error
		if key, err = newLogKey(d.o.Terminal); err != nil {
			return err
		}
		if err := classOf(writeFile(d.logKeyFile()+nextEnd, []byte(key.PrivateLine()+"\n"))); err != nil {
			return err
		}
	}
	if err := classOf(removeFile(d.cosignedFile())); err != nil {
		return err
	}
	err := d.transact(func(t *tx) error {
		if err := t.beginLog(key, why, before); err != nil || why != logContradicted {
			return err
		}
		return t.queueContradicted(before)
	})
	if err != nil {
		return err
	}
	d.o.step("log.begun")
	return d.settleLogKey(d.log.signer.Key(evidence.KeyLog).String())
}

// queueContradicted queues the event log.contradicted.
func (t *tx) queueContradicted(note string) error {
	data, err := outbox.Marshal(map[string]any{"checkpoint": note, "origin": t.d.log.origin})
	if err != nil {
		return err
	}
	return t.out.QueueEvent(refund.Notice{Type: "log.contradicted", Subject: "log", Time: t.d.o.Now(), ClockSynced: t.n.synced, Data: data})
}

// RestartLog begins a new log because a person orders it (evidence.md § 3).
func (d *DB) RestartLog(ctx context.Context) error {
	if d.readOnly {
		return ErrReadOnly
	}
	return d.withWriter(ctx, func(c *conn) error {
		if d.log.origin == "" {
			return ErrNoLog
		}
		before, err := metaText(c, logCosignedName)
		if err != nil {
			return err
		}
		return d.restartLog(logByHand, before)
	})
}

// ErrNoLog: the store has no log, because it is of an earlier version that could not be replaced yet.
var ErrNoLog = errors.New("ledger: the store has no evidence log yet")

// cosignedFile holds the newest co-signed note, beside the database.
const cosignedFile = "cosigned"

func (d *DB) cosignedFile() string { return filepath.Join(d.dir, cosignedFile) }

// readCosigned returns the note that is kept beside the database, "": none that is readable.
func (d *DB) readCosigned() (string, error) {
	b, err := os.ReadFile(d.cosignedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.ToValidUTF8(string(b), ""), classOf(err)
}

// removeFile removes a file durably; that it is not there is no error.
func removeFile(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = newfile.SyncDir(filepath.Dir(path))
	}
	return err
}
