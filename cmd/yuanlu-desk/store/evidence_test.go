package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/cosign"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/topics"
)

func cosigner(t *testing.T, name, seed string) *evidence.Signer {
	t.Helper()
	s, err := evidence.NewSigner("yuanlu-desk/"+name, []byte(strings.Repeat(seed, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cosigns has the store co-sign with a key.
func (r *rig) cosigns(s *store.Store, key *evidence.Signer, begins bool) {
	r.t.Helper()
	begun, err := s.SetCosigner(r.t.Context(), r.now, key)
	if err != nil || begun != begins {
		r.t.Fatalf("begun %v, %v", begun, err)
	}
}

// announced has a log's checkpoint answered, and returns the size that was co-signed and the alarms.
func (r *rig) announced(l *desktest.Log, message []byte) string {
	r.t.Helper()
	a := r.take(said{l.Terminal + "/up/checkpoint", string(message), false})
	var out []string
	for _, one := range a.Cosigned {
		size := "none"
		if one.Answer.Checkpoint != "" {
			n, err := evidence.ParseNote(one.Answer.Checkpoint)
			if err != nil {
				r.t.Fatal(err)
			}
			size = fmt.Sprint(n.Size)
		}
		if one.New {
			l.Cosigned(topics.Cosign{Checkpoint: one.Answer.Checkpoint, Desk: a.DeskNote})
		}
		out = append(out, size)
	}
	if a.Refused > 0 {
		out = append(out, "refused")
	}
	for _, one := range a.LogAlarms {
		out = append(out, one.Code)
	}
	return strings.Join(out, " ")
}

// TestCheckpointsAreCosignedAndKept: the table of evidence.md § 2 with the store behind it, over a restart,
// and with a second desk on the same store.
func TestCheckpointsAreCosignedAndKept(t *testing.T) {
	both(t, func(r *rig) {
		key := cosigner(t, "d", "d")
		r.cosigns(r.s, key, true)
		a := desktest.NewLog(t, "t-1", "A", "a", "new", "")
		r.want("new, from not 0", r.announced(a, a.Announce(1)), "none")
		r.want("first", r.announced(a, a.Announce(0)), "1")
		r.want("again", r.announced(a, a.Announce(0)), "1")
		old := desktest.NewLog(t, "t-1", "A", "a", "new", "") // the store as it was
		r.want("grown", r.announced(a, a.Announce(1)), "2")
		for n := 2; n < 20; n++ {
			a.Add(evidence.LeafNote, []byte(`{"what":"start"}`))
		}
		r.want("from not the newest", r.announced(a, a.Announce(1)), "2")
		r.want("grown more", r.announced(a, a.Announce(2)), "21")
		size := a.Newest()

		if err := r.s.Close(); err != nil {
			t.Fatal(err)
		}
		r.open()
		r.cosigns(r.s, key, false)
		old.Add(evidence.LeafNote, []byte(`{"what":"start"}`))
		r.want("another root of a size", r.announced(old, old.Announce(0)), fmt.Sprintf("%d %s", size, cosign.Forked))
		r.want("closed", r.announced(a, a.Announce(size)), fmt.Sprint(size))
		shared := desktest.NewLog(t, "t-2", "B", "a", "new", "")
		r.want("a key of another", r.announced(shared, shared.Announce(0)), cosign.KeyShared)
		next := desktest.NewLog(t, "t-1", "C", "c", "by_hand", "")
		r.want("restarted", r.announced(next, next.Announce(0)), "1 "+cosign.Restarted)
		hostile := strings.Replace(string(next.Announce(0)), `"v":1`, `"v":1,"x":0`, 1)
		r.want("another member", r.announced(next, []byte(hostile)), "refused")

		list, err := r.s.LogAlarms(t.Context(), "")
		if err != nil || len(list) != 3 {
			t.Fatalf("%v %+v", err, list)
		}
		for _, one := range list {
			if one.Theirs == "" || one.Code != cosign.KeyShared && one.Ours == "" {
				t.Errorf("the alarm %s lacks a note", one.Code)
			}
			before, err := r.s.LogState(t.Context())
			if err == nil {
				err = r.s.EndLogAlarm(t.Context(), r.now, one.N, "ann")
			}
			after, err2 := r.s.LogState(t.Context())
			if err != nil || err2 != nil || after.Alarms != before.Alarms-1 || after.Note == "" || after.Size == 0 {
				t.Errorf("%v %v: alarms %d, then %+v", err, err2, before.Alarms, after)
			}
			if err := r.s.EndLogAlarm(t.Context(), r.now, one.N, "ann"); !errors.Is(err, store.ErrHand) {
				t.Errorf("ended twice: %v", err)
			}
		}
	})
}

// TestRolledBackEndsByItself: of a rolled back log the newest note is answered, and the alarm ends with
// the next one that is co-signed.
func TestRolledBackEndsByItself(t *testing.T) {
	r := newRig(t, t.TempDir()+"/desk.db")
	r.cosigns(r.s, cosigner(t, "d", "d"), true)
	a := desktest.NewLog(t, "t-1", "A", "a", "new", "")
	a.Add(evidence.LeafNote, []byte(`{"what":"start"}`))
	a.Add(evidence.LeafNote, []byte(`{"what":"start"}`))
	r.want("first", r.announced(a, a.Announce(0)), "3")
	old := desktest.NewLog(t, "t-1", "A", "a", "new", "")
	r.want("rolled back", r.announced(old, old.Announce(0)), "3 "+cosign.RolledBack)
	standing := func() (n int) {
		list, err := r.s.LogAlarms(t.Context(), "t-1")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			if one.Ended.IsZero() {
				n++
			}
		}
		return n
	}
	r.want("alarms", standing(), 1)
	r.announced(a, a.Announce(3))
	r.want("alarms after the next", standing(), 0)
}

// TestOwnLog: the desk's log has every event and note once, each desk note continues the one before, and a new
// key and a note that the desk does not have begin a new log.
func TestOwnLog(t *testing.T) {
	both(t, func(r *rig) {
		r.take(c(desktest.Case{Seq: 1})) // before there was a key
		key := cosigner(t, "d", "d")
		r.cosigns(r.s, key, true)
		a := desktest.NewLog(t, "t-1", "A", "a", "new", "")
		var notes []*evidence.Note
		answer := func() *evidence.Note {
			got := r.take(said{"t-1/up/checkpoint", string(a.Announce(a.Newest())), false})
			a.Cosigned(topics.Cosign{Checkpoint: got.Cosigned[0].Answer.Checkpoint, Desk: got.DeskNote})
			n, err := evidence.ParseNote(got.DeskNote)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for seq := range int64(12) {
			r.take(c(desktest.Case{Seq: seq + 2}))
			r.now = r.now.Add(time.Minute)
			notes = append(notes, answer())
		}
		leaves, err := r.s.OwnLeaves(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var tree evidence.Tree
		for _, l := range leaves {
			if _, err := tree.Append(l); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range notes {
			root, err := tree.Root(n.Size)
			if err != nil || root != n.Root {
				t.Fatalf("the note of %d is not of these leaves: %v", n.Size, err)
			}
		}
		r.want("leaves", int64(len(leaves)), notes[len(notes)-1].Size)

		event := desktest.Event("t-1", "F-1", "desk.log_forked", map[string]any{"anchored": notes[3].String()})
		got := r.take(said{"t-1/up/event", string(event), false})
		r.want("a note that it has", len(got.Forked), 0)
		own, err := key.Named(notes[0].Origin)
		if err != nil {
			t.Fatal(err)
		}
		bad, err := own.Sign(evidence.Checkpoint{Origin: notes[0].Origin, Size: 2, Root: evidence.Hash{1}})
		if err != nil {
			t.Fatal(err)
		}
		got = r.take(said{"t-1/up/event", string(desktest.Event("t-1", "F-2", "desk.log_forked", map[string]any{"anchored": bad.String()})), false})
		r.want("a note that it does not have", got.Forked, []string{notes[0].Origin})
		a.Add(evidence.LeafNote, []byte(`{"what":"start"}`))
		if n := answer(); n.Origin == notes[0].Origin || n.Size < int64(len(leaves)) {
			t.Errorf("the new log: %s of %d", n.Origin, n.Size)
		}

		other := cosigner(t, "e", "e")
		r.cosigns(r.s, other, true)
		got = r.take(said{"t-1/up/checkpoint", string(a.Announce(a.Newest())), false})
		n, err := evidence.ParseNote(got.Cosigned[0].Answer.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.CosignedBy(other.Key(evidence.KeyCosign)); err != nil {
			t.Error(err)
		}
	})
}
