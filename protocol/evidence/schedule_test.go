package evidence_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/evidence"
)

// TestSchedule: the rule of when a checkpoint is made.
func TestSchedule(t *testing.T) {
	at := time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC)
	type step struct {
		after time.Duration
		kind  string // "made": the checkpoint is made
	}
	for _, tt := range []struct {
		name  string
		steps []step
		due   time.Duration // -1: none
	}{
		{"nothing", nil, -1},
		{"an anchor alone", []step{{0, "anchor"}}, -1},
		{"a record", []step{{0, "record"}}, 10 * time.Minute},
		{"more records", []step{{0, "record"}, {5 * time.Minute, "verdict"}}, 10 * time.Minute},
		{"a case", []step{{0, "record"}, {3 * time.Second, "case"}}, 4 * time.Second},
		{"a hold", []step{{0, "hold"}, {500 * time.Millisecond, "case"}}, time.Second},
		{"a case behind a checkpoint", []step{{0, "case"}, {time.Second, "made"}, {2 * time.Second, "case"}}, 11 * time.Second},
		{"a case long behind a checkpoint", []step{{0, "made"}, {time.Hour, "case"}}, time.Hour + time.Second},
		{"a case when it is almost time", []step{{0, "record"}, {10*time.Minute - time.Millisecond, "case"}}, 10 * time.Minute},
		{"all is said", []step{{0, "case"}, {time.Second, "made"}}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s evidence.Schedule
			for _, one := range tt.steps {
				if one.kind == "made" {
					s.Made(at.Add(one.after))
				} else {
					s.Leaf(one.kind, at.Add(one.after))
				}
			}
			due, is := s.Due()
			if is != (tt.due >= 0) || is && due.Sub(at) != tt.due {
				t.Errorf("due after %v, %t; want %v", due.Sub(at), is, tt.due)
			}
		})
	}
}

// TestAnswers: what a note on dn/cosign means to the terminal.
func TestAnswers(t *testing.T) {
	const origin = "yuanlu/t-1/4T3X8K2M9QZ7V5B1N6C0DYHJRW"
	make1 := func(name, seed string) *evidence.Signer {
		s, err := evidence.NewSigner(name, []byte(strings.Repeat(seed, 32)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	own, desk, other := make1(origin, "a"), make1("yuanlu-desk/d", "d"), make1("yuanlu-desk/e", "e")
	var tree, forked evidence.Tree
	for i := range int64(9) {
		if _, err := tree.Append(exampleLeaf(i)); err != nil {
			t.Fatal(err)
		}
		if _, err := forked.Append(exampleLeaf(i + i/5)); err != nil {
			t.Fatal(err)
		}
	}
	note := func(s, cosigner *evidence.Signer, from *evidence.Tree, size int64) string {
		root, err := from.Root(size)
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.Sign(evidence.Checkpoint{Origin: s.String(), Size: size, Root: root})
		if err != nil {
			t.Fatal(err)
		}
		if n, err = cosigner.Cosign(n, 5); err != nil {
			t.Fatal(err)
		}
		return n.String()
	}
	trusted := desk.Key(evidence.KeyCosign)
	for _, tt := range []struct {
		name, text string
		cosigner   *evidence.Key
		size       int64
		want       evidence.Answered
	}{
		{"its own", note(own, desk, &tree, 6), &trusted, 8, evidence.Base},
		{"its newest", note(own, desk, &tree, 8), nil, 8, evidence.Base},
		{"above its size", note(own, desk, &tree, 9), &trusted, 8, evidence.Contradicted},
		{"another root", note(own, desk, &forked, 7), &trusted, 8, evidence.Contradicted},
		{"of another desk", note(own, other, &forked, 7), &trusted, 8, evidence.Ignored},
		{"of another log", note(make1("yuanlu/t-1/"+strings.Repeat("B", 26), "a"), desk, &tree, 6), &trusted, 8, evidence.Ignored},
		{"by another key", note(make1(origin, "b"), desk, &forked, 7), &trusted, 8, evidence.Ignored},
		{"none", "", nil, 8, evidence.Ignored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := evidence.CheckAnswer(tt.text, own.Key(evidence.KeyLog), tt.cosigner, tt.size, tree.Root)
			if err != nil || got != tt.want {
				t.Errorf("got %d, %v; want %d", got, err, tt.want)
			}
		})
	}
	broken := errors.New("disk")
	if _, _, err := evidence.CheckAnswer(note(own, desk, &tree, 6), own.Key(evidence.KeyLog), nil, 8, func(int64) (evidence.Hash, error) { return evidence.Hash{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestData: what is written for each type of leaf is read as a leaf.
func TestData(t *testing.T) {
	record := &evidence.RecordData{Seq: 5, CopyOf: 3, Link: "pos", Received: "2026-08-23T09:00:00+08:00", Synced: true, FrameMAC: "k1:00", Record: []byte(`{"v":1}`)}
	verdict := &evidence.VerdictData{Verdict: []byte(`{"type":"verdict","seq":5,"rev":1}`), RuleSet: "a", Settings: "b"}
	event := &evidence.CaseData{ID: "E1", Sequence: "00000000000000000001", Type: "yuanlu.case.opened.v1", Subject: "case/A", Time: "2026-08-23T01:00:00.000Z", Data: []byte(`{"case_id":"A"}`)}
	at := time.Date(2026, 8, 23, 1, 0, 0, 0, time.UTC)
	for kind, d := range map[string][]byte{
		evidence.LeafRecord: record.Append(nil), evidence.LeafVerdict: verdict.Append(nil), evidence.LeafCase: event.Append(nil), evidence.LeafSettled: evidence.AppendSettled(nil, "S1", 7, ""),
		evidence.LeafAnchor: evidence.AppendAnchor(nil, "a\nb\n"), evidence.LeafMatch: evidence.AppendMatch(nil, 5, true, false), evidence.LeafNote: evidence.AppendLog(nil, "salvage", "x\n"),
	} {
		l, err := evidence.ParseLeaf(evidence.AppendLeaf(nil, 0, at, kind, d))
		if err != nil || l.Type != kind {
			t.Errorf("%s: %v in %s", kind, err, d)
		}
	}
	if got, want := string(evidence.AppendMatch(nil, 5, true, false)), `{"seq":5,"who":"payer","result":"different"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
