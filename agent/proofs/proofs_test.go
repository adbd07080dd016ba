package proofs

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"yuanlu/agent/ledger"
	"yuanlu/protocol/evidence"
)

// turns answers one query after the other, and keeps them.
type turns struct {
	answers []*ledger.Proofs
	asked   []ledger.ProofQuery
}

func (s *turns) Proofs(_ context.Context, q ledger.ProofQuery) (*ledger.Proofs, error) {
	s.asked = append(s.asked, q)
	if len(s.answers) == 0 {
		return nil, ledger.ErrNotFound
	}
	p := s.answers[0]
	s.answers = s.answers[1:]
	return p, nil
}

// answer is one turn of a log of 9 leaves: the leaves ns, and removed ones.
func answer(removed int, more bool, ns ...int64) *ledger.Proofs {
	p := &ledger.Proofs{Origin: "yuanlu/t-1/x", VKey: "key", Removed: removed, More: more,
		Checkpoints: []ledger.ProvedCheckpoint{{Size: 9, Note: "note <&>\n"}}}
	for _, n := range ns {
		p.Leaves = append(p.Leaves, ledger.ProvedLeaf{N: n, Size: 9, Leaf: fmt.Appendf(nil, `{"v":1,"n":%d}`, n), Proof: []evidence.Hash{{1}}})
	}
	return p
}

// TestAllTurnsOfACase: a case with more leaves than one query returns is asked for in turns, all under
// the first checkpoint. Each turn counts the removed leaves behind the one before, so they add up.
func TestAllTurnsOfACase(t *testing.T) {
	s := &turns{answers: []*ledger.Proofs{answer(2, true, 0, 3), answer(1, true, 5), answer(1, false)}}
	var out bytes.Buffer
	w, err := Write(t.Context(), s, "C", &out)
	if want := (Written{Origin: "yuanlu/t-1/x", VKey: "key", Size: 9, Leaves: 3, Removed: 4}); err != nil || w != want {
		t.Errorf("%+v %v, want %+v", w, err, want)
	}
	if got, want := fmt.Sprint(s.asked), "[{C [] [] -1} {C [9] [] 3} {C [9] [] 5}]"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || len(z.File) != 2 {
		t.Fatal(err)
	}
	proof := `"proof":["AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}` + "\n"
	leaf := func(n int) string {
		return fmt.Sprintf(`{"origin":"yuanlu/t-1/x","n":%d,"size":9,"leaf":"{\"v\":1,\"n\":%d}",`, n, n) + proof
	}
	for i, want := range []struct{ name, text string }{
		{"terminal/checkpoints.jsonl", `{"origin":"yuanlu/t-1/x","size":9,"note":"note <&>\n","from":0,"proof":[]}` + "\n"},
		{"terminal/leaves.jsonl", leaf(0) + leaf(3) + leaf(5)},
	} {
		f, err := z.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil || z.File[i].Name != want.name || string(text) != want.text {
			t.Errorf("%s: %s%v, want %s", z.File[i].Name, text, err, want.text)
		}
	}
}

// TestNothingIsWrittenOfNoCase: where the leaves cannot be had nothing is written, and the error is returned.
func TestNothingIsWrittenOfNoCase(t *testing.T) {
	for _, before := range [][]*ledger.Proofs{nil, {answer(0, true, 0)}} {
		var out strings.Builder
		if _, err := Write(t.Context(), &turns{answers: before}, "C", &out); !errors.Is(err, ledger.ErrNotFound) || out.Len() > 0 {
			t.Errorf("%v, %d bytes", err, out.Len())
		}
	}
}
