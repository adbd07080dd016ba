package ledger

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
)

// The first page of a store holds its header and its schema, nothing else, and every
// store of one version has the same tables at the same places. So a store whose
// first page is spoilt is read through a copy that has a new store's first page.

const pageSize = 4096

// patchFirstPage writes such a copy of the damaged file beside it and gives its path.
// What lies in the WAL is not in it.
func patchFirstPage(path string) (string, error) {
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	sums, err := pagesHaveSums(from)
	if err != nil {
		return "", err
	}
	first, err := freshFirstPage(filepath.Dir(path), sums)
	if err != nil {
		return "", err
	}
	info, err := from.Stat()
	if err != nil {
		return "", err
	}
	// Size of the file in pages (offset 28), no free pages (32, 36).
	binary.BigEndian.PutUint32(first[28:], uint32(info.Size()/pageSize))
	clear(first[32:40])
	if sums {
		putSum(first, 1)
	}
	patched := path + ".patched"
	to, err := os.OpenFile(patched, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	_, err = to.Write(first)
	if err == nil {
		_, err = from.Seek(pageSize, io.SeekStart)
	}
	if err == nil {
		_, err = io.Copy(to, from)
	}
	if e := to.Close(); err == nil {
		err = e
	}
	return patched, err
}

// pagesHaveSums tells what the first page of a file cannot tell any more: whether one
// of the pages behind it has its sum.
func pagesHaveSums(f *os.File) (bool, error) {
	page := make([]byte, pageSize)
	for number := int64(2); ; number++ {
		if _, err := f.ReadAt(page, (number-1)*pageSize); err != nil {
			return false, onlyIO(err)
		}
		if sumMatches(page, number) {
			return true, nil
		}
	}
}

// freshFirstPage makes a new store, whose pages have sums or not, and gives its first page.
func freshFirstPage(dir string, sums bool) ([]byte, error) {
	path := filepath.Join(dir, "fresh.db")
	defer os.Remove(path)
	open, newest := openConn, 0
	if !sums {
		open, newest = openPlain, summedVersion-1
	}
	c, err := open(path, openWrite)
	if err != nil {
		return nil, err
	}
	err = c.exec("PRAGMA auto_vacuum = INCREMENTAL")
	if err == nil {
		var steps []string
		if steps, err = migrations(); err == nil {
			if newest == 0 {
				newest = len(steps)
			}
			err = migrate(c, steps[:newest])
		}
	}
	if e := c.close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := make([]byte, pageSize)
	_, err = io.ReadFull(f, page)
	return page, err
}
