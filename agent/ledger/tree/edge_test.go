package tree

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"yuanlu/protocol/evidence"
)

// memory is a store of hashes.
type memory struct {
	leaves []Hash
	tiles  map[int64]Tile
}

func (m *memory) Leaves(first int64, into []Hash) error {
	if copy(into, m.leaves[first:]) < len(into) {
		return fmt.Errorf("leaves from %d", first)
	}
	return nil
}

func (m *memory) Tile(level int, index int64, into *Tile) error {
	t, ok := m.tiles[ID(level, index)]
	if !ok {
		return fmt.Errorf("no tile %d of level %d", index, level)
	}
	*into = t
	return nil
}

func (m *memory) put(level int, index int64, t *Tile) error {
	m.tiles[ID(level, index)] = *t
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLikeTheWholeTree compares roots and proofs with a tree that keeps every hash, while leaves are
// added, and again from an edge that was loaded.
func TestLikeTheWholeTree(t *testing.T) {
	const leaves = 8300 // two full tiles of level 1 and a rest of each level
	rng := rand.New(rand.NewPCG(1, 2))
	m, whole, e := &memory{tiles: map[int64]Tile{}}, &evidence.Tree{}, &Edge{}
	compare := func(r *Reader) {
		t.Helper()
		size := 1 + rng.Int64N(r.Size())
		from, n := rng.Int64N(size+1), rng.Int64N(size)
		got, err := r.Root(size)
		must(t, err)
		want, err := whole.Root(size)
		must(t, err)
		if got != want {
			t.Fatalf("root of %d is %v, want %v", size, got, want)
		}
		for what, prove := range map[string]func(tree interface {
			Inclusion(n, size int64) ([]Hash, error)
			Consistency(from, size int64) ([]Hash, error)
		}) ([]Hash, error){
			"inclusion": func(tree interface {
				Inclusion(n, size int64) ([]Hash, error)
				Consistency(from, size int64) ([]Hash, error)
			}) ([]Hash, error) {
				return tree.Inclusion(n, size)
			},
			"consistency": func(tree interface {
				Inclusion(n, size int64) ([]Hash, error)
				Consistency(from, size int64) ([]Hash, error)
			}) ([]Hash, error) {
				return tree.Consistency(from, size)
			},
		} {
			got, err := prove(r)
			must(t, err)
			want, err := prove(whole)
			must(t, err)
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s of %d, %d in %d: %s", what, n, from, size, d)
			}
		}
	}
	for i := range leaves {
		leaf := fmt.Appendf(nil, "leaf %d", i)
		_, err := whole.Append(leaf)
		must(t, err)
		h := evidence.LeafHash(leaf)
		m.leaves = append(m.leaves, h)
		must(t, e.Append(h, m.put))
		if i%211 == 0 || i < 130 && i%3 == 0 {
			compare(e.Reader(m))
			got, err := e.Root()
			must(t, err)
			want, err := whole.Root(e.Size())
			must(t, err)
			if got != want {
				t.Fatalf("root of %d", e.Size())
			}
		}
		if i%997 == 0 || i == 4095 || i == 8191 {
			loaded, err := Load(e.Size(), m)
			must(t, err)
			compare(loaded.Reader(m))
			e = loaded
		}
	}
	r := e.Reader(m)
	for range 100 {
		compare(r)
	}
	for _, err := range []error{
		second(r.Root(leaves + 1)), second(r.Inclusion(leaves, leaves)), second(r.Inclusion(-1, 3)), second(r.Consistency(9, 8)), second(r.Consistency(1, leaves+1)),
	} {
		if err == nil {
			t.Error("what is not there was proved")
		}
	}
}

func second[T any](_ T, err error) error { return err }
