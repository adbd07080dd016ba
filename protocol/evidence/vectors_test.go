package evidence_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"yuanlu/protocol/evidence"
)

func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func decode(t *testing.T, line string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), into); err != nil {
		t.Fatal(err)
	}
}

func exampleLeaf(i int64) []byte { return fmt.Appendf(nil, "yuanlu leaf %d", i) }

type treeVector struct {
	Root          string
	N, Size, From int64
	Inclusion     json.RawMessage
	Consistency   json.RawMessage
	Holds         *bool
	LeafOf        *int64  `json:"leaf"`
	RootOfSize    int64   `json:"root_of"`
	RootsOf       []int64 `json:"roots_of"`
	Why           string
}

// TestTreeVectors: every root, inclusion and consistency of the examples, made and checked;
// those that must be refused are.
func TestTreeVectors(t *testing.T) {
	var tree evidence.Tree
	for i := range int64(100_000) {
		if _, err := tree.Append(exampleLeaf(i)); err != nil {
			t.Fatal(err)
		}
	}
	root := func(size int64) evidence.Hash {
		h, err := tree.Root(size)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	counts := map[string]int{}
	for i, line := range lines(t, "testdata/tree-vectors.jsonl") {
		var v treeVector
		decode(t, line, &v)
		refused := v.Holds != nil && !*v.Holds
		var err error
		var made []evidence.Hash
		var list json.RawMessage
		switch {
		case v.Root != "":
			counts["root"]++
			if h := root(v.Size); h.String() != v.Root {
				t.Errorf("line %d: root of %d is %s, want %s", i+1, v.Size, h, v.Root)
			}
			continue
		case v.Inclusion != nil:
			counts["inclusion"]++
			leaf, of := v.N, v.Size
			if refused {
				leaf, of = *v.LeafOf, v.RootOfSize
			}
			list = v.Inclusion
			err = check(list, func(p []evidence.Hash) error {
				return evidence.CheckInclusion(p, v.Size, root(of), v.N, evidence.LeafHash(exampleLeaf(leaf)))
			})
			if !refused {
				made, _ = tree.Inclusion(v.N, v.Size)
			}
		case v.Consistency != nil:
			counts["consistency"]++
			from, of := v.From, v.Size
			if refused {
				from, of = v.RootsOf[0], v.RootsOf[1]
			}
			list = v.Consistency
			err = check(list, func(p []evidence.Hash) error {
				return evidence.CheckConsistency(p, v.From, root(from), v.Size, root(of))
			})
			if !refused {
				made, _ = tree.Consistency(v.From, v.Size)
			}
		default:
			continue
		}
		if refused {
			counts["refused"]++
			if !errors.Is(err, evidence.ErrProof) && !errors.Is(err, evidence.ErrForm) {
				t.Errorf("line %d (%s): taken", i+1, v.Why)
			}
			continue
		}
		if b, _ := json.Marshal(evidence.ProofTexts(made)); err != nil || string(b) != string(list) {
			t.Errorf("line %d: %v; made %s, want %s", i+1, err, b, list)
		}
	}
	if counts["root"] < 70 || counts["inclusion"] < 100 || counts["consistency"] < 100 || counts["refused"] != 16 {
		t.Errorf("of the vectors only %v were there", counts)
	}
}

func check(list json.RawMessage, holds func([]evidence.Hash) error) error {
	v, err := evidence.Parse(list)
	if err != nil {
		return err
	}
	p, err := evidence.ParseProof(v)
	if err != nil {
		return err
	}
	return holds(p)
}

// TestNoteVectors: keys, notes and co-signatures byte for byte; what must be refused is.
func TestNoteVectors(t *testing.T) {
	signers := map[string]*evidence.Signer{}
	keys := map[string]evidence.Key{}
	taken, refused := 0, 0
	for i, line := range lines(t, "testdata/notes-vectors.jsonl") {
		var v struct {
			Name, Seed, Vkey, Origin, Root, Note, Cosigned, Why string
			Type                                                byte
			Size, Time                                          int64
			Holds                                               *bool
		}
		decode(t, line, &v)
		switch {
		case v.Vkey != "":
			seed, err := hex.DecodeString(v.Seed)
			if err != nil {
				t.Fatal(err)
			}
			s, err := evidence.NewSigner(v.Name, seed)
			if err != nil {
				t.Fatal(err)
			}
			signers[v.Name] = s
			keys[v.Name] = s.Key(v.Type)
			parsed, err := evidence.ParseKey(v.Vkey, v.Type)
			if got := s.Key(v.Type).String(); got != v.Vkey || err != nil || parsed.String() != v.Vkey {
				t.Errorf("line %d: vkey %s, %v; want %s", i+1, got, err, v.Vkey)
			}
			if again, err := evidence.ParseSigner(s.PrivateLine()); err != nil || again.Key(v.Type).String() != v.Vkey {
				t.Errorf("line %d: the private key does not read back: %v", i+1, err)
			}
		case v.Holds != nil:
			refused++
			if n, err := evidence.ParseNote(v.Note); err == nil && n.SignedBy(keys["yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW"]) == nil {
				if at, err := n.CosignedBy(keys["yuanlu-desk/desk-1"]); err == nil {
					t.Errorf("line %d (%s): taken, at %d", i+1, v.Why, at)
				}
			}
		case v.Note != "":
			taken++
			c := evidence.Checkpoint{Origin: v.Origin, Size: v.Size}
			root, err := evidence.Decode64(v.Root)
			if err != nil {
				t.Fatal(err)
			}
			copy(c.Root[:], root)
			n, err := signers[v.Origin].Sign(c)
			if err != nil || n.String() != v.Note {
				t.Fatalf("line %d: %v, %q, want %q", i+1, err, n, v.Note)
			}
			both, err := signers["yuanlu-desk/desk-1"].Cosign(n, v.Time)
			if err != nil || both.String() != v.Cosigned {
				t.Fatalf("line %d: %v, %q, want %q", i+1, err, both, v.Cosigned)
			}
			read, err := evidence.ParseNote(v.Cosigned)
			if err != nil || read.SignedBy(keys[v.Origin]) != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			if at, err := read.CosignedBy(keys["yuanlu-desk/desk-1"]); err != nil || at != v.Time {
				t.Errorf("line %d: %d, %v", i+1, at, err)
			}
		}
	}
	if taken < 3 || refused < 15 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
}
