package ledger

import (
	"context"
	"fmt"
	"os"
	"testing"

	"yuanlu/protocol/evidence"
)

// BenchmarkLog is what the evidence log costs a record: the mixed load with it and without it, in commits of 64 records
// and of one (evidence.md § 7: 250 bytes and 6 µs more, and 3 pages more). The load without it is the floor.
func BenchmarkLog(b *testing.B) {
	const records = 1920
	for _, batch := range []int{64, 1} {
		for _, how := range []string{"without", "with"} {
			b.Run(fmt.Sprintf("%d-%s", batch, how), func(b *testing.B) {
				d, m := mixStore(b)
				if how == "without" {
					d.log = evidenceLog{}
				}
				for range b.N {
					must(b, settleStore(d))
					all := m.arrivals(records, 0.2, 0.05)
					before := usageNow()
					for ; len(all) > 0; all = all[batch:] {
						_, err := d.Apply(context.Background(), all[:batch])
						must(b, err)
					}
					must(b, settleStore(d))
					report(b, before, records)
				}
			})
		}
	}
}

// BenchmarkProofs is the answer to the command evidence for one case, in a log of about a million leaves with
// YUANLU_SOAK=1, else of about 100 000 (evidence.md § 7: 50 ms).
func BenchmarkProofs(b *testing.B) {
	d, m := mixStore(b)
	for to := max(proofHistory(), m.next+5000); m.next < to; {
		_, err := d.Apply(context.Background(), m.arrivals(500, 0.01, 0.2))
		must(b, err)
	}
	newDeskOf(b).answer(d)
	ids, err := d.w.Texts(`SELECT case_id FROM cases`)
	must(b, err)
	state, err := d.LogState(context.Background())
	must(b, err)
	b.ResetTimer()
	for i := range b.N {
		p, err := d.Proofs(context.Background(), ProofQuery{CaseID: ids[i%len(ids)], After: -1})
		must(b, err)
		if len(p.Leaves) == 0 {
			b.Fatal("no leaf")
		}
		if i == 0 {
			l := &p.Leaves[len(p.Leaves)-1]
			n, err := evidence.ParseNote(p.Checkpoints[0].Note)
			must(b, err)
			must(b, evidence.CheckInclusion(l.Proof, l.Size, n.Root, l.N, evidence.LeafHash(l.Leaf)))
		}
	}
	b.ReportMetric(float64(state.Size), "leaves")
}

// proofHistory is how many records there are at least.
func proofHistory() int {
	if os.Getenv(soakEnv) != "" {
		return 960_000
	}
	return 0
}
