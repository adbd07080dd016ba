package store_test

import (
	"errors"
	"testing"
	"time"

	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/cmd/yuanlu-desk/store"
)

// TestStampedOnceADay: the newest note of the desk's log is stamped once a day, if the log grew; an authority that
// does not answer is asked again.
func TestStampedOnceADay(t *testing.T) {
	both(t, func(r *rig) {
		broken := errors.New("the authority does not answer")
		var fail error
		var notes []string
		stamp := func(want int64) {
			t.Helper()
			got, err := r.s.Stamp(t.Context(), r.now, func(content []byte) ([]byte, error) {
				notes = append(notes, string(content))
				return []byte("token"), fail
			})
			if got != want || !errors.Is(err, fail) {
				t.Errorf("at %v: size %d, %v; want %d", r.now, got, err, want)
			}
		}
		stamp(0) // there is no log
		key := cosigner(t, "d", "d")
		r.cosigns(r.s, key, true)
		stamp(0) // nothing is in it
		r.take(c(desktest.Case{Seq: 1}))
		fail = broken
		stamp(0)
		fail = nil
		stamp(2)
		r.now = r.now.Add(time.Hour)
		r.take(c(desktest.Case{Seq: 2, CaseID: desktest.CaseID(2)}))
		stamp(0)
		r.now = r.now.Add(23 * time.Hour)
		stamp(4)
		r.now = r.now.Add(48 * time.Hour)
		stamp(0) // it did not grow
		if len(notes) != 3 || notes[0] != notes[1] {
			t.Errorf("%q", notes)
		}
		if err := r.s.UseCosigner(t.Context(), cosigner(t, "e", "e")); !errors.Is(err, store.ErrKey) {
			t.Errorf("another key: %v", err)
		}
		if err := r.s.UseCosigner(t.Context(), key); err != nil {
			t.Error(err)
		}
	})
}
