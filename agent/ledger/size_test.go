package ledger

import "testing"

// A case event must fit in 32 KiB (topics.md rule 6), even of a refund and a sale
// that were printed again every day.
func TestACaseWithManyCopiesFits(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	sale, bad := saleOf(1, start), refundOf(1, 2, card(5), start)
	bad.Outcome = "unknown"
	apply(t, d, sale, bad)
	for range 40 {
		s, r := sale, bad
		s.Copy, r.Copy = "reprint", "reprint"
		apply(t, d, s, r)
	}
	bad.Outcome, bad.Copy = "approved", "upload"
	apply(t, d, bad)
	n := due(t, d)
	if len(n) != 2 || len(n[1].Data) > 16<<10 {
		t.Fatalf("%d events, the last of %d bytes", len(n), len(n[len(n)-1].Data))
	}
	t.Logf("%d and %d bytes", len(n[0].Data), len(n[1].Data))
}
