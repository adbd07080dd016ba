package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"yuanlu/agent/ledger/sqlite"
)

// FuzzPage: whatever the bytes of a page are, reading its rows ends and stays in it.
func FuzzPage(f *testing.F) {
	o := testOptions(f.TempDir())
	d := openTest(f, o)
	fill(f, d, 0, 60)
	must(f, d.w.Script("PRAGMA wal_checkpoint"))
	db, err := os.ReadFile(d.file())
	must(f, err)
	for at := sqlite.PageSize; at+sqlite.PageSize <= len(db); at += sqlite.PageSize {
		f.Add(db[at : at+sqlite.PageSize])
	}
	kinds, cols := make([]int64, 0, mostColumns), []column{}
	f.Fuzz(func(t *testing.T, page []byte) {
		if len(page) < sqlite.PageSize {
			page = append(page, make([]byte, sqlite.PageSize-len(page))...)
		}
		page = page[:sqlite.PageSize-sqlite.PageSum]
		places, ok := cellPlaces(page)
		if ok && len(places) > sqlite.PageSize/2 {
			t.Fatalf("%d cells", len(places))
		}
		for at := range page {
			for _, kind := range []byte{page[0], leafTable, leafIndex, innerIndex} {
				c, ok := cellAt(page, kind, at, kinds)
				if !ok {
					continue
				}
				if shapeOf(kind, c.kinds); c.overflow == 0 {
					cols = c.columns(c.payload, cols)
					if len(cols) != len(c.kinds) {
						t.Fatalf("%d columns of %d", len(cols), len(c.kinds))
					}
				}
			}
		}
	})
}

// FuzzWreck: whatever lies in the two files, a salvage of it ends and makes a store that
// works.
func FuzzWreck(f *testing.F) {
	o := testOptions(f.TempDir())
	d := openTest(f, o)
	wrongRefund(f, d, 1)
	files, err := os.ReadFile(d.file())
	must(f, err)
	wal, err := os.ReadFile(d.file() + "-wal")
	must(f, err)
	f.Add(files, wal)
	f.Add([]byte{}, wal)
	f.Add(files, []byte{})
	f.Add(bytes.Repeat([]byte{13}, 3*sqlite.PageSize+5), wal[:len(wal)/2])
	f.Fuzz(func(t *testing.T, db, wal []byte) {
		q := t.TempDir()
		must(t, os.WriteFile(filepath.Join(q, storeFile), db, 0o600))
		must(t, os.WriteFile(filepath.Join(q, walFile), wal, 0o600))
		w := openWreck(q, leftOpen{open: true})
		defer w.close()
		for i := range w.images {
			if img := &w.images[i]; img.live && !img.whole {
				t.Fatalf("page %d is taken as sure and is not whole", img.page)
			}
		}
		w.reader().eachRow(func(row *foundRow) {
			if row.shape == nil || len(row.cols) != len(row.shape.kinds) {
				t.Fatalf("row %+v", row)
			}
			if row.shape.table == "record" {
				row.recordRow()
			}
		})
	})
}

// FuzzLock: whatever stands in the file lock, reading it does not fail, and what is
// taken from it is what was written.
func FuzzLock(f *testing.F) {
	f.Add("0000000001\n" + leftOpen{open: true, mark: sqlite.Mark{Salts: 1 << 60, Frames: 812, Sum: 7}}.text())
	f.Add("12\nopen\n")
	f.Add("12\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		var l storeLock
		l.read([]byte(text))
		if l.spoilt || l.left == (leftOpen{}) || text[len(text)-len(openLine):] == openLine {
			return
		}
		if text[len(text)-stateLine-markLine:] != l.left.text() {
			t.Errorf("%q is read as %+v", text, l.left)
		}
	})
}
