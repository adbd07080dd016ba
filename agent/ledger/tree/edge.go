package tree

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"yuanlu/protocol/evidence"
)

const (
	step   = 6         // levels of the binary tree that lie in one tile
	width  = 1 << step // hashes of a tile
	levels = 9         // for more leaves than a log may have
)

// Hash is one of the tree.
type Hash = evidence.Hash

// Tile is 64 hashes of one level that lie side by side.
type Tile [width]Hash

// Rows are the hashes that a store has.
type Rows interface {
	// Leaves reads the hashes of the leaves from first on, len(into) of them.
	Leaves(first int64, into []Hash) error
	// Tile reads tile number index of a level above 0.
	Tile(level int, index int64, into *Tile) error
}

// Edge is the right edge of a tree: what is not part of a full tile. It is not safe for concurrent
// use.
type Edge struct {
	size int64
	open [levels]Tile // of each level the hashes behind the last full tile
}

// Size returns the number of leaves.
func (e *Edge) Size() int64 { return e.size }

// count returns how many hashes a level has.
func count(size int64, level int) int64 { return size >> (step * level) }

// Append adds a leaf by its hash. full is called with each tile above level 0 that it fills, which
// is to be kept; its error leaves the edge unusable.
func (e *Edge) Append(leaf Hash, full func(level int, index int64, t *Tile) error) error {
	e.size++
	for level, h := 0, leaf; level < levels; level++ {
		t, n := &e.open[level], count(e.size, level)-1
		t[n%width] = h
		if n%width != width-1 {
			return nil
		}
		if level > 0 {
			if err := full(level, n/width, t); err != nil {
				return err
			}
		}
		h = root(t[:])
	}
	return fmt.Errorf("%w: more leaves than a log may have", evidence.ErrProof)
}

// root returns the root of hashes whose number is a power of two.
func root(hashes []Hash) Hash {
	var room Tile
	copy(room[:], hashes)
	for n := len(hashes); n > 1; n /= 2 {
		for i := range n / 2 {
			room[i] = node(room[2*i], room[2*i+1])
		}
	}
	return room[0]
}

// node returns the hash of a node over two (RFC 6962 § 2.1), without memory of the heap.
func node(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Load makes the edge of a tree of size leaves from what the store has: it reads fewer than 4096
// hashes of leaves, and 63 tiles for each level above.
func Load(size int64, rows Rows) (*Edge, error) {
	e := &Edge{size: size}
	for level := range levels {
		n := count(size, level)
		first := n - n%width
		if level == 0 {
			if err := rows.Leaves(first, e.open[0][:n-first]); err != nil {
				return nil, err
			}
			continue
		}
		for i := first; i < n; i++ {
			var t Tile
			if err := readTile(rows, level-1, i, &t); err != nil {
				return nil, err
			}
			e.open[level][i-first] = root(t[:])
		}
	}
	return e, nil
}

func readTile(rows Rows, level int, index int64, into *Tile) error {
	if level == 0 {
		return rows.Leaves(index*width, into[:])
	}
	return rows.Tile(level, index, into)
}

// Root returns the root of the whole tree.
func (e *Edge) Root() (Hash, error) {
	return tlog.TreeHash(e.size, (&Reader{edge: e}))
}

// Reader returns hashes of the tree as it is now, also while leaves are added. It is not safe for
// concurrent use.
func (e *Edge) Reader(rows Rows) *Reader {
	was := *e
	return &Reader{edge: &was, rows: rows}
}

// Reader proves what the log has. It keeps the tiles that it read last.
type Reader struct {
	edge *Edge
	rows Rows
	kept map[place]*Tile
}

type place struct {
	level int
	index int64
}

// mostKept bounds the tiles that a reader keeps: 2 KiB each.
const mostKept = 256

// ReadHashes returns hashes by their index (tlog.StoredHashIndex). It implements
// tlog.HashReader.
func (r *Reader) ReadHashes(indexes []int64) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	for i, x := range indexes {
		var err error
		if out[i], err = r.hash(tlog.SplitStoredHashIndex(x)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// hash returns hash n of a level of the binary tree.
func (r *Reader) hash(binary int, n int64) (Hash, error) {
	level, above := binary/step, binary%step
	first := n << above
	if level >= levels || first+1<<above > count(r.edge.size, level) {
		return Hash{}, fmt.Errorf("%w: no hash %d of level %d", evidence.ErrProof, n, binary)
	}
	t, err := r.tile(level, first/width)
	if err != nil {
		return Hash{}, err
	}
	at := first % width
	return root(t[at : at+1<<above]), nil
}

func (r *Reader) tile(level int, index int64) (*Tile, error) {
	if index == count(r.edge.size, level)/width {
		return &r.edge.open[level], nil
	}
	p := place{level, index}
	if t := r.kept[p]; t != nil {
		return t, nil
	}
	t := new(Tile)
	if err := readTile(r.rows, level, index, t); err != nil {
		return nil, err
	}
	if r.kept == nil || len(r.kept) >= mostKept {
		r.kept = map[place]*Tile{}
	}
	r.kept[p] = t
	return t, nil
}

// Size returns the number of leaves that the reader knows of.
func (r *Reader) Size() int64 { return r.edge.size }

// Root returns the root of the first size leaves. evidence.ErrProof: there are fewer.
func (r *Reader) Root(size int64) (Hash, error) {
	if size < 0 || size > r.edge.size {
		return Hash{}, fmt.Errorf("%w: no tree of %d", evidence.ErrProof, size)
	}
	return tlog.TreeHash(size, r)
}

// Inclusion proves leaf n of the tree of size. evidence.ErrProof: there is none.
func (r *Reader) Inclusion(n, size int64) ([]Hash, error) {
	if n < 0 || n >= size || size > r.edge.size {
		return nil, fmt.Errorf("%w: no leaf %d of %d", evidence.ErrProof, n, size)
	}
	return tlog.ProveRecord(size, n, r)
}

// Consistency proves that the tree of from leaves is the beginning of that of size; from 0 has an
// empty proof. evidence.ErrProof: there is no such tree.
func (r *Reader) Consistency(from, size int64) ([]Hash, error) {
	if from < 0 || from > size || size > r.edge.size {
		return nil, fmt.Errorf("%w: nothing leads from %d to %d", evidence.ErrProof, from, size)
	}
	if from == 0 {
		return nil, nil
	}
	return tlog.ProveTree(size, from, r)
}

// TileBytes is the size of a tile as a row has it.
const TileBytes = width * sha256.Size

// Bytes returns the tile as a row has it.
func (t *Tile) Bytes() []byte {
	b := make([]byte, 0, TileBytes)
	for i := range t {
		b = append(b, t[i][:]...)
	}
	return b
}

// SetBytes reads what Bytes returned; false: it is not that long.
func (t *Tile) SetBytes(b []byte) bool {
	if len(b) != TileBytes {
		return false
	}
	for i := range t {
		t[i] = Hash(b[i*sha256.Size : (i+1)*sha256.Size])
	}
	return true
}

// ID returns the number of a tile's row, by which the tiles of a level lie side by side.
func ID(level int, index int64) int64 { return int64(level)<<56 | index }
