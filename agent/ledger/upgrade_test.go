package ledger

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"yuanlu/agent/ledger/sqlite"
)

// version1 returns a store that the first released version made, and what it printed while
// it did.
func version1(t testing.TB, how string) (files map[string][]byte, out string) {
	t.Helper()
	return ofVersion(t, "version1", how)
}

// ofVersion returns a store that an earlier version made, by playing the script of
// script_test.go, and what it printed while it did. how: "closed", or "killed" at its
// 40th commit, so that most of it is in the WAL.
func ofVersion(t testing.TB, name, how string) (files map[string][]byte, out string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".tar.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	files = map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, out
		}
		must(t, err)
		name, ok := strings.CutPrefix(h.Name, how+"/")
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(r)
		must(t, err)
		if name == "out" {
			out = string(b)
		} else {
			files[strings.TrimPrefix(name, "s/")] = b
		}
	}
}

// newestVersion is the schema version of a new store.
func newestVersion(t testing.TB) int64 {
	t.Helper()
	steps, err := migrations()
	must(t, err)
	return int64(len(steps))
}

// sumsFit checks that every page of a closed store has its sum.
func sumsFit(t testing.TB, path string) (pages int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	if !sqlite.HasSums(b) || int64(binary.BigEndian.Uint32(b[60:])) != newestVersion(t) {
		t.Fatalf("%s: leaves %d bytes alone, version %d", path, b[20], binary.BigEndian.Uint32(b[60:]))
	}
	for ; len(b) > 0; b = b[sqlite.PageSize:] {
		if pages++; !sqlite.SumMatches(b[:sqlite.PageSize], pages) {
			t.Errorf("page %d of %s does not match its sum", pages, path)
		}
	}
	return pages
}

// TestAStoreOfAnEarlierVersionIsUpgraded: with everything that it holds, without damage,
// closed or killed.
func TestAStoreOfAnEarlierVersionIsUpgraded(t *testing.T) {
	for _, version := range []string{"version1", "version2"} {
		for _, how := range []string{"closed", "killed"} {
			t.Run(version+"/"+how, func(t *testing.T) {
				files, out := ofVersion(t, version, how)
				dir := laidOut(t, files)
				t.Cleanup(func() { sumsFit(t, filepath.Join(dir, storeFile)) }) // after checkScript has closed it
				checkScript(t, dir, out)
			})
		}
	}
}

// TestKillInAnUpgrade ends the process at each step of an upgrade.
func TestKillInAnUpgrade(t *testing.T) {
	for _, how := range []string{"closed", "killed"} {
		for _, step := range []string{"upgrade.copy", "upgrade.copied", "upgrade.rename", "upgrade.renamed"} {
			t.Run(how+"/"+step, func(t *testing.T) {
				files, out := version1(t, how)
				dir := laidOut(t, files)
				if out, err := runChild(t, dir, "open", step+":1"); !killed(err) {
					t.Fatal(out, err)
				}
				checkScript(t, dir, out)
				if left, _ := filepath.Glob(filepath.Join(dir, upgradeFile+"*")); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// TestAnUpgradeWaitsForRoom: without room for the copy the store is used as it is, and
// upgraded when there is room.
func TestAnUpgradeWaitsForRoom(t *testing.T) {
	files, _ := version1(t, "closed")
	disk := smallDisk(t, "280k")
	dir := filepath.Join(disk, "s")
	for name, b := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	version := func() (v int64, records int64) {
		d, err := Open(context.Background(), testOptions(dir))
		must(t, err)
		defer d.Close()
		if len(d.Damage()) > 0 {
			t.Fatalf("damage %+v", d.Damage())
		}
		v, _, err = d.w.Int("PRAGMA user_version")
		must(t, err)
		records, _, err = d.w.Int(`SELECT count(*) FROM record`)
		must(t, err)
		return v, records
	}
	if v, n := version(); v != sqlite.SummedVersion-1 || n != scriptEvents {
		t.Fatalf("without room: version %d, %d records", v, n)
	}
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=64m"))
	if v, n := version(); v != newestVersion(t) || n != scriptEvents {
		t.Fatalf("with room: version %d, %d records", v, n)
	}
}

// TestAnUpgradeWaitsForAReader: a process that reads the old store goes on reading it.
func TestAnUpgradeWaitsForAReader(t *testing.T) {
	files, _ := version1(t, "killed")
	dir := laidOut(t, files)
	r, err := openReader(filepath.Join(dir, storeFile))
	must(t, err)
	defer r.Close()
	must(t, r.Do("BEGIN"))
	before, _, err := r.Int(`SELECT count(*) FROM record`)
	must(t, err)
	d := openTest(t, testOptions(dir))
	if v, _, _ := d.w.Int("PRAGMA user_version"); v != sqlite.SummedVersion-1 || len(d.Damage()) > 0 {
		t.Fatalf("version %d, damage %+v", v, d.Damage())
	}
	fill(t, d, 5000, 100)
	if n, _, err := r.Int(`SELECT count(*) FROM record`); err != nil || n != before {
		t.Fatalf("%d records (%v), want %d", n, err, before)
	}
}

// TestAnOldStoreIsReadWithoutUpgrade: the verbs that only read take it as it is.
func TestAnOldStoreIsReadWithoutUpgrade(t *testing.T) {
	files, _ := version1(t, "closed")
	dir := laidOut(t, files)
	d, err := OpenReadOnly(context.Background(), dir)
	must(t, err)
	defer d.Close()
	n := 0
	for _, err := range d.Records(context.Background(), 1) {
		must(t, err)
		n++
	}
	if n != scriptEvents {
		t.Errorf("%d records", n)
	}
}

// TestADamagedOldStoreIsSalvaged: also where nothing of the first page is left, so that
// only the others show that they have no sums.
func TestADamagedOldStoreIsSalvaged(t *testing.T) {
	for name, damage := range map[string]func([]byte){
		"a row": func(b []byte) { b[len(b)/2] ^= 4; b[len(b)/2+1] ^= 1 },
		"the first page": func(b []byte) {
			for i := range sqlite.PageSize {
				b[i] ^= byte(i)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			files, _ := version1(t, "closed")
			damage(files[storeFile])
			dir := laidOut(t, files)
			d := usable(t, dir)
			if notes := d.Damage(); len(notes) != 1 || notes[0].Kept < scriptEvents-4 {
				t.Errorf("damage %+v", notes)
			}
			must(t, d.Close())
			sumsFit(t, filepath.Join(dir, storeFile))
		})
	}
}
