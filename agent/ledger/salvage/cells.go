package salvage

import (
	"encoding/binary"

	"yuanlu/agent/ledger/sqlite"
)

// Rows as they lie in the pages of a SQLite database (sqlite.org/fileformat2.html,
// §§ 1.6 and 2.1), read without the tree that leads to them. Nothing in a page is
// trusted: whatever the bytes are, reading them ends and stays within them.
//
// A page of a tree:
//
//	0    1          3     5               7       8 (12 in an inner page)
//	|kind|free block|cells|cells begin at |frag.  |cell pointers, 2 bytes each | … | cells |
//
// A cell of a table's leaf: length of the payload (varint), number of the row (varint),
// payload. Of an index's leaf, where the rows of a table WITHOUT ROWID are: length,
// payload. Of an index's inner page: the page below (4 bytes), then as in a leaf. A
// payload that is too long for its page ends in the number of its first overflow page.
// The last bytes of a page may be left alone (pagesum.go): what is read is what remains.
//
// A payload: length of its head (varint), per column a kind (varint), the columns.
const (
	innerIndex = 2
	leafIndex  = 10
	leafTable  = 13
)

// column is one value of a row: kind 'n' NULL, 'i' integer, 't' text, 'b' blob.
type column struct {
	kind byte
	n    int64
	b    []byte
}

// cell is a row's place in its page, as far as its head could be read.
type cell struct {
	id       int64 // number of the row, 0 in an index
	kinds    []int64
	payload  []byte // what of it lies in the page
	size     int    // of the whole payload
	head     int    // bytes of the payload before the columns
	overflow uint32 // page in which the payload goes on, 0: it is whole
}

// mostColumns and mostPayload are more than any table of the store has.
const (
	mostColumns = 16
	mostPayload = 4 << 20
)

// cellPlaces returns where the cells of a page begin; ok false: it is no page of a tree, or
// is damaged.
func cellPlaces(page []byte) (places []int, ok bool) {
	if len(page) < sqlite.PageSize-sqlite.PageSum {
		return nil, false
	}
	at := 8
	switch page[0] {
	case leafTable, leafIndex:
	case innerIndex:
		at = 12
	default:
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(page[3:]))
	if at+2*n > len(page) {
		return nil, false
	}
	for i := range n {
		p := int(binary.BigEndian.Uint16(page[at+2*i:]))
		if p < at+2*n || p >= len(page) {
			return places, false
		}
		places = append(places, p)
	}
	return places, true
}

// cellAt reads the cell that begins at a place of a page of this kind. kinds is room
// for the columns' kinds.
func cellAt(page []byte, kind byte, at int, kinds []int64) (c cell, ok bool) {
	if kind == innerIndex {
		at += 4
	}
	size, at, ok := varint(page, at)
	if !ok || size < 2 || size > mostPayload {
		return c, false
	}
	c.size = int(size)
	if kind == leafTable {
		if c.id, at, ok = varint(page, at); !ok {
			return c, false
		}
	}
	local := localPayload(c.size, len(page), kind == leafTable)
	if at+local > len(page) {
		return c, false
	}
	c.payload = page[at : at+local]
	if local < c.size {
		if at+local+4 > len(page) {
			return c, false
		}
		c.overflow = binary.BigEndian.Uint32(page[at+local:])
	}
	return c, c.readHead(kinds)
}

// readHead reads the kinds of the columns and makes sure that they fill the payload.
func (c *cell) readHead(kinds []int64) bool {
	head, at, ok := varint(c.payload, 0)
	if !ok || head < 2 || head > int64(len(c.payload)) {
		return false
	}
	c.head, c.kinds = int(head), kinds[:0]
	total := head
	for at < c.head {
		var kind int64
		if kind, at, ok = varint(c.payload, at); !ok || at > c.head || len(c.kinds) == mostColumns {
			return false
		}
		n := columnLen(kind)
		if n < 0 || n > mostPayload {
			return false
		}
		total += n
		c.kinds = append(c.kinds, kind)
	}
	return total == int64(c.size)
}

// columnLen is how many bytes a column of this kind takes, -1: no store has such a kind.
func columnLen(kind int64) int64 {
	switch {
	case kind >= 0 && kind <= 4:
		return kind
	case kind == 5:
		return 6
	case kind == 6:
		return 8
	case kind == 8 || kind == 9:
		return 0
	case kind >= 12:
		return (kind - 12) / 2
	}
	return -1
}

// columns cuts a whole payload into the row's columns, which lie in it.
func (c *cell) columns(payload []byte, cols []column) []column {
	cols = cols[:0]
	at := c.head
	for _, kind := range c.kinds {
		n := int(columnLen(kind))
		b := payload[at : at+n]
		at += n
		col := column{kind: 'i'}
		switch {
		case kind == 0:
			col.kind = 'n'
		case kind == 9:
			col.n = 1
		case kind >= 12 && kind%2 == 0:
			col.kind, col.b = 'b', b
		case kind >= 13:
			col.kind, col.b = 't', b
		case n > 0:
			col.n = int64(int8(b[0]))
			for _, x := range b[1:] {
				col.n = col.n<<8 | int64(x)
			}
		}
		cols = append(cols, col)
	}
	return cols
}

// localPayload is how much of a payload lies in the page itself, of which SQLite uses so
// many bytes.
func localPayload(size, usable int, table bool) int {
	most, least := usable-35, (usable-12)*32/255-23
	if !table {
		most = (usable-12)*64/255 - 23
	}
	if size <= most {
		return size
	}
	if k := least + (size-least)%(usable-4); k <= most {
		return k
	}
	return least
}

// varint reads SQLite's: seven bits a byte, the most significant first, eight in the
// ninth.
func varint(b []byte, at int) (v int64, next int, ok bool) {
	for i := range 9 {
		if at < 0 || at >= len(b) {
			return 0, at, false
		}
		x := b[at]
		at++
		if i == 8 {
			return v<<8 | int64(x), at, true
		}
		v = v<<7 | int64(x&0x7f)
		if x < 0x80 {
			return v, at, true
		}
	}
	return 0, at, false
}
