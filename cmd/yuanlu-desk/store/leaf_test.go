package store_test

import (
	"fmt"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// asksDue takes what terminals are to be asked for now.
func (r *rig) asksDue() []store.LeafAsk {
	r.t.Helper()
	list, err := r.s.DueAsks(r.t.Context(), r.now)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// noLeaf has an ask answered with no leaf.
func (r *rig) noLeaf(one *store.LeafAsk) {
	r.t.Helper()
	if err := r.s.KeepLeaves(r.t.Context(), one, &store.LeafAnswer{Origin: one.Origin}); err != nil {
		r.t.Fatal(err)
	}
}

// TestAnEventBehindItsCosignature: a terminal that connects publishes its checkpoint beside the events that
// wait, so an event may come to the desk behind the co-signature that holds it. Its leaf is asked for at
// once, and not only after the next co-signature: the terminal may have died until then.
func TestAnEventBehindItsCosignature(t *testing.T) {
	both(t, func(r *rig) {
		r.cosigns(r.s, cosigner(t, "d", "d"), true)
		r.take(c(desktest.Case{Seq: 1}))
		r.want("asks before any log", len(r.asksDue()), 0)
		a := desktest.NewLog(t, "t-1", "A", "a", "new", "")
		r.want("co-signed", r.announced(a, a.Announce(0)), "1")
		first := r.asksDue()
		if len(first) != 1 {
			t.Fatalf("%d asks after the co-signature", len(first))
		}
		r.noLeaf(&first[0])
		r.want("asks after an answer without the leaf", len(r.asksDue()), 0)
		r.now = r.now.Add(time.Second)
		r.take(c(desktest.Case{Seq: 2}))
		late := r.asksDue()
		if len(late) != 1 || fmt.Sprint(late[0].Sizes) != "[1]" {
			t.Errorf("asks after the event: %+v, want one under size 1", late)
		}
	})
}

// TestACosignatureWhileATerminalIsAsked: what an ask answers that was sent before a co-signature does not
// count for what is due because of that co-signature.
func TestACosignatureWhileATerminalIsAsked(t *testing.T) {
	for _, how := range []string{"answered", "failed"} {
		t.Run(how, func(t *testing.T) {
			both(t, func(r *rig) {
				r.cosigns(r.s, cosigner(t, "d", "d"), true)
				r.take(c(desktest.Case{Seq: 1}))
				a := desktest.NewLog(t, "t-1", "A", "a", "new", "")
				r.want("co-signed", r.announced(a, a.Announce(0)), "1")
				before := r.asksDue()
				if len(before) != 1 {
					t.Fatalf("%d asks", len(before))
				}
				r.now = r.now.Add(time.Second)
				r.want("co-signed meanwhile", r.announced(a, a.Announce(1)), "2")
				if how == "answered" {
					r.noLeaf(&before[0])
				} else if err := r.s.AskFailed(t.Context(), &before[0], "no_answer"); err != nil {
					t.Fatal(err)
				}
				after := r.asksDue()
				if len(after) != 1 || fmt.Sprint(after[0].Sizes) != "[1 2]" {
					t.Fatalf("asks after the co-signature: %+v, want one under sizes 1 and 2", after)
				}
				r.noLeaf(&before[0]) // once more, late
				r.noLeaf(&after[0])
				r.now = r.now.Add(time.Hour)
				r.want("asks at last", len(r.asksDue()), 0)
			})
		})
	}
}
