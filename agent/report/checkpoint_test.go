package report_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/report"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// treeLog is an evidence log in memory.
type treeLog struct {
	mu       sync.Mutex // guards the rest
	tree     evidence.Tree
	leaf0    []byte
	schedule evidence.Schedule
	signer   *evidence.Signer
	base     int64
}

func newTreeLog(t *testing.T) *treeLog {
	s, err := evidence.NewSigner("yuanlu/"+terminal+"/01J8ZK0Q4T7V9X2C5N8P3R6S1W", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	l := &treeLog{signer: s}
	l.leaf0 = evidence.AppendLeaf(nil, 0, time.Now(), evidence.LeafNote, evidence.AppendLog(nil, "new", ""))
	l.add(evidence.LeafNote, l.leaf0)
	return l
}

func (l *treeLog) add(kind string, leaf []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.tree.Append(leaf)
	l.schedule.Leaf(kind, time.Now())
}

func (l *treeLog) CheckpointDue() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.schedule.Due()
	return time.Until(at), ok
}

func (l *treeLog) Checkpoint(_ context.Context, size int64) (*evidence.Announcement, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if size == 0 {
		size = l.tree.Size()
		l.schedule.Made(time.Now())
	}
	root, err := l.tree.Root(size)
	if err != nil {
		return nil, err
	}
	a := &evidence.Announcement{Key: l.signer.Key(evidence.KeyLog), From: l.base}
	if a.Note, err = l.signer.Sign(evidence.Checkpoint{Origin: l.signer.String(), Size: size, Root: root}); err != nil {
		return nil, err
	}
	if a.Proof, err = l.tree.Consistency(l.base, size); err != nil {
		return nil, err
	}
	if a.From == 0 {
		a.Start = &evidence.Start{Leaf: l.leaf0}
		a.Start.Proof, err = l.tree.Inclusion(0, size)
	}
	return a, err
}

func (l *treeLog) Cosigned(_ context.Context, _, note, _ string, cosigner *evidence.Key) (evidence.Answered, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	is, size, err := evidence.CheckAnswer(note, l.signer.Key(evidence.KeyLog), cosigner, l.tree.Size(), l.tree.Root)
	if is == evidence.Base {
		l.base = max(l.base, size)
	}
	return is, size, err
}

// announced returns the sizes of the checkpoints that were published, and when, since a moment.
func announced(t *testing.T, g *rig) (list []*evidence.Announcement) {
	t.Helper()
	for _, p := range g.fake.Published() {
		if p.Topic == names.Checkpoint() {
			a, err := evidence.ParseAnnouncement(p.Payload, terminal)
			if err != nil {
				t.Fatalf("%s: %v", p.Payload, err)
			}
			list = append(list, a)
		}
	}
	return list
}

// TestCheckpointsArePublished: one at once, again after 30 s that double while none answers, one within
// a second of a case, and no more once the newest is co-signed (evidence.md § 2).
func TestCheckpointsArePublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTreeLog(t)
		f := &brokertest.Fake{}
		desk, err := evidence.NewSigner("yuanlu-desk/shop", make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		key := desk.Key(evidence.KeyCosign)
		g := start(t, f, func(g *rig, o *report.Options) { g.evidence, o.Cosigner = l, &key })
		count := func(want int) *evidence.Announcement {
			t.Helper()
			list := announced(t, g)
			if len(list) != want {
				t.Fatalf("%d checkpoints were published, want %d", len(list), want)
			}
			return list[len(list)-1]
		}
		answer := func(a *evidence.Announcement, by *evidence.Signer) {
			t.Helper()
			n, err := by.Cosign(a.Note, 1_800_000_000)
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(topics.Cosign{V: 1, Origin: n.Origin, Checkpoint: n.String()})
			if err != nil {
				t.Fatal(err)
			}
			f.Push(names.Cosign(), b, true)
		}
		pass(time.Second)
		count(1)
		pass(30 * time.Second)
		count(2)
		pass(58 * time.Second)
		first := count(2)
		pass(2 * time.Second)
		count(3)

		stranger, err := evidence.NewSigner("yuanlu-desk/shop", append(make([]byte, 31), 1))
		if err != nil {
			t.Fatal(err)
		}
		answer(first, stranger) // it is not believed
		pass(3 * time.Minute)
		count(4)
		answer(first, desk)
		pass(2 * time.Hour)
		count(4)

		l.add(evidence.LeafRecord, []byte("a sale"))
		l.add(evidence.LeafCase, []byte("a case"))
		g.Wake()
		pass(1100 * time.Millisecond)
		if a := count(5); a.Note.Size != 3 || a.From != 1 {
			t.Errorf("size %d from %d", a.Note.Size, a.From)
		}
		l.add(evidence.LeafCase, []byte("another"))
		g.Wake()
		pass(8 * time.Second) // not within 10 s of the last
		count(5)
		pass(2 * time.Second)
		second := count(6)
		answer(second, desk)
		pass(time.Hour)
		count(6)
		g.stop()
	})
}
