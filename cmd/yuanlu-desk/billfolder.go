package main

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
	"yuanlu/cmd/yuanlu-desk/store"
)

// Times of the folder of bills (bills.md § 7).
const (
	folderEvery = 5 * time.Second
	folderQuiet = 10 * time.Second // a file is read once it has not changed for so long
)

// billFolder imports the files that are put into a folder. It writes nothing there.
type billFolder struct {
	dir     string
	log     *slog.Logger
	imports func(ctx context.Context, f bills.File) (*store.Imported, error)
	files   map[string]*folderFile
	away    bool // the folder could not be read
}

// folderFile is a file as it was seen last.
type folderFile struct {
	size    int64
	changed time.Time
	since   time.Time // when it was first seen so
	done    bool
}

func newBillFolder(dir string, db *store.Store, now func() time.Time, log *slog.Logger) *billFolder {
	return &billFolder{dir: dir, log: log, files: map[string]*folderFile{}, imports: func(ctx context.Context, f bills.File) (*store.Imported, error) {
		return db.ImportBills(ctx, now(), f)
	}}
}

// run looks again and again, until ctx ends.
func (b *billFolder) run(ctx context.Context, now func() time.Time) {
	timer := time.NewTicker(folderEvery)
	defer timer.Stop()
	for {
		b.look(ctx, now())
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// look imports the files that have not changed for folderQuiet, each once. After a failure of
// the store a file is imported at the next look; what was imported before is known by its bytes.
func (b *billFolder) look(ctx context.Context, now time.Time) {
	list, err := os.ReadDir(b.dir)
	if err != nil {
		if !b.away {
			b.log.Warn("bills.folder", "dir", b.dir, "err", err)
		}
		b.away = true
		return
	}
	b.away = false
	there := map[string]bool{}
	for _, entry := range list {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(info.Name(), ".") || strings.HasSuffix(info.Name(), ".sha1") {
			continue // gone meanwhile, or no bill
		}
		there[info.Name()] = true
		if b.quiet(info, now) && ctx.Err() == nil {
			b.files[info.Name()].done = b.take(ctx, info.Name())
		}
	}
	for name := range b.files {
		if !there[name] {
			delete(b.files, name)
		}
	}
}

// quiet reports whether a file that was not yet read has not changed for long enough.
func (b *billFolder) quiet(info fs.FileInfo, now time.Time) bool {
	f := b.files[info.Name()]
	if f == nil || f.size != info.Size() || !f.changed.Equal(info.ModTime()) {
		b.files[info.Name()] = &folderFile{size: info.Size(), changed: info.ModTime(), since: now}
		return false
	}
	return !f.done && now.Sub(f.since) >= folderQuiet
}

// take imports a file; false if it is to be tried again.
func (b *billFolder) take(ctx context.Context, name string) bool {
	f, err := billFile(filepath.Join(b.dir, name))
	if err != nil {
		b.log.Warn("bills.unreadable", "file", bills.Printable(name), "err", err)
		return false
	}
	got, err := b.imports(ctx, f)
	if err != nil {
		b.log.Warn("bills.unstored", "file", bills.Printable(name), "err", err)
		return false
	}
	refused, known := len(got.Refused), 0
	for _, one := range got.Bills {
		refused += len(one.RefusedAt)
		if one.Known {
			known++
		}
	}
	b.log.Info("bills.imported", "file", bills.Printable(name), "bills", len(got.Bills), "known", known, "refused", refused)
	return true
}
