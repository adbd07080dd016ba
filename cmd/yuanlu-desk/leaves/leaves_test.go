package leaves

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// asksOf is a store with some asks that are due once.
type asksOf struct {
	due    []store.LeafAsk
	kept   []string
	got    []store.LeafAnswer
	failed []string
}

func (s *asksOf) DueAsks(context.Context, time.Time) ([]store.LeafAsk, error) {
	due := s.due
	s.due = nil
	return due, nil
}

func (s *asksOf) KeepLeaves(_ context.Context, ask *store.LeafAsk, got *store.LeafAnswer) error {
	s.kept, s.got = append(s.kept, ask.CaseID), append(s.got, *got)
	return nil
}

func (s *asksOf) AskFailed(_ context.Context, ask *store.LeafAsk, why string) error {
	s.failed = append(s.failed, ask.CaseID+" "+why)
	return nil
}

// TestOneQuestionOfATerminalAtATime: a terminal takes few commands at once. The next is sent when it
// has answered; one that is busy is no answer; one that is silent is asked for nothing more.
func TestOneQuestionOfATerminalAtATime(t *testing.T) {
	s, now := &asksOf{}, time.Date(2026, 8, 23, 9, 0, 0, 0, time.UTC)
	for i := range 4 {
		for _, terminal := range []string{"t-1", "t-2"} {
			s.due = append(s.due, store.LeafAsk{Terminal: terminal, CaseID: fmt.Sprintf("%s/%d", terminal, i), Origin: "o", Sizes: []int64{1}})
		}
	}
	a := New(s, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	var sent []topics.Cmd
	asked := map[string]string{} // the newest command by terminal
	send := func(terminal string, c topics.Cmd) error {
		sent, asked[terminal] = append(sent, c), c.ID
		return nil
	}
	step := func(terminal, status, code string, want int) {
		t.Helper()
		if terminal != "" {
			m, err := json.Marshal(map[string]any{"id": asked[terminal], "status": status, "error": map[string]string{"code": code, "message": ""},
				"data": map[string]any{"origin": "o", "vkey": "k", "pages": 0, "leaves": 0, "removed": 0, "more": false, "checkpoints": []any{}}})
			if err != nil {
				t.Fatal(err)
			}
			a.Take(terminal, m)
		}
		if err := a.Once(t.Context(), send); err != nil || len(sent) != want {
			t.Fatalf("%d sent, %v; want %d", len(sent), err, want)
		}
	}
	step("", "", "", 2)
	step("t-1", "ok", "", 3)
	step("t-1", "error", "busy", 4)
	step("t-1", "error", "not_cosigned", 5)
	step("t-1", "ok", "", 5)
	now = now.Add(time.Minute)
	step("", "", "", 5)
	slices.Sort(s.failed)
	if got := fmt.Sprint(s.kept, s.failed); got != "[t-1/0 t-1/3] [t-1/2 not_cosigned t-2/0 no_answer t-2/1 no_answer t-2/2 no_answer t-2/3 no_answer]" {
		t.Error(got)
	}
}

// TestTurnsOfALongCase: a case of more leaves than one answer has is asked for in turns, each behind the
// last leaf of the one before. The leaves and the removed ones of all turns are kept together.
func TestTurnsOfALongCase(t *testing.T) {
	s, now := &asksOf{due: []store.LeafAsk{{Terminal: "t-1", CaseID: "c", Origin: "o", Sizes: []int64{9}}}}, time.Date(2026, 8, 23, 9, 0, 0, 0, time.UTC)
	a := New(s, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	var newest topics.Cmd
	send := func(_ string, c topics.Cmd) error { newest = c; return nil }
	take := func(status string, data map[string]any) {
		t.Helper()
		m, err := json.Marshal(map[string]any{"id": newest.ID, "status": status, "data": data})
		if err != nil {
			t.Fatal(err)
		}
		a.Take("t-1", m)
		if err := a.Once(t.Context(), send); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Once(t.Context(), send); err != nil {
		t.Fatal(err)
	}
	var after []int64
	for i, turn := range []struct{ leaf, removed int }{{0, 2}, {4, 0}, {7, 1}} {
		var args struct{ After int64 }
		if err := json.Unmarshal(newest.Args, &args); err != nil {
			t.Fatal(err)
		}
		after = append(after, args.After)
		take("progress", map[string]any{"page": 1, "leaves": []any{map[string]any{"n": turn.leaf, "size": 9, "leaf": "x", "proof": []any{}}}})
		take("ok", map[string]any{"origin": "o", "vkey": "k", "pages": 1, "leaves": 1, "removed": turn.removed, "more": i < 2, "checkpoints": []any{}})
	}
	if len(s.got) != 1 || len(s.got[0].Leaves) != 3 || s.got[0].Removed != 3 || len(s.failed) > 0 {
		t.Errorf("kept %+v, failed %q; want 3 leaves, 3 removed", s.got, s.failed)
	}
	if got := fmt.Sprint(after); got != "[-1 0 4]" {
		t.Errorf("asked behind %s", got)
	}
}
