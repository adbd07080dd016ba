package rows

import (
	"crypto/sha256"
	"encoding/binary"
)

// Leaf is what a record's row has of its leaf in the evidence log (migrations/0010.sql).
type Leaf struct {
	N    int64
	At   int64 // time of the leaf, in ms after Record.Received
	Hash [sha256.Size]byte
}

// AppendLeaf writes the column leaf.
func AppendLeaf(b []byte, l Leaf) []byte {
	if b == nil {
		b = make([]byte, 0, 2*binary.MaxVarintLen64+sha256.Size)
	}
	return append(binary.AppendVarint(binary.AppendUvarint(b, uint64(l.N)), l.At), l.Hash[:]...)
}

// ParseLeaf reads the column leaf of record seq; *Error if it is damaged.
func ParseLeaf(seq int64, b []byte) (l Leaf, err error) {
	n, used := binary.Uvarint(b)
	if used > 0 {
		b = b[used:]
		l.N = int64(n)
		if l.At, used = binary.Varint(b); used > 0 && l.N >= 0 && len(b)-used == sha256.Size {
			copy(l.Hash[:], b[used:])
			return l, nil
		}
	}
	return l, Damaged("record", seq, "its leaf is not readable")
}
