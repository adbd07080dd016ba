package salvage

import (
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
)

// shape is what distinguishes the rows of one table from those of the others, by their
// columns alone. A page does not hold of which table it is, and the tree that does may be lost.
type shape struct {
	table string
	rowid bool // a table whose rows have numbers, which are its first column
	// A letter per column: i integer, t text, b blob, j text or blob; capital: or NULL; n always NULL
	// (the number of the row).
	kinds string
	// intact compares the row with its checksum. nil: it has none and is as good as its page.
	intact func(rows.Columns) bool
}

// Shapes of the rows that a salvage reads. Everything else is made again from these.
var shapes = [...]shape{
	{"record", true, "nIIiiiBTBTTij", rows.RecordIntact},
	{"record", true, "nIIiiiBTBTTijB", rows.RecordIntact},
	{"verdict", true, "niijj", rows.VerdictIntact},
	// outbox and untold; quarantine has two columns more.
	{"outbox", true, "nTtttiiiij", rows.EntryIntact},
	{"outbox", true, "nTtttiiiijTT", rows.EntryIntact},
	{"hold", true, "nitt", rows.HoldIntact},
	{"link", true, "nt", nil},
	{"meta", false, "tt", nil},
	{"memory", false, "itbI", nil},
	{"key", false, "bi", nil},
}

// shapeOf returns the shape that a cell of a page of this kind has, nil: none of these.
func shapeOf(kind byte, kinds []int64) *shape {
	for i := range shapes {
		if s := &shapes[i]; s.rowid == (kind == leafTable) && s.fits(kinds) {
			return s
		}
	}
	return nil
}

func (s *shape) fits(kinds []int64) bool {
	if len(kinds) != len(s.kinds) {
		return false
	}
	for i, kind := range kinds {
		is := byte('i')
		switch {
		case kind == 0:
			is = 'n'
		case kind >= 12 && kind%2 == 0:
			is = 'b'
		case kind >= 12:
			is = 't'
		}
		want := s.kinds[i]
		mayNull := want < 'a'
		if mayNull {
			want += 'a' - 'A'
		}
		fits := is == want || want == 'j' && (is == 't' || is == 'b')
		if !fits && !(is == 'n' && mayNull) {
			return false
		}
	}
	return true
}

// foundRow is a row that was read out of a page. It implements rows.Columns.
type foundRow struct {
	shape *shape
	id    int64 // number of the row, 0 in a table without
	cols  []column
	place Place
}

// Int implements rows.Columns.
func (f *foundRow) Int(i int) int64 {
	if i == 0 && f.shape.rowid {
		return f.id
	}
	return f.cols[i].n
}

// View implements rows.Columns.
func (f *foundRow) View(i int) []byte { return f.cols[i].b }

func (f *foundRow) text(i int) string { return string(f.cols[i].b) }

// Place is where a row lies, for reading it again.
type Place struct {
	seq   int64 // number of the row
	image int32 // of wreck.images
	rank  int32
	at    uint16
	kind  byte
	live  bool // in a page that is in use, where its tree points to it
	Whole bool // in a page that is whole
}

// rowReader reads rows of a wreck. It reuses its room: a row is good until the next.
type rowReader struct {
	w     *wreck
	page  []byte
	image int // in page, -1 none
	kinds []int64
	cols  []column
	room  []byte
}

func (w *wreck) reader() *rowReader {
	return &rowReader{w: w, page: make([]byte, sqlite.PageSize), image: -1, kinds: make([]int64, 0, mostColumns)}
}

// eachRow hands out every whole row of a known shape, of every version of every page,
// the oldest version first. Where a page does not hold where its rows are, every byte of
// it is tried as the beginning of one that has a checksum.
func (r *rowReader) eachRow(do func(row *foundRow)) {
	for i := range r.w.images {
		img := &r.w.images[i]
		if img.page == 1 {
			continue // the schema alone
		}
		r.load(i)
		p := Place{image: int32(i), rank: img.rank, kind: r.page[0], live: img.live, Whole: img.whole}
		places, ok := cellPlaces(r.page[:r.w.usable])
		for _, at := range places {
			p.at = uint16(at)
			if row := r.row(p); row != nil {
				do(row)
			}
		}
		if ok && img.whole {
			continue
		}
		p.kind, p.live, p.Whole = leafTable, false, false
		for at := range r.w.usable {
			p.at = uint16(at)
			if row := r.row(p); row != nil {
				do(row)
			}
		}
	}
}

func (r *rowReader) load(image int) {
	if r.image != image {
		r.w.read(&r.w.images[image], r.page)
		r.image = image
	}
}

// row reads the row at a place, nil if there is none that is whole.
func (r *rowReader) row(p Place) *foundRow {
	r.load(int(p.image))
	c, ok := cellAt(r.page[:r.w.usable], p.kind, int(p.at), r.kinds)
	if !ok {
		return nil
	}
	s := shapeOf(p.kind, c.kinds)
	if s == nil || s.intact == nil && !p.Whole {
		return nil
	}
	for _, try := range []struct {
		rank  int32
		whole bool
	}{{p.rank, s.intact == nil}, {p.rank, true}, {r.newest(), true}} {
		b, ok := r.w.payload(&c, try.rank, try.whole, r.room)
		if c.overflow != 0 {
			r.room = b
		}
		if !ok {
			continue
		}
		r.cols = c.columns(b, r.cols)
		p.seq = c.id
		row := &foundRow{shape: s, id: c.id, cols: r.cols, place: p}
		if s.intact == nil || s.intact(row) {
			return row
		}
		if c.overflow == 0 {
			break
		}
	}
	return nil
}

// newest is the rank of the newest frame.
func (r *rowReader) newest() int32 {
	if n := len(r.w.commits); n > 0 {
		return r.w.commits[n-1]
	}
	return rankDatabase
}
