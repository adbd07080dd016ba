package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"yuanlu/agent/refund"
)

// benchmarkJudge judges refunds over the store's own history; nothing is stored.
func benchmarkJudge(b *testing.B, d *DB, next func(i int) refund.Record) {
	b.Helper()
	h := &history{c: d.w, bounds: &d.now.bounds, payers: &d.now.payers, index: d.index, recent: &d.recent}
	sealed := make([]refund.Record, min(b.N, 4096))
	for i := range sealed {
		sealed[i] = refund.Seal(next(i), d.Keys())
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := usageNow()
	for i := range b.N {
		if _, err := d.judge.Apply(h, d.now.seq+1, sealed[i%len(sealed)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((usageNow().cpu-before.cpu).Nanoseconds())/float64(b.N), "cpu-ns/refund")
}

// BenchmarkJudge is one refund of any of so many sales, judged over a store on disk.
func BenchmarkJudge(b *testing.B) {
	d := openTest(b, benchOptions(b.TempDir()))
	have := 0
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		if testing.Short() && n > 100_000 {
			continue
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if have < n {
				fill(b, d, have, n-have)
				have = n
			}
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			at := start.Add(time.Duration(n) * time.Second)
			benchmarkJudge(b, d, func(i int) refund.Record {
				of := rng.IntN(n)
				return refundOf(of, n+1+i, card(of), at)
			})
		})
	}
}

// BenchmarkJudgeWorst: the 50th partial refund of one sale, and a refund that fits
// 1 000 sales of the same rrn, amount and day.
func BenchmarkJudgeWorst(b *testing.B) {
	b.Run("partial-50", func(b *testing.B) {
		d := openTest(b, benchOptions(b.TempDir()))
		apply(b, d, saleOf(0, start))
		part := func(i int) refund.Record {
			r := refundOf(0, 100+i, card(0), start.Add(time.Hour))
			r.Amount = 10
			return r
		}
		for i := range 49 {
			apply(b, d, part(i))
		}
		benchmarkJudge(b, d, func(i int) refund.Record { return part(1000 + i) })
	})
	b.Run("same-rrn-1000", func(b *testing.B) {
		d := openTest(b, benchOptions(b.TempDir()))
		rrn := saleOf(42, start).RRN
		for range 4 {
			var part []refund.Record
			for len(part) < 250 {
				r := saleOf(int(d.now.seq)+len(part), start)
				r.RRN = rrn
				part = append(part, r)
			}
			apply(b, d, part...)
		}
		benchmarkJudge(b, d, func(i int) refund.Record { return refundOf(42, 5000+i, card(42), start.Add(time.Hour)) })
	})
}
