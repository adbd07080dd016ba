package salvage

import (
	"cmp"
	"errors"
	"io"
	"math"
	"os"
	"slices"

	"yuanlu/agent/ledger/sqlite"
)

// wreck is a damaged store as a salvage reads it: every version of every page that lies
// in the database file or in the WAL, before and behind what is spoilt. It is read
// without SQLite, which sees nothing behind a bad frame and nothing below a bad page.
type wreck struct {
	db, wal forgiving
	images  []pageImage // by page, then by rank
	usable  int         // bytes of a page that SQLite uses
	commits []int32     // frames that end a transaction, ascending
	pages   uint32      // size of the database
	maps    map[uint32][]byte
	cut     bool // the newest commits may be missing
}

// pageImage is one version of a page.
type pageImage struct {
	at    int64 // of the page in its file
	page  uint32
	rank  int32 // the greater, the newer
	inWAL bool
	whole bool // its sum matches, or its frame's checksum fits
	live  bool // the newest whole one of a page that is in use
}

// Ranks: a frame of this round up to its last commit has its number; the database file
// comes before them; before it, what was never committed or is of an earlier round of
// the WAL.
const (
	rankDatabase = 0
	rankOld      = math.MinInt32
)

// openWreck takes stock of the database file at path and its WAL. left is how far the WAL
// was known to go; wasOpen: the store was not closed, so that there was a WAL. What cannot be
// opened or read counts as not there.
func openWreck(path string, wasOpen bool, left sqlite.Mark) *wreck {
	w := &wreck{maps: map[uint32][]byte{}}
	w.db.open(path)
	w.wal.open(path + "-wal")
	w.pages = uint32(min((w.db.size+sqlite.PageSize-1)/sqlite.PageSize, math.MaxInt32))
	w.takePages()
	w.takeFrames(wasOpen, left)
	slices.SortFunc(w.images, func(a, b pageImage) int {
		return cmp.Or(cmp.Compare(a.page, b.page), cmp.Compare(a.rank, b.rank))
	})
	w.findLive()
	return w
}

func (w *wreck) close() {
	w.db.close()
	w.wal.close()
}

// takePages adds the pages of the database file. In a store of version 1 they have no
// sums, and are taken as whole.
func (w *wreck) takePages() {
	page, matching := make([]byte, sqlite.PageSize), 0
	for i := range w.pages {
		img := pageImage{at: int64(i) * sqlite.PageSize, page: i + 1, rank: rankDatabase}
		w.read(&img, page)
		if img.whole = sqlite.SumMatches(page, int64(img.page)); img.whole {
			matching++
		}
		w.images = append(w.images, img)
	}
	w.usable = sqlite.PageSize - sqlite.PageSum
	if matching == 0 && w.pages > 0 { // none by chance
		w.usable = sqlite.PageSize
		for i := range w.images {
			w.images[i].whole = true
		}
	}
}

// takeFrames adds the WAL's pages.
func (w *wreck) takeFrames(wasOpen bool, left sqlite.Mark) {
	var frames []sqlite.Frame
	head, _ := sqlite.ReadWAL(&w.wal, w.wal.size, func(fr *sqlite.Frame, _ []byte) error { frames = append(frames, *fr); return nil })
	last := sqlite.Frame{Whole: true}
	reached := left == sqlite.Mark{} || head.Whole && sqlite.RoundsAfter(head.Salts, left.Salts) > 0
	for i := range frames {
		fr := &frames[i]
		if !fr.Mine || fr.Commit == 0 {
			continue
		}
		last = *fr
		w.commits = append(w.commits, int32(fr.N))
		if fr.Whole {
			w.pages = fr.Commit
		}
		reached = reached || fr.Salts == left.Salts && uint32(fr.N) >= left.Frames
	}
	w.cut = !reached || !last.Whole || wasOpen && w.wal.f == nil
	for i := range frames {
		fr := &frames[i]
		img := pageImage{at: sqlite.WALHeader + int64(i)*sqlite.FrameLen + sqlite.FrameHeader, page: fr.Page, inWAL: true, whole: fr.Whole, rank: int32(fr.N)}
		if !fr.Mine || fr.N > last.N {
			img.rank = rankOld + int32(fr.N)
		}
		if !fr.Mine && !fr.Whole {
			img.page = 0 // of nothing that is known
		}
		w.images = append(w.images, img)
	}
}

// findLive marks the newest whole version of each page that is in use.
func (w *wreck) findLive() {
	for i := range w.images {
		img := &w.images[i]
		if newest := w.find(img.page, math.MaxInt32, true); newest == img && img.rank >= rankDatabase && img.page <= w.pages {
			img.live = true
		}
	}
	for i := range w.images {
		if img := &w.images[i]; img.live && w.isFree(img.page) {
			img.live = false
		}
	}
}

// find returns the newest version of a page up to this rank, nil if there is none.
func (w *wreck) find(page uint32, upTo int32, whole bool) *pageImage {
	i, _ := slices.BinarySearchFunc(w.images, page+1, func(img pageImage, page uint32) int { return cmp.Compare(img.page, page) })
	for i--; i >= 0 && w.images[i].page == page; i-- {
		if img := &w.images[i]; img.rank <= upTo && (img.whole || !whole) {
			return img
		}
	}
	return nil
}

// Every store keeps, for incremental vacuum, what each page is used for
// (sqlite.org/fileformat2.html, § 1.8): pages 2, 821, 1640 … hold five bytes for each of the 818 pages behind them, the first of
// which is 2 for a free page.
const (
	mapEntry = 5
	mapFree  = 2
)

// isFree reports whether a page is known to be of no table any more.
func (w *wreck) isFree(page uint32) bool {
	if page < 3 {
		return false
	}
	reach := uint32(w.usable/mapEntry + 1)
	at := (page-2)/reach*reach + 2
	if page == at {
		return false
	}
	b, ok := w.maps[at]
	if !ok {
		if img := w.find(at, math.MaxInt32, true); img != nil {
			b = w.read(img, make([]byte, sqlite.PageSize))
		}
		w.maps[at] = b
	}
	n := int(mapEntry * (page - at - 1))
	return n < len(b) && b[n] == mapFree
}

// read reads a version of a page into room.
func (w *wreck) read(img *pageImage, room []byte) []byte {
	f := &w.db
	if img.inWAL {
		f = &w.wal
	}
	_, _ = f.ReadAt(room, img.at)
	return room
}

// payload returns a cell's whole payload as of its version of the page; false: it cannot
// be had with these versions of its overflow pages. whole: only those that are sure.
func (w *wreck) payload(c *cell, rank int32, whole bool, room []byte) ([]byte, bool) {
	if c.overflow == 0 {
		return c.payload, true
	}
	upTo := rank
	if i, _ := slices.BinarySearch(w.commits, rank); rank > rankDatabase && i < len(w.commits) {
		upTo = w.commits[i]
	}
	b := append(room[:0], c.payload...)
	page := make([]byte, sqlite.PageSize)
	for next := c.overflow; len(b) < c.size; {
		img := w.find(next, upTo, whole)
		if img == nil || next == 0 {
			return b, false
		}
		w.read(img, page)
		next = uint32(page[0])<<24 | uint32(page[1])<<16 | uint32(page[2])<<8 | uint32(page[3])
		b = append(b, page[4:4+min(w.usable-4, c.size-len(b))]...)
	}
	return b, true
}

// forgiving reads a file as zeros where it ends or returns an error: what the disk does
// not return is lost like what is wrong.
type forgiving struct {
	f    *os.File
	size int64
}

func (r *forgiving) open(path string) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if r.f, err = os.Open(path); err == nil {
		r.size = info.Size()
	}
}

func (r *forgiving) close() {
	if r.f != nil {
		_ = r.f.Close()
	}
}

// ReadAt implements io.ReaderAt.
func (r *forgiving) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	if r.f == nil || at >= r.size {
		return 0, io.EOF
	}
	n, err := r.f.ReadAt(b, at)
	if err != nil && !errors.Is(err, io.EOF) {
		clear(b[n:])
		return len(b), nil
	}
	return n, err
}
