package desktest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/topics"
)

// Log is the evidence log of a terminal that is played by a test.
type Log struct {
	t        testing.TB
	Terminal string
	Signer   *evidence.Signer
	Tree     evidence.Tree
	Leaves   [][]byte
	cases    map[string][]int64 // leaves of a case
	notes    map[int64]string   // co-signed, by size
	at       time.Time
}

// NewLog begins a log; name is its last part, of one character, and seed that of its key.
func NewLog(t testing.TB, terminal, name, seed, why, before string) *Log {
	t.Helper()
	s, err := evidence.NewSigner("yuanlu/"+terminal+"/"+strings.Repeat(name, 26), []byte(strings.Repeat(seed, 32)))
	if err != nil {
		t.Fatal(err)
	}
	l := &Log{t: t, Terminal: terminal, Signer: s, cases: map[string][]int64{}, notes: map[int64]string{}, at: time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC)}
	l.Add(evidence.LeafNote, evidence.AppendLog(nil, why, before))
	return l
}

// Add adds a leaf that belongs to cases.
func (l *Log) Add(kind string, d []byte, cases ...string) int64 {
	l.t.Helper()
	l.at = l.at.Add(time.Second)
	leaf := evidence.AppendLeaf(nil, l.Tree.Size(), l.at, kind, d)
	n, err := l.Tree.Append(leaf)
	if err != nil {
		l.t.Fatal(err)
	}
	l.Leaves = append(l.Leaves, leaf)
	for _, id := range cases {
		l.cases[id] = append(l.cases[id], n)
	}
	return n
}

// Case adds the leaf of a case event.
func (l *Log) Case(event []byte) {
	l.t.Helper()
	var e struct {
		ID, Sequence, Type, Subject, Time string
		Data                              json.RawMessage
	}
	if err := json.Unmarshal(event, &e); err != nil {
		l.t.Fatal(err)
	}
	d := evidence.CaseData{ID: e.ID, Sequence: e.Sequence, Type: e.Type, Subject: e.Subject, Time: e.Time, Data: e.Data}
	l.Add(evidence.LeafCase, d.Append(nil), strings.TrimPrefix(e.Subject, "case/"))
}

// Announce is the log as it is, on up/checkpoint, as it continues a size.
func (l *Log) Announce(from int64) []byte {
	l.t.Helper()
	size := l.Tree.Size()
	root, err := l.Tree.Root(size)
	if err != nil {
		l.t.Fatal(err)
	}
	n, err := l.Signer.Sign(evidence.Checkpoint{Origin: l.Signer.String(), Size: size, Root: root})
	if err != nil {
		l.t.Fatal(err)
	}
	a := evidence.Announcement{Key: l.Signer.Key(evidence.KeyLog), Note: n, From: from}
	if a.Proof, err = l.Tree.Consistency(from, size); err != nil {
		l.t.Fatal(err)
	}
	if from == 0 {
		proof, err := l.Tree.Inclusion(0, size)
		if err != nil {
			l.t.Fatal(err)
		}
		a.Start = &evidence.Start{Leaf: l.Leaves[0], Proof: proof}
	}
	return a.Append(nil)
}

// Cosigned takes an answer on dn/cosign; a desk's note in it is anchored.
func (l *Log) Cosigned(answer topics.Cosign) {
	l.t.Helper()
	n, err := evidence.ParseNote(answer.Checkpoint)
	if err != nil || len(n.Lines) != 2 || n.SignedBy(l.Signer.Key(evidence.KeyLog)) != nil {
		l.t.Fatalf("not an answer to %s: %v, %q", l.Signer, err, answer.Checkpoint)
	}
	l.notes[n.Size] = answer.Checkpoint
	if answer.Desk != "" {
		at := l.Add(evidence.LeafAnchor, evidence.AppendAnchor(nil, answer.Desk))
		for id := range l.cases {
			l.cases[id] = append(l.cases[id], at)
		}
	}
}

// Newest is the size of the newest co-signed note; 0: none.
func (l *Log) Newest() (size int64) {
	for n := range l.notes {
		size = max(size, n)
	}
	return size
}

// Answer answers a command evidence: the messages on up/rsp/evidence, in order.
func (l *Log) Answer(command []byte) (out [][]byte) {
	l.t.Helper()
	var c struct {
		ID   string
		Args struct {
			CaseID string `json:"case_id"`
			Sizes  []int64
			After  int64
		}
	}
	if err := json.Unmarshal(command, &c); err != nil {
		l.t.Fatal(err)
	}
	say := func(status string, data any) {
		b, err := json.Marshal(map[string]any{"id": c.ID, "status": status, "data": data, "ts": "2026-08-23T01:00:00Z"})
		if err != nil {
			l.t.Fatal(err)
		}
		out = append(out, b)
	}
	pages, count := 0, 0
	for _, n := range append([]int64{0}, l.cases[c.Args.CaseID]...) {
		for _, size := range c.Args.Sizes {
			if size <= n || n <= c.Args.After {
				continue
			}
			proof, err := l.Tree.Inclusion(n, size)
			if err != nil {
				l.t.Fatal(err)
			}
			pages, count = pages+1, count+1
			say("progress", map[string]any{"page": pages, "leaves": []any{map[string]any{"n": n, "size": size, "leaf": string(l.Leaves[n]), "proof": evidence.ProofTexts(proof)}}})
			break
		}
	}
	points, from := []any{}, int64(0)
	for _, size := range c.Args.Sizes {
		proof, err := l.Tree.Consistency(from, size)
		if err != nil {
			l.t.Fatal(err)
		}
		points = append(points, map[string]any{"size": size, "note": l.notes[size], "from": from, "proof": evidence.ProofTexts(proof)})
		from = size
	}
	say("ok", map[string]any{"origin": l.Signer.String(), "vkey": l.Signer.Key(evidence.KeyLog).String(), "pages": pages, "leaves": count, "removed": 0, "more": false, "checkpoints": points})
	return out
}
