package ledger

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// The mixed load: wallet payments of 20 000 payers, of which a share is refunds of any
// earlier sale, and a share of those pays somebody else. Every figure is for a store with
// mixHistory sales in it.

const mixBatch = 52 // records of one commit, as under full load

// mixHistory is how many sales the store has before: YUANLU_BENCH_HISTORY or 100 000.
func mixHistory() int {
	if n, err := strconv.Atoi(os.Getenv("YUANLU_BENCH_HISTORY")); err == nil {
		return n
	}
	return 100_000
}

// mixes are the loads that are measured.
var mixes = []struct {
	name           string
	refunds, wrong float64
}{{"sales", 0, 0}, {"mixed", .2, .05}, {"right", 1, 0}, {"wrong", 1, 1}}

func walletParty(n int) *refund.Party {
	return &refund.Party{Scheme: refund.SchemeWeChatOpenID, Namespace: "wx0123456789abcdef",
		ID: refund.NewSecret(fmt.Sprintf("oAbcdefghijklmnopqrs%08d", n%20000))}
}

// walletRecord is what a sale and a refund have in common.
func walletRecord(n int, kind refund.Kind, amount int64) refund.Record {
	return refund.Record{
		Kind: kind, Outcome: refund.Approved, ResponseCode: "00", MerchantID: "898310153310123", TerminalID: "10000001",
		Operator: "01", Channel: refund.ChannelWeChat, Entry: refund.EntryQRShown, Amount: amount, HasAmount: true, Currency: "CNY",
		At:   start.Add(time.Duration(n) * time.Second).Format(time.RFC3339),
		Stan: fmt.Sprintf("%06d", n%1000000), Batch: fmt.Sprintf("%06d", n/400+1),
	}
}

func walletSale(n int) refund.Record {
	r := walletRecord(n, refund.KindSale, 100_000)
	r.OrderNo, r.ChannelTxn = fmt.Sprintf("PO%012d", n), fmt.Sprintf("42%08d%018d", n, (n*7919)%1000003)
	r.Party = walletParty(n * 31)
	return r
}

// walletRefund is refund n, of sale of; wrong: to somebody else.
func walletRefund(n, of int, wrong bool) refund.Record {
	r := walletRecord(n, refund.KindRefund, 1000)
	r.ChannelRefund, r.RefundNo = fmt.Sprintf("50%08d%018d", n, (n*7919)%1000003), fmt.Sprintf("RF%012d", n)
	r.Original = refund.Original{OrderNo: fmt.Sprintf("PO%012d", of)}
	r.Party = walletParty(of * 31)
	if wrong {
		r.Party = walletParty(of*31 + 1)
	}
	return r
}

// mixLoad makes the records of a mixed load, numbered on from one call to the next.
type mixLoad struct {
	keys refund.Tokenizer
	next int
	rng  *rand.Rand
}

func (m *mixLoad) arrivals(n int, refunds, wrong float64) []refund.Arrival {
	list := make([]refund.Arrival, n)
	for i := range list {
		r := walletSale(m.next)
		if m.rng.Float64() < refunds {
			r = walletRefund(m.next, m.rng.IntN(max(1, m.next)), m.rng.Float64() < wrong)
		}
		list[i] = refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{
			Record: refund.Seal(r, m.keys), Received: start.Add(time.Duration(m.next) * time.Second), ClockSynced: true,
			FrameMAC: fmt.Sprintf("k1:%032x", m.next),
		}}}
		m.next++
	}
	return list
}

// mixStore is a store with mixHistory sales and the load that goes on from there.
func mixStore(b *testing.B) (*DB, *mixLoad) {
	b.Helper()
	d := openTest(b, benchOptions(b.TempDir()))
	m := &mixLoad{d.Keys(), 0, rand.New(rand.NewPCG(1, 2))}
	for m.next < mixHistory() {
		_, err := d.Apply(context.Background(), m.arrivals(500, 0, 0))
		must(b, err)
	}
	return d, m
}

// BenchmarkMix is Apply with 52 records a commit. Of each load the floor beside it is the
// same rows, written by the store alone in commits of as many records.
func BenchmarkMix(b *testing.B) {
	d, m := mixStore(b)
	for _, mix := range mixes {
		b.Run(mix.name, func(b *testing.B) {
			all := make([][]refund.Arrival, max(b.N/mixBatch, 1))
			for i := range all {
				all[i] = m.arrivals(mixBatch, mix.refunds, mix.wrong)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := usageNow()
			for i := range all {
				_, err := d.Apply(context.Background(), all[i])
				must(b, err)
			}
			report(b, before, len(all)*mixBatch)
		})
		b.Run(mix.name+"-floor", func(b *testing.B) {
			n := max(b.N/mixBatch, 1) * mixBatch
			_, err := d.Apply(context.Background(), m.arrivals(n, mix.refunds, mix.wrong))
			must(b, err)
			must(b, d.transact((*tx).writeKeys))
			commits := rowsSince(b, d, d.now.seq-int64(n))
			c := plainStore(b)
			b.ResetTimer()
			before := usageNow()
			for _, rows := range commits {
				must(b, c.Begin())
				for _, r := range rows {
					must(b, c.Do(r.sql, r.args...))
				}
				must(b, c.Commit())
			}
			report(b, before, n)
		})
	}
}

// plainRow is one row as a statement writes it.
type plainRow struct {
	sql  string
	args []any
}

// rowsSince returns what the store has written about the records after this seq, by commits
// of mixBatch records.
func rowsSince(b *testing.B, d *DB, after int64) map[int64][]plainRow {
	b.Helper()
	commits := map[int64][]plainRow{}
	add := func(insert string, columns int, query string) {
		must(b, d.w.Each(query, func(r *sqlite.Row) error {
			args := make([]any, columns)
			for i := range args {
				v := r.Value(i)
				v.Bytes = slices.Clone(v.Bytes)
				args[i] = &v
			}
			at := (r.Int(columns) - after - 1) / mixBatch
			commits[at] = append(commits[at], plainRow{insert, args})
			return nil
		}, after))
	}
	add(`INSERT INTO record VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)`, 14, `SELECT *, seq FROM record WHERE seq > ?1`)
	add(`INSERT INTO verdict VALUES(?1, ?2, ?3, ?4, ?5)`, 5, `SELECT *, seq FROM verdict WHERE seq > ?1`)
	add(`INSERT INTO cases VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`, 10, `SELECT *, seq FROM cases WHERE seq > ?1`)
	add(`INSERT OR IGNORE INTO outbox VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`, 10, `SELECT outbox.*, cases.seq FROM outbox JOIN cases USING(case_id) WHERE cases.seq > ?1`)
	add(`INSERT OR IGNORE INTO key VALUES(?1, ?2)`, 2, `SELECT *, seq FROM key WHERE seq > ?1`)
	return commits
}

// BenchmarkPaced is 50 records a second, each submitted by itself, and how long each takes to be
// durable. One round takes 8 s. What is written has no share of keys and checkpoints: that is
// BenchmarkWear.
func BenchmarkPaced(b *testing.B) {
	d, m := mixStore(b)
	for _, mix := range mixes {
		b.Run(mix.name, func(b *testing.B) {
			const n = 400
			for range b.N {
				arrivals := m.arrivals(n, mix.refunds, mix.wrong)
				must(b, settleStore(d)) // the filling is not of these records
				took := make([]time.Duration, n)
				failed := make(chan error, n)
				tick := time.NewTicker(20 * time.Millisecond)
				before := usageNow()
				for i := range arrivals {
					<-tick.C
					begun := time.Now()
					d.Submit(arrivals[i:i+1], func(_ []refund.Applied, err error) {
						took[i] = time.Since(begun)
						failed <- err
					})
				}
				for range arrivals {
					must(b, <-failed)
				}
				tick.Stop()
				report(b, before, n)
				slices.Sort(took)
				b.ReportMetric(float64(took[n/2].Microseconds()), "p50-us")
				b.ReportMetric(float64(took[n*99/100].Microseconds()), "p99-us")
			}
		})
	}
}

// BenchmarkPages counts the pages that a commit writes into the WAL, by table with its indexes,
// and "map" for the first page, the map of pages and free ones. The keys of the records are not
// among them, but in the last one, which ends as they are written.
func BenchmarkPages(b *testing.B) {
	d, m := mixStore(b)
	for at := 0; at < 20_000; at += 500 {
		_, err := d.Apply(context.Background(), m.arrivals(500, .2, .05))
		must(b, err)
	}
	for _, load := range []struct {
		name           string
		commits, batch int
		refunds, wrong float64
	}{{"sale1", 40, 1, 0, 0}, {"right1", 40, 1, 1, 0}, {"wrong1", 40, 1, 1, 1}, {"mixed1", 60, 1, .2, .05}, {"sales52", 10, mixBatch, 0, 0}, {"mixed52", 10, mixBatch, .2, .05}, {"mixed52-keys", 24, mixBatch, .2, .05}} {
		b.Run(load.name, func(b *testing.B) {
			for range b.N {
				must(b, d.transact((*tx).writeKeys))
				must(b, d.w.Script("PRAGMA wal_checkpoint(TRUNCATE)"))
				for range load.commits {
					_, err := d.Apply(context.Background(), m.arrivals(load.batch, load.refunds, load.wrong))
					must(b, err)
				}
				if strings.HasSuffix(load.name, "-keys") {
					must(b, d.transact((*tx).writeKeys))
				}
				by := pagesByTable(b, d)
				all := 0
				for _, table := range slices.Sorted(maps.Keys(by)) {
					all += by[table]
					b.ReportMetric(float64(by[table])/float64(load.commits), table+"/commit")
				}
				b.ReportMetric(float64(all)/float64(load.commits), "pages/commit")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// pagesByTable counts the frames of the WAL by the table that their page belongs to.
func pagesByTable(b testing.TB, d *DB) map[string]int {
	b.Helper()
	owner := map[uint32]string{}
	must(b, d.w.Each(`SELECT pageno, coalesce((SELECT tbl_name FROM sqlite_schema s WHERE s.name = dbstat.name), 'map') FROM dbstat`,
		func(r *sqlite.Row) error { owner[uint32(r.Int(0))] = r.Text(1); return nil }))
	f, err := os.Open(d.file() + "-wal")
	must(b, err)
	defer f.Close()
	by := map[string]int{}
	_, err = sqlite.ReadWAL(f, fileSize(d.file()+"-wal"), func(fr *sqlite.Frame, _ []byte) error {
		if fr.Mine && fr.Whole {
			table := owner[fr.Page]
			if table == "" {
				table = "map"
			}
			by[table]++
		}
		return nil
	})
	must(b, err)
	return by
}
