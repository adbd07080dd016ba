package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// foundFile lies in each folder of quarantine/ and is the DamageNote about it, as JSON.
const foundFile = "found.json"

// Bounds of what FoundDamage reads.
const (
	mostFound     = 16      // folders
	longestFound  = 4 << 10 // bytes of a note
	longestInNote = 300     // bytes of a text in it
)

// DamageNote is one thing that opening the store found damaged (topics.md rule 9).
type DamageNote struct {
	What  string    // "yuanlu.db", "keys/token", …
	Why   string    // what was found, without any value
	Moved string    // where it lies now, "" if it was missing
	Kept  int64     // records that were read from it
	Lost  int64     // records known to be missing
	When  time.Time // by the agent's clock
}

// OfRecords reports whether Kept and Lost count anything: the note is about a database
// that was read, not about what stood in its place.
func (n *DamageNote) OfRecords() bool {
	return n.What == storeFile && filepath.Base(n.Moved) != storeFile
}

// Whole reports whether all records of a damaged database were kept.
func (n *DamageNote) Whole() bool { return n.OfRecords() && n.Kept > 0 && n.Lost == 0 }

// keepNote writes the note into the folder of quarantine/ that it is about, or into one
// made for it, so that it is known as long as that folder lies there.
func (d *DB) keepNote(n DamageNote) error {
	q := d.quarantineOf(n.Moved)
	if q == "" {
		var err error
		if q, err = makeQuarantine(d.dir, n.When); err != nil {
			return err
		}
	}
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(q, foundFile), b)
}

// quarantineOf is the folder of quarantine/ that path is or lies in, "" if none.
func (d *DB) quarantineOf(path string) string {
	top := filepath.Join(d.dir, quarantineDir)
	for _, q := range []string{path, filepath.Dir(path)} {
		if filepath.Dir(q) == top {
			return q
		}
	}
	return ""
}

// FoundDamage returns what was found damaged in the store in dir, by this process or one
// before it, and still lies in quarantine/: the newest 16, the newest first. Somebody who
// moves a folder away from there has taken note of it. It reads files only, also of a
// store that cannot be opened.
func FoundDamage(dir string) []DamageNote {
	top := filepath.Join(dir, quarantineDir)
	folders, err := os.ReadDir(top)
	if err != nil { // mostly there is none
		return nil
	}
	folders = slices.DeleteFunc(folders, func(e fs.DirEntry) bool { return !e.IsDir() })
	folders = folders[max(0, len(folders)-mostFound):] // their names begin with the time
	var found []DamageNote
	for _, folder := range folders {
		q := filepath.Join(top, folder.Name())
		if exists(filepath.Join(q, pendingFile)) {
			continue // its salvage is not finished
		}
		n, err := readNote(filepath.Join(q, foundFile))
		if err != nil {
			n = DamageNote{What: quarantineDir + "/" + folder.Name(), Why: "what was lost with it is not known"}
			if info, err := folder.Info(); err == nil {
				n.When = info.ModTime()
			}
		}
		if n.Moved == "" || !exists(n.Moved) { // the whole store may have been moved
			n.Moved = filepath.Join(q, filepath.Base(n.Moved))
		}
		if !exists(n.Moved) {
			n.Moved = q
		}
		found = append(found, n)
	}
	slices.SortStableFunc(found, func(a, b DamageNote) int { return cmp.Or(b.When.Compare(a.When), cmp.Compare(b.Moved, a.Moved)) })
	return found
}

// readNote reads a note; it may have been written by anybody.
func readNote(path string) (n DamageNote, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return n, err
	}
	b, err := io.ReadAll(io.LimitReader(f, longestFound))
	if err = errors.Join(err, f.Close()); err == nil {
		err = json.Unmarshal(b, &n)
	}
	n.What, n.Why, n.Moved = clip(n.What, longestInNote), clip(n.Why, longestInNote), clip(n.Moved, longestFound)
	n.Kept, n.Lost = max(n.Kept, 0), max(n.Lost, 0)
	return n, err
}
