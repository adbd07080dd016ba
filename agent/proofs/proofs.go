// Package proofs writes what the terminal itself can prove of a case: the folder terminal/ of an evidence
// pack (evidence.md §§ 3, 5), as a ZIP of the same form.
package proofs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"

	"yuanlu/agent/ledger"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/evidence/pack"
)

// Written is what was written.
type Written struct {
	Origin  string `json:"origin"`
	VKey    string `json:"vkey"`
	Size    int64  `json:"size"` // of the checkpoint that all leaves are under
	Leaves  int    `json:"leaves"`
	Removed int    `json:"removed"` // leaves of which retention has removed the bytes
}

// Source has the leaves; *ledger.DB is one.
type Source interface {
	Proofs(ctx context.Context, q ledger.ProofQuery) (*ledger.Proofs, error)
}

// Write writes the leaves of a case under the newest co-signed checkpoint. Errors: those of
// ledger.DB.Proofs, and of out.
func Write(ctx context.Context, db Source, caseID string, out io.Writer) (w Written, err error) {
	var leaves, points bytes.Buffer
	q := ledger.ProofQuery{CaseID: caseID, After: -1}
	for more := true; more; {
		p, err := db.Proofs(ctx, q)
		if err != nil {
			return w, err
		}
		for i := range p.Checkpoints {
			c := &p.Checkpoints[i]
			if len(q.Sizes) > 0 {
				break // the same as of the part before
			}
			w.Origin, w.VKey, w.Size = p.Origin, p.VKey, c.Size
			if err := line(&points, point{p.Origin, c.Size, c.Note, c.From, hashes(c.Proof)}); err != nil {
				return w, err
			}
		}
		q.Sizes = []int64{w.Size} // a checkpoint that is co-signed meanwhile does not count
		w.Removed += p.Removed    // each turn counts those behind the one before
		for i := range p.Leaves {
			l := &p.Leaves[i]
			if err := line(&leaves, leaf{p.Origin, l.N, l.Size, string(l.Leaf), hashes(l.Proof)}); err != nil {
				return w, err
			}
			w.Leaves++
			q.After = l.N
		}
		more = p.More && len(p.Leaves) > 0
	}
	return w, pack.Write(out, []pack.File{{Name: pack.Checkpoints, Data: points.Bytes()}, {Name: pack.Leaves, Data: leaves.Bytes()}})
}

// point is a line of terminal/checkpoints.jsonl, leaf one of terminal/leaves.jsonl.
type (
	point struct {
		Origin string   `json:"origin"`
		Size   int64    `json:"size"`
		Note   string   `json:"note"`
		From   int64    `json:"from"`
		Proof  []string `json:"proof"`
	}
	leaf struct {
		Origin string   `json:"origin"`
		N      int64    `json:"n"`
		Size   int64    `json:"size"`
		Leaf   string   `json:"leaf"`
		Proof  []string `json:"proof"`
	}
)

// line writes v as one line, without the escapes that HTML needs.
func line(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func hashes(list []evidence.Hash) []string {
	out := make([]string, len(list))
	for i, h := range list {
		out[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return out
}
