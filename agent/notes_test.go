package agent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"yuanlu/protocol/evidence"
)

// TestNotesAreSummed: that the clock was set, and what a link lost, is noted at most once in ten minutes, in sums; what
// could not be stored is noted later; each note is one that a leaf may have.
func TestNotesAreSummed(t *testing.T) {
	now := time.Date(2026, 8, 23, 9, 0, 0, 0, time.UTC)
	var s sums
	fail := false
	due := func(want ...string) {
		t.Helper()
		var got []string
		s.due(now, func(n note) bool {
			if !fail {
				got = append(got, n.what+string(n.members))
				d := append(append([]byte(`{"what":"`+n.what+`",`), n.members[1:len(n.members)-1]...), '}')
				if _, err := evidence.ParseLeaf(evidence.AppendLeaf(nil, 5, now, evidence.LeafNote, d)); err != nil {
					t.Errorf("%s: %v", d, err)
				}
			}
			return !fail
		})
		if slices.Sort(got); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("at %v noted %q, want %q", now, got, want)
		}
	}
	due()
	s.link("pos", 0)
	due()
	s.link("pos", 5)
	s.link("qr", 7)
	s.clock(now, now.Add(time.Hour))
	due(`clock{"from":"2026-08-23T09:00:00.000Z","to":"2026-08-23T10:00:00.000Z"}`, `lost{"link":"pos","bytes":5}`, `lost{"link":"qr","bytes":7}`)
	s.link("pos", 9)
	s.clock(now.Add(time.Hour), now)
	now = now.Add(9 * time.Minute)
	due()
	s.link("pos", 10)
	s.link("pos", 2) // another worker began
	s.clock(now, now.Add(2*time.Hour))
	now = now.Add(time.Minute)
	fail = true
	due()
	fail = false
	due(`clock{"from":"2026-08-23T10:00:00.000Z","to":"2026-08-23T11:09:00.000Z"}`, `lost{"link":"pos","bytes":5}`)
	now = now.Add(time.Hour)
	due()
}
