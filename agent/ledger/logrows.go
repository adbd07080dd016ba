package ledger

import (
	"fmt"
	"math"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/ledger/tree"
	"yuanlu/protocol/evidence"
)

// logRows are the hashes of the log as a connection sees them. It implements tree.Rows.
type logRows struct {
	c     *conn
	after int64 // as evidenceLog.after
}

func loadEdge(c *conn, after int64) (*tree.Edge, error) {
	rows := logRows{c, after}
	size, err := rows.size()
	if err != nil {
		return nil, err
	}
	return tree.Load(size, rows)
}

// size returns the number of leaves.
func (l logRows) size() (int64, error) {
	last, found, err := l.c.Int(`SELECT max(n) FROM leaf`)
	if err != nil {
		return 0, err
	}
	size := int64(0)
	if found {
		size = last + 1
	}
	_, err = l.c.First(`SELECT seq, leaf FROM record WHERE seq > ?1 AND leaf IS NOT NULL ORDER BY seq DESC LIMIT 1`, func(r *sqlite.Row) error {
		leaf, err := rows.ParseLeaf(r.Int(0), r.View(1))
		size = max(size, leaf.N+1)
		return err
	}, l.after)
	return size, err
}

// Leaves implements tree.Rows.
func (l logRows) Leaves(first int64, into []tree.Hash) error {
	if len(into) == 0 {
		return nil
	}
	end, n := first+int64(len(into)), 0
	found := make([]bool, len(into))
	put := func(at int64, hash []byte) {
		if len(hash) == len(into[0]) && !found[at-first] {
			copy(into[at-first][:], hash)
			found[at-first] = true
			n++
		}
	}
	err := l.c.Each(`SELECT n, hash FROM leaf WHERE n >= ?1 AND n < ?2`, func(r *sqlite.Row) error {
		put(r.Int(0), r.View(1))
		return nil
	}, first, end)
	if err != nil || n == len(into) {
		return err
	}
	seq, err := l.seqOf(first)
	for err == nil && seq > 0 && n < len(into) {
		seq, err = l.someLeaves(seq, end, put)
	}
	if err == nil && n < len(into) {
		err = rows.Damaged("leaf", first, fmt.Sprintf("of %d hashes from here on %d are there", len(into), n))
	}
	return err
}

// someLeaves hands out the leaves of the next records from seq on, up to leaf end. It returns where
// to go on, 0: no leaf before end is left.
func (l logRows) someLeaves(seq, end int64, put func(n int64, hash []byte)) (next int64, err error) {
	err = l.c.Each(`SELECT seq, leaf FROM record WHERE seq >= ?1 AND leaf IS NOT NULL ORDER BY seq LIMIT 64`, func(r *sqlite.Row) error {
		leaf, err := rows.ParseLeaf(r.Int(0), r.View(1))
		if err != nil {
			return err
		}
		if next = r.Int(0) + 1; leaf.N >= end {
			next = 0
			return errLeavesEnd
		}
		put(leaf.N, leaf.Hash[:])
		return nil
	}, seq)
	if err == errLeavesEnd {
		return 0, nil
	}
	return next, err
}

// errLeavesEnd ends the reading of leaves.
var errLeavesEnd = fmt.Errorf("ledger: the leaves that were asked for are read")

// seqOf returns the first record whose leaf is n or behind it, 0: there is none.
func (l logRows) seqOf(n int64) (int64, error) {
	last, _, err := l.c.Int(`SELECT max(seq) FROM record`)
	if err != nil {
		return 0, err
	}
	low, high := l.after+1, last+1 // records before low have leaves before n; those from high on have not
	for low < high {
		middle := low + (high-low)/2
		seq, leaf, err := l.leafFrom(middle)
		switch {
		case err != nil:
			return 0, err
		case seq == 0 || leaf.N >= n:
			high = middle
		default:
			low = seq + 1
		}
	}
	seq, _, err := l.leafFrom(low)
	return seq, err
}

// leafFrom returns the first record from seq on that has a leaf, and the leaf; 0: there is none.
func (l logRows) leafFrom(seq int64) (at int64, leaf rows.Leaf, err error) {
	_, err = l.c.First(`SELECT seq, leaf FROM record WHERE seq >= ?1 AND leaf IS NOT NULL ORDER BY seq LIMIT 1`, func(r *sqlite.Row) (err error) {
		at = r.Int(0)
		leaf, err = rows.ParseLeaf(at, r.View(1))
		return err
	}, seq)
	return at, leaf, err
}

// nextLeaf returns the number of the leaf of the first record behind seq that has one, else one behind
// all: what lies behind the leaf of record seq and before it came before the next record.
func (l logRows) nextLeaf(seq int64) (int64, error) {
	at, leaf, err := l.leafFrom(seq + 1)
	if at == 0 {
		return math.MaxInt64, err
	}
	return leaf.N, err
}

// Tile implements tree.Rows.
func (l logRows) Tile(level int, index int64, into *tree.Tile) error {
	id := tree.ID(level, index)
	found, whole := false, false
	_, err := l.c.First(`SELECT hashes FROM tile WHERE id = ?1`, func(r *sqlite.Row) error {
		found, whole = true, into.SetBytes(r.View(0))
		return nil
	}, id)
	if err == nil && !whole {
		err = rows.Damaged("tile", id, fmt.Sprintf("there: %t, whole: %t", found, whole))
	}
	return err
}

// whole returns the bytes of leaf n, nil: retention has removed them. Bytes that do not have the
// leaf's hash are an error: no proof holds for them.
func (l logRows) whole(n int64, names map[int64]string) ([]byte, error) {
	leaf, hash, err := l.leaf(n, names)
	if err == nil && leaf != nil && evidence.LeafHash(leaf) != evidence.Hash(hash) {
		err = rows.Damaged("leaf", n, "its bytes have another hash")
	}
	if err != nil {
		return nil, err
	}
	return leaf, nil
}

// leaf returns the bytes of leaf n and its hash; nil bytes: retention has removed them.
func (l logRows) leaf(n int64, names map[int64]string) (leaf []byte, hash tree.Hash, err error) {
	found, err := l.c.First(`SELECT hash, body FROM leaf WHERE n = ?1`, func(r *sqlite.Row) (err error) {
		copy(hash[:], r.View(0))
		if !r.IsNull(1) {
			leaf, err = packed.Text(nil, r.View(1))
		}
		return err
	}, n)
	if err != nil || found {
		return leaf, hash, err
	}
	seq, err := l.seqOf(n)
	if err != nil {
		return nil, hash, err
	}
	is, row, err := loadRecordLeaf(l.c, seq)
	if err != nil {
		return nil, hash, err
	}
	if is == nil || is.N != n {
		return nil, hash, rows.Damaged("leaf", n, "it is missing")
	}
	return recordLeaf(is, row, names[row.Link]), is.Hash, nil
}
