package refund_test

import (
	"fmt"
	"testing"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
)

// saleRecord is the n-th ordinary card sale of a terminal, sealed.
func saleRecord(n int) refund.Record {
	at := time.Date(2026, 1, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600)).Add(time.Duration(n) * time.Minute)
	return refund.Seal(refund.Record{
		Kind: refund.KindSale, Outcome: refund.Approved, MerchantID: "898000000000001", TerminalID: "10000001",
		Channel: refund.ChannelCard, Entry: refund.EntryChip, Amount: 1000 + int64(n%500), HasAmount: true, Currency: "CNY",
		At: at.Format(time.RFC3339), Stan: fmt.Sprintf("%06d", n%999999+1), Batch: fmt.Sprintf("%06d", n/500+1), RRN: fmt.Sprintf("%012d", n+1),
		Party: &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret("6200000000000005")},
	}, keyring{"one"})
}

// refundOf is a refund of the n-th sale, sealed; stan is its own number.
func refundOf(n, stan int, amount int64) refund.Record {
	r := saleRecord(n)
	at, _ := r.Time()
	sale := r
	r.Kind, r.Amount, r.Entry = refund.KindRefund, amount, refund.EntrySwipe
	r.At = at.Add(24 * time.Hour).Format(time.RFC3339)
	r.Stan, r.Batch, r.RRN = fmt.Sprintf("%06d", stan), "999999", fmt.Sprintf("9%011d", stan)
	r.Original = refund.Original{RRN: sale.RRN, Date: sale.At[5:7] + sale.At[8:10]}
	return r
}

func mustAdd(t testing.TB, j *memhistory.Journal, r refund.Record) refund.Changes {
	t.Helper()
	c, _, err := j.Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWorkPerRecord: an ordinary sale asks the history once, an ordinary refund a
// few times, however long the journal is.
func TestWorkPerRecord(t *testing.T) {
	j := memhistory.NewJournal(newJudge())
	const sales = 2000
	for n := range sales {
		j.Store.Calls = memhistory.Calls{}
		mustAdd(t, j, saleRecord(n))
		if got, want := j.Store.Calls, (memhistory.Calls{Find: 1, Bounds: 1}); n > 0 && got != want {
			t.Fatalf("sale %d asked %+v, want %+v", n, got, want)
		}
	}
	for n := range 100 {
		j.Store.Calls = memhistory.Calls{}
		c := mustAdd(t, j, refundOf(n*7, n+1, 500))
		if len(c.Verdicts) != 1 || c.Verdicts[0].Verdict.Decision != refund.Pass {
			t.Fatalf("refund %d: %+v", n, c.Verdicts)
		}
		if got := j.Store.Calls; got.Find > 2 || got.Verdict > 1 || got.Range+got.Payers > 0 {
			t.Fatalf("refund %d asked %+v", n, got)
		}
	}
}

func BenchmarkApplySale(b *testing.B) {
	j := memhistory.NewJournal(newJudge())
	records := make([]refund.Record, b.N)
	for n := range records {
		records[n] = saleRecord(n)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, r := range records {
		mustAdd(b, j, r)
	}
}

// BenchmarkSaleAlone is the judge's own work on an ordinary sale.
func BenchmarkSaleAlone(b *testing.B) {
	judge := newJudge()
	j := memhistory.NewJournal(judge)
	const sales = 10_000
	for n := range sales {
		mustAdd(b, j, saleRecord(n))
	}
	r := saleRecord(sales)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := judge.Apply(j.Store, sales+1, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJudgeRefund is one refund judged over journals of growing length.
func BenchmarkJudgeRefund(b *testing.B) {
	for _, sales := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(sales), func(b *testing.B) {
			judge := newJudge()
			j := memhistory.NewJournal(judge)
			for n := range sales {
				mustAdd(b, j, saleRecord(n))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				r := refundOf(n%sales, n%999999, 500)
				if _, err := judge.Apply(j.Store, int64(sales+n+1), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPartialRefunds is the 50th partial refund of one sale.
func BenchmarkPartialRefunds(b *testing.B) {
	judge := newJudge()
	j := memhistory.NewJournal(judge)
	mustAdd(b, j, saleRecord(0))
	for n := range 49 {
		mustAdd(b, j, refundOf(0, n+1, 10))
	}
	b.ReportAllocs()
	for range b.N {
		if _, err := judge.Apply(j.Store, 51, refundOf(0, 50, 10)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSameRRN is a refund that fits 1 000 sales of one rrn, amount and day.
func BenchmarkSameRRN(b *testing.B) {
	judge := newJudge()
	j := memhistory.NewJournal(judge)
	for n := range 1000 {
		r := saleRecord(n)
		r.RRN, r.Amount, r.At = "000000000042", 1000, saleRecord(0).At
		mustAdd(b, j, r)
	}
	r := refundOf(0, 1, 1000)
	r.Original.RRN = "000000000042"
	b.ReportAllocs()
	for range b.N {
		if _, err := judge.Apply(j.Store, 1001, r); err != nil {
			b.Fatal(err)
		}
	}
}
