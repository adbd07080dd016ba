package memhistory

import (
	"testing"

	"yuanlu/agent/refund"
)

func seqs(t *testing.T, s *Store, keys ...refund.Key) (out []int64) {
	t.Helper()
	for e, err := range s.Find(keys...) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Seq)
	}
	return out
}

// TestFind: by leading parts, each event once and by seq, and only by the keys it
// was last committed with.
func TestFind(t *testing.T) {
	s := New()
	whole := refund.Key{Kind: refund.KeyStan, Value: "T1\x1f000001\x1f000007\x1f"}
	first := refund.Key{Kind: refund.KeyStan, Value: "T1\x1f000001\x1f"}
	other := refund.Key{Kind: refund.KeyRRN, Value: "R1\x1f"}
	put := func(seq int64, keys ...refund.Key) {
		s.Commit(&refund.Changes{Events: []refund.Stored{{Event: &refund.Event{Seq: seq}, Keys: keys, Payer: []string{"k1:a"}, New: true}}})
	}
	put(2, whole, other)
	put(1, whole)
	if got := seqs(t, s, first, other); len(got) != 2 || got[0] != 1 || got[1] != 2 {
		t.Errorf("got %v", got)
	}
	if got := seqs(t, s, refund.Key{Kind: refund.KeyStan, Value: "T1\x1f000001\x1f00000"}); len(got) != 0 {
		t.Errorf("half a part found %v", got)
	}
	put(2, other)
	if got := seqs(t, s, first); len(got) != 1 || got[0] != 1 {
		t.Errorf("got %v", got)
	}
	n := 0
	for range s.Payers([]string{"k1:a", "k1:a"}) {
		n++
	}
	for range s.Range(2, 9) {
		n++
	}
	for range s.Range(9, 1) {
		n++
	}
	if n != 3 {
		t.Errorf("payers and ranges gave %d events", n)
	}
}
