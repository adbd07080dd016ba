package ledger

import (
	"context"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
)

// cost is what one record takes that is a commit of its own: nothing of it depends on how busy
// the machine is.
type cost struct {
	allocs, bytes float64 // of Go's heap
	pages         float64 // frames of the WAL, without those of the keys
}

// costs are the figures of this version. What makes a record dearer by a tenth needs a reason,
// and its figure here; so does what makes it cheaper by more, or the old figure would guard
// nothing any more.
var costs = map[string]cost{
	"sales": {allocs: 84, bytes: 8010, pages: 1.27},
	// Of these pages 1.05 and 1.95 are the evidence log's: the end of table leaf, and what a larger row
	// of a record and an index entry of a case take (evidence.md § 7: at most 3).
	"right": {allocs: 167, bytes: 16770, pages: 3.55},
	"wrong": {allocs: 269, bytes: 36540, pages: 7.64},
}

const costMargin = 0.10

// TestE2ECostOfARecord measures 100 records of each kind behind 2 000 sales. With -race it
// would measure the detector.
func TestE2ECostOfARecord(t *testing.T) {
	const history, n = 2000, 100
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, load := range []struct {
		name           string
		refunds, wrong float64
	}{{"sales", 0, 0}, {"right", 1, 0}, {"wrong", 1, 1}} {
		t.Run(load.name, func(t *testing.T) {
			d := openTest(t, benchOptions(t.TempDir()))
			m := &mixLoad{d.Keys(), 0, rand.New(rand.NewPCG(1, 2))}
			store := func(count, batch int, refunds, wrong float64) {
				for ; count > 0; count -= batch {
					_, err := d.Apply(context.Background(), m.arrivals(batch, refunds, wrong))
					must(t, err)
				}
			}
			store(history, 500, 0, 0)
			store(50, 1, load.refunds, load.wrong) // statements are compiled, rooms have their size
			must(t, settleStore(d))
			all := m.arrivals(n, load.refunds, load.wrong)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for i := range all {
				_, err := d.Apply(context.Background(), all[i:i+1])
				must(t, err)
			}
			runtime.ReadMemStats(&after)
			pages := 0
			for table, frames := range pagesByTable(t, d) {
				if table != "key" {
					pages += frames
				}
			}
			got, want := cost{
				float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n, float64(pages) / n,
			}, costs[load.name]
			t.Logf("%s: %.1f allocations, %.0f bytes, %.2f pages a record", load.name, got.allocs, got.bytes, got.pages)
			for what, v := range map[string][2]float64{
				"allocations": {got.allocs, want.allocs}, "bytes": {got.bytes, want.bytes}, "pages": {got.pages, want.pages},
			} {
				if v[0] > v[1]*(1+costMargin) || v[0] < v[1]*(1-costMargin) {
					t.Errorf("%s: %.2f %s a record, the figure of this version is %.2f", load.name, v[0], what, v[1])
				}
			}
		})
	}
}
