package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What stands where a file or folder of the store should be and cannot be used as one
// (a folder, a device, a pipe, a symbolic link) is moved into quarantine/ and named in a
// DamageNote (topics.md rule 9). What belongs to another user is no damage: a sound store
// is not set aside for its mode; the opening fails with the remedy. A link to a usable
// folder is let be: keys/ may lie on other storage. A link to a file is not: SQLite
// keeps the WAL beside the file that is meant, and a key file is replaced by renaming.

// want is what a place of the store must hold, if it holds anything.
type want int

const (
	aFile want = iota
	aFolder
)

// place is a name below the store's folder.
type place struct {
	name string
	want want
}

// storePlaces are the names that an opening uses, folders before what lies in them.
// The lock comes before all (lockStore).
func storePlaces() []place {
	list := []place{{quarantineDir, aFolder}, {"keys", aFolder}}
	for _, name := range []string{
		storeFile, storeFile + "-wal", storeFile + "-shm", storeFile + "-journal",
		buildFile, buildFile + "-wal", buildFile + "-shm", buildFile + "-journal",
		upgradeFile, upgradeFile + "-wal", upgradeFile + "-shm", upgradeFile + "-journal",
		markerFile, markerFile + ".new", ballastFile,
		"keys/" + tokenFile, "keys/" + tokenFile + ".new", "keys/" + caseFile, "keys/" + caseFile + ".new",
		"keys/" + logKeyPlace, "keys/" + logKeyPlace + ".new", "keys/" + logKeyPlace + nextEnd, "keys/" + logKeyPlace + nextEnd + ".new", cosignedFile, cosignedFile + ".new",
	} {
		list = append(list, place{name, aFile})
	}
	return list
}

// clearWay moves aside what stands in the way at these places below dir. No connection
// to the store is open while it runs.
func clearWay(dir string, places []place, now time.Time) (notes []DamageNote, err error) {
	for _, p := range places {
		path := filepath.Join(dir, p.name)
		why, err := obstacle(path, p.want)
		if err != nil {
			return notes, err
		}
		if why == "" {
			continue
		}
		to, err := "", error(nil)
		if p.name != quarantineDir {
			to, err = moveAside(dir, now, path)
		}
		if p.name == quarantineDir || errors.Is(err, fs.ErrPermission) {
			// A folder of another user may be renamed, but not moved into another.
			to = path + "-" + onceName(now)
			err = os.Rename(path, to)
		}
		if err != nil {
			return notes, err
		}
		notes = append(notes, DamageNote{What: p.name, Why: why, Moved: to, When: now})
	}
	return notes, nil
}

// obstacle returns why what is at path is not what it should be; "": it is, or nothing is
// there.
func obstacle(path string, want want) (why string, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	kind := info.Mode().Type()
	if want == aFolder && kind == fs.ModeSymlink {
		if info, err = os.Stat(path); err == nil {
			kind = info.Mode().Type()
		}
	}
	switch {
	case want == aFolder && kind != fs.ModeDir:
		return kindName(kind) + " in place of a folder", nil
	case want == aFile && kind != 0:
		return kindName(kind) + " in place of a file", nil
	case want == aFolder:
		return "", mayUse(path, func() error { return unix.Access(path, unix.R_OK|unix.W_OK|unix.X_OK) }, 0o700)
	}
	return "", mayUse(path, func() error { return readable(path) }, 0o600)
}

// mayUse returns an error that wraps fs.ErrPermission if this process may not use the
// path, even after it has tried to grant itself the permission.
func mayUse(path string, try func() error, mode fs.FileMode) error {
	err := try()
	if errors.Is(err, fs.ErrPermission) {
		if os.Chmod(path, mode) == nil {
			err = try()
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s belongs to another user; chown it to the one that runs yuanlu: %w", path, fs.ErrPermission)
	}
	return err
}

func readable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func kindName(kind fs.FileMode) string {
	switch kind {
	case 0:
		return "a file"
	case fs.ModeDir:
		return "a folder"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a pipe"
	case fs.ModeSocket:
		return "a socket"
	}
	return "a device"
}

// makeStoreDir makes the store's folder. A thing that is no folder is moved aside, to a
// name beside it.
func makeStoreDir(dir string, now time.Time) ([]DamageNote, error) {
	why, err := obstacle(dir, aFolder)
	if err != nil {
		return nil, err
	}
	var notes []DamageNote
	if why != "" {
		to := filepath.Clean(dir) + "-" + onceName(now)
		if err := os.Rename(dir, to); err != nil {
			return nil, err
		}
		notes = append(notes, DamageNote{What: "store.dir", Why: why, Moved: to, When: now})
	}
	return notes, makeDir(dir)
}

// onceName is a name that is used once: the time and some random characters.
func onceName(now time.Time) string {
	return now.UTC().Format("20060102T150405Z") + "-" + randomID()[18:]
}
