package ledger

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yuanlu/agent/newfile"
	"yuanlu/protocol/evidence"
)

// The key of the evidence log lies in keys/evidence, as one line in the form of sumdb/note. It is in
// no export and no bundle. A log that begins with a new key has it in keys/evidence.next first: until
// the log is committed the other one stands, from then on this one.
const (
	logKeyPlace = "evidence"
	nextEnd     = ".next"
)

func (d *DB) logKeyFile() string { return filepath.Join(d.dir, "keys", logKeyPlace) }

// newLogKey makes a key.
func newLogKey(terminal string) (*evidence.Signer, error) {
	seed := newSecret()
	return evidence.NewSigner("yuanlu/"+terminal, seed)
}

// loadLogKey reads the key of the log below dir, or makes it. One that is not readable is moved to
// quarantine.
func loadLogKey(dir, terminal string, now time.Time) (*evidence.Signer, []DamageNote, error) {
	path := filepath.Join(dir, "keys", logKeyPlace)
	b, err := os.ReadFile(path)
	var notes []DamageNote
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, keyError("read", path, err)
	default:
		if key, err := evidence.ParseSigner(strings.TrimSuffix(string(b), "\n")); err == nil {
			if err := os.Chmod(path, 0o600); err != nil {
				return nil, nil, keyError("protect", path, err)
			}
			return key, nil, nil
		}
		moved, err := moveAside(dir, now, path)
		if err != nil {
			return nil, nil, keyError("move aside", path, err)
		}
		notes = append(notes, DamageNote{What: "keys/" + logKeyPlace, Why: "unreadable", Moved: moved, When: now})
	}
	key, err := newLogKey(terminal)
	if err == nil {
		err = writeFile(path, []byte(key.PrivateLine()+"\n"))
	}
	if err != nil {
		return nil, nil, keyError("write", path, err)
	}
	return key, notes, nil
}

// settleLogKey finishes what a new key was begun for: it takes its place if the log of the store is
// signed by it, else it goes.
func (d *DB) settleLogKey(vkey string) error {
	next := d.logKeyFile() + nextEnd
	b, err := os.ReadFile(next)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return classOf(err)
	}
	key, bad := evidence.ParseSigner(strings.TrimSuffix(string(b), "\n"))
	of, badKey := evidence.ParseKey(vkey, evidence.KeyLog)
	if bad != nil || badKey != nil || !of.Public.Equal(key.Key(evidence.KeyLog).Public) {
		return classOf(removeFile(next))
	}
	if err := os.Rename(next, d.logKeyFile()); err != nil {
		return classOf(err)
	}
	d.keys.log = key
	return classOf(newfile.SyncDir(filepath.Dir(next)))
}

// logBegun logs that a log was begun.
func (d *DB) logBegun(origin, why string) {
	level := slog.LevelWarn
	if why == logNew {
		level = slog.LevelInfo
	}
	d.o.Log.LogAttrs(context.Background(), level, "log.begun", slog.String("origin", origin), slog.String("why", why))
}
