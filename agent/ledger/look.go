package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"yuanlu/agent/ledger/sqlite"
)

// mostLooked bounds what LookAt reads: 64 MiB of pages.
const mostLooked = (64 << 20) / sqlite.PageSize

// LookAt reads the database file in dir as it lies there, without SQLite, and compares
// the sums of its first 16 384 pages: for a store that no process has open. It changes
// nothing and makes nothing. pages is how many it has compared; 0 with nil: there is no
// store yet, or one of before there were sums. Errors: ErrUnavailable with what is
// wrong; the daemon mends it when it starts. Page sums: pagesum.go.
func LookAt(ctx context.Context, dir string) (pages int64, err error) {
	path := filepath.Join(dir, storeFile)
	begun := exists(filepath.Join(dir, markerFile))
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !begun:
		return 0, nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, unavailable(fmt.Errorf("%w: the file is missing", sqlite.ErrDamaged))
	case err != nil:
		return 0, unavailable(err)
	case !info.Mode().IsRegular():
		return 0, unavailable(fmt.Errorf("%w: %s stands in place of %s", sqlite.ErrDamaged, kindName(info.Mode().Type()), storeFile))
	case info.Size() == 0 && begun && fileSize(path+"-wal") < sqlite.WALHeader:
		return 0, unavailable(fmt.Errorf("%w: the file is empty", sqlite.ErrDamaged))
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return 0, unavailable(err)
	}
	defer f.Close()
	page := make([]byte, sqlite.PageSize)
	for pages < mostLooked && ctx.Err() == nil {
		n, err := io.ReadFull(f, page)
		switch {
		case errors.Is(err, io.EOF):
			return pages, nil
		case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			return pages, unavailable(err)
		case pages == 0 && n >= sqlite.HeaderSize && !sqlite.HasSums(page):
			return 0, nil
		case n < sqlite.PageSize || !sqlite.SumMatches(page, pages+1):
			return pages, unavailable(fmt.Errorf("%w: page %d does not match its sum", sqlite.ErrDamaged, pages+1))
		}
		pages++
	}
	return pages, ctx.Err()
}
