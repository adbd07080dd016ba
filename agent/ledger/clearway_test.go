package ledger

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// obstacles are the things that can stand where a file or a folder should be.
func obstacles() map[string]func(path string) error {
	return map[string]func(path string) error{
		"folder": func(path string) error {
			return os.MkdirAll(filepath.Join(path, "full"), 0o700)
		},
		"file":     func(path string) error { return os.WriteFile(path, []byte("hello"), 0o600) },
		"pipe":     func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"device":   func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
		"socket":   func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
		"dangling": func(path string) error { return os.Symlink("/nonexistent/yuanlu", path) },
		"linked": func(path string) error {
			to := path + ".elsewhere"
			if err := os.WriteFile(to, []byte("hello"), 0o600); err != nil {
				return err
			}
			return os.Symlink(to, path)
		},
		"looped": func(path string) error { return os.Symlink(filepath.Base(path), path) },
	}
}

// TestRule09_Obstacles: whatever stands where a file or folder of the store should be is
// moved aside and reported; the agent starts, and works as after that file's loss. One in
// eight of the rows, with every place and every kind; TestSoakObstacles has all.
func TestRule09_Obstacles(t *testing.T) { eachObstacle(t, 8) }

// TestSoakObstacles: every kind of obstacle at every place, after a stop and after a crash.
func TestSoakObstacles(t *testing.T) { eachObstacle(t, 1) }

// eachObstacle tries one in every rows of places, kinds and states of the store.
func eachObstacle(t *testing.T, every int) {
	stores := map[string]map[string][]byte{"closed": storeFiles(t, true), "crashed": storeFiles(t, false)}
	kinds := obstacles()
	row := 0
	for _, p := range append(storePlaces(), place{lockFile, aFile}) {
		row++ // so that the kinds differ from place to place
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			for _, state := range []string{"closed", "crashed"} {
				if row++; row%every != 0 || kind == "folder" && p.want == aFolder || kind == "file" && p.want == aFile {
					continue
				}
				t.Run(strings.Join([]string{p.name, kind, state}, " "), func(t *testing.T) {
					dir := laidOut(t, stores[state])
					path := filepath.Join(dir, p.name)
					must(t, os.RemoveAll(path))
					if err := kinds[kind](path); err != nil {
						t.Skip(err)
					}
					movedAside(t, dir, p.name)
				})
			}
		}
	}
}

// movedAside opens the store whose file or folder name is an obstacle, and again.
func movedAside(t *testing.T, dir, name string) {
	t.Helper()
	d := usable(t, dir)
	found := false
	for _, n := range d.Damage() {
		if n.What == name && n.Moved != "" {
			found = true
			if _, err := os.Lstat(n.Moved); err != nil {
				t.Errorf("it is not where it was moved: %v", err)
			}
		}
	}
	if !found {
		t.Errorf("not reported: %+v", d.Damage())
	}
	reported := 0
	for _, n := range due(t, d) {
		if n.Type == "store.damaged" {
			reported++
		}
	}
	if reported != len(d.Damage()) {
		t.Errorf("%d events for %+v", reported, d.Damage())
	}
	if again := reopened(t, d, testOptions(dir)); len(again.Damage()) != 0 {
		t.Errorf("at the next start: %+v", again.Damage())
	}
}

// TestRule09_ObstacleKeepsTheRest: with a folder in place of the database, what lies in
// its WAL is kept; in place of the WAL, what lies in the database.
func TestRule09_ObstacleKeepsTheRest(t *testing.T) {
	crashed := storeFiles(t, false)
	for _, name := range []string{storeFile, walFile} {
		dir := laidOut(t, crashed)
		must(t, os.Remove(filepath.Join(dir, name)))
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		d := usable(t, dir)
		kept := int64(0)
		for _, n := range d.Damage() {
			kept += n.Kept
		}
		if name == storeFile && kept == 0 {
			t.Errorf("nothing is kept: %+v", d.Damage())
		}
		if len(d.Damage()) < 2 {
			t.Errorf("%s: %+v", name, d.Damage())
		}
	}
}

// TestRule09_NotTheStoresFolder: a file in place of the store's folder.
func TestRule09_NotTheStoresFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	must(t, os.WriteFile(dir, []byte("hello"), 0o600))
	d := usable(t, dir)
	if n := d.Damage(); len(n) != 1 || n[0].What != "store.dir" || !exists(n[0].Moved) {
		t.Errorf("damage %+v", n)
	}
}

// TestRule09_LinkedKeys: keys/ may be a link to a folder elsewhere.
func TestRule09_LinkedKeys(t *testing.T) {
	dir := laidOut(t, storeFiles(t, true))
	there := filepath.Join(t.TempDir(), "elsewhere")
	must(t, os.Rename(filepath.Join(dir, "keys"), there))
	must(t, os.Symlink(there, filepath.Join(dir, "keys")))
	if d := usable(t, dir); len(d.Damage()) != 0 {
		t.Errorf("damage %+v", d.Damage())
	}
}

// TestUnreadableFiles: files and folders that the daemon's user may not read: those it
// owns it takes back, the others it moves aside.
func TestUnreadableFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become another user")
	}
	files := storeFiles(t, true)
	for _, c := range []struct {
		name    string
		owner   int
		refused bool
	}{{storeFile, 65534, false}, {storeFile, 0, true}, {"keys/token", 65534, false}, {"keys/token", 0, true}, {"keys", 65534, false}, {"keys", 0, true}, {lockFile, 0, true}, {markerFile, 0, true}} {
		dir := laidOut(t, files)
		must(t, openToOthers(dir))
		must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, 65534, 65534)
		}))
		path := filepath.Join(dir, c.name)
		must(t, os.Chown(path, c.owner, c.owner))
		must(t, os.Chmod(path, 0))
		out, err := runChild(t, dir, "open", "", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
		if (err != nil) != c.refused || c.refused && !strings.Contains(err.Error(), "belongs to another user") {
			t.Errorf("%s of %d: %v %s", c.name, c.owner, err, out)
			continue
		}
		aside, err := filepath.Glob(filepath.Join(dir, quarantineDir, "*", filepath.Base(c.name)))
		must(t, err)
		beside, err := filepath.Glob(filepath.Join(dir, c.name+"-*"))
		must(t, err)
		aside = append(aside, beside...)
		if len(aside) > 0 {
			t.Errorf("%s of %d: moved aside: %v", c.name, c.owner, aside)
		}
	}
}

// openToOthers lets another user reach a folder of the test.
func openToOthers(dir string) error {
	for up := filepath.Dir(dir); up != "/" && up != os.TempDir(); up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// TestLockSecondDaemonThroughALink: a lock that is a link to a file which a process has
// locked is not moved away under it.
func TestLockSecondDaemonThroughALink(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, testOptions(dir))
	must(t, os.Rename(filepath.Join(dir, lockFile), filepath.Join(dir, "lock.real")))
	must(t, os.Symlink("lock.real", filepath.Join(dir, lockFile)))
	if _, err := Open(context.Background(), testOptions(dir)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("got %v", err)
	}
	wrongRefund(t, d, 1)
}
