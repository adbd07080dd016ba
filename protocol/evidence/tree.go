package evidence

import (
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Classes of errors of this package.
var (
	ErrForm  = errors.New("evidence: not of the form of evidence.md")
	ErrProof = errors.New("evidence: does not hold")
)

// Bounds of what is read (evidence.md): hashes of a proof, and the largest size of a log,
// which is the largest integer of casework.md § 10.
const (
	MaxProof = 63
	MaxSize  = 1_000_000_000_000_000
)

// Hash is a SHA-256 of a tree.
type Hash = tlog.Hash

// LeafHash returns the hash of a leaf with these bytes.
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }

// CheckInclusion checks that the leaf with this hash is the n-th (from 0) of the tree of
// size and root. A proof does not prove the size: only a signed note does. ErrProof.
func CheckInclusion(proof []Hash, size int64, root Hash, n int64, leaf Hash) error {
	if n < 0 || n >= size || size > MaxSize || len(proof) > MaxProof {
		return fmt.Errorf("%w: leaf %d of %d with %d hashes", ErrProof, n, size, len(proof))
	}
	if tlog.CheckRecord(proof, size, root, n, leaf) != nil {
		return fmt.Errorf("%w: leaf %d is not in the tree of %d", ErrProof, n, size)
	}
	return nil
}

// CheckConsistency checks that the tree of from leaves is the beginning of that of size
// leaves. from 0 has an empty proof and is the beginning of every tree. ErrProof.
func CheckConsistency(proof []Hash, from int64, old Hash, size int64, root Hash) error {
	if from < 0 || from > size || size > MaxSize || len(proof) > MaxProof || from == 0 && len(proof) > 0 {
		return fmt.Errorf("%w: from %d to %d with %d hashes", ErrProof, from, size, len(proof))
	}
	if from > 0 && tlog.CheckTree(proof, size, root, from, old) != nil {
		return fmt.Errorf("%w: the tree of %d is not the beginning of that of %d", ErrProof, from, size)
	}
	return nil
}

// Tree is a log's tree in memory: two hashes a leaf. It is not safe for concurrent use.
type Tree struct {
	size   int64
	hashes []Hash
}

// Append adds a leaf and returns its number.
func (t *Tree) Append(leaf []byte) (int64, error) {
	added, err := tlog.StoredHashes(t.size, leaf, t)
	if err != nil {
		return 0, fmt.Errorf("%w: leaf %d: %w", ErrProof, t.size, err)
	}
	t.hashes = append(t.hashes, added...)
	t.size++
	return t.size - 1, nil
}

// Size returns the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// ReadHashes returns stored hashes by their index (tlog.StoredHashIndex).
func (t *Tree) ReadHashes(indexes []int64) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	for i, x := range indexes {
		if x < 0 || x >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("%w: no hash %d", ErrProof, x)
		}
		out[i] = t.hashes[x]
	}
	return out, nil
}

// Root returns the root of the tree of the first size leaves.
func (t *Tree) Root(size int64) (Hash, error) {
	if size < 0 || size > t.size {
		return Hash{}, fmt.Errorf("%w: no tree of %d", ErrProof, size)
	}
	return tlog.TreeHash(size, t)
}

// Inclusion proves leaf n of the tree of size.
func (t *Tree) Inclusion(n, size int64) ([]Hash, error) {
	if n < 0 || n >= size || size > t.size {
		return nil, fmt.Errorf("%w: no leaf %d of %d", ErrProof, n, size)
	}
	return tlog.ProveRecord(size, n, t)
}

// Consistency proves that the tree of from is the beginning of that of size; from 0 has an
// empty proof.
func (t *Tree) Consistency(from, size int64) ([]Hash, error) {
	if from < 0 || from > size || size > t.size {
		return nil, fmt.Errorf("%w: nothing leads from %d to %d", ErrProof, from, size)
	}
	if from == 0 {
		return nil, nil
	}
	return tlog.ProveTree(size, from, t)
}

// ProofTexts writes a proof as evidence.md has it: base64 of each hash.
func ProofTexts(proof []Hash) []string {
	out := make([]string, len(proof))
	for i, h := range proof {
		out[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return out
}

// ParseProof reads a list of hashes in canonical base64. ErrForm.
func ParseProof(v Value) ([]Hash, error) {
	if v.Kind != '[' || len(v.Items) > MaxProof {
		return nil, fmt.Errorf("%w: a proof is a list of at most %d hashes", ErrForm, MaxProof)
	}
	out := make([]Hash, len(v.Items))
	for i, item := range v.Items {
		h, err := decode64(item.Text, len(out[i]))
		if item.Kind != '"' || err != nil {
			return nil, fmt.Errorf("%w: hash %d of the proof", ErrForm, i)
		}
		copy(out[i][:], h)
	}
	return out, nil
}

// decode64 reads canonical base64 of n bytes; n < 0: of any number.
func decode64(text string, n int) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || n >= 0 && len(b) != n || base64.StdEncoding.EncodeToString(b) != text {
		return nil, fmt.Errorf("%w: base64", ErrForm)
	}
	return b, nil
}

// Decode64 reads base64 as evidence.md has it: padded, unused bits zero. ErrForm.
func Decode64(text string) ([]byte, error) { return decode64(text, -1) }
