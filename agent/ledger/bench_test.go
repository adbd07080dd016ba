package ledger

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Every figure stands beside what the same disk does in the same run: run
//
//	go test -run - -bench . ./agent/ledger
//
// cpu-us/rec is user and system time of the process; disk-B/rec is what the kernel
// was asked to write to the device (/proc/self/io, write_bytes).

// sales returns n arrivals of one card sale each, numbered from first.
func sales(k refund.Tokenizer, first, n int) []refund.Arrival {
	list := make([]refund.Arrival, n)
	for i := range list {
		at := start.Add(time.Duration(first+i) * time.Second)
		list[i] = refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{
			Record: refund.Seal(saleOf(first+i, at), k), Received: at, ClockSynced: true,
			FrameMAC: fmt.Sprintf("k1:%032x", first+i),
		}}}
	}
	return list
}

// fill applies sales first..first+n.
func fill(b testing.TB, d *DB, first, n int) {
	b.Helper()
	for at := first; at < first+n; at += 500 {
		if _, err := d.Apply(context.Background(), sales(d.Keys(), at, min(500, first+n-at))); err != nil {
			b.Fatal(err)
		}
	}
}

// benchOptions are those of a store as the daemon opens it.
func benchOptions(dir string) Options { return Options{Dir: dir, Judge: newJudge()} }

type usage struct {
	cpu   time.Duration
	wrote int64
	at    time.Time
}

func usageNow() usage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	u := usage{cpu: time.Duration(r.Utime.Nano() + r.Stime.Nano()), at: time.Now()}
	text, _ := os.ReadFile("/proc/self/io")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			u.wrote, _ = strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return u
}

func report(b *testing.B, before usage, records int) {
	now := usageNow()
	n := float64(records)
	b.ReportMetric(float64((now.cpu-before.cpu).Microseconds())/n, "cpu-us/rec")
	b.ReportMetric(float64(now.wrote-before.wrote)/n, "disk-B/rec")
	b.ReportMetric(n/now.at.Sub(before.at).Seconds(), "rec/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkFloor(b *testing.B) {
	b.Run("fdatasync-4KiB", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		page := make([]byte, 4096)
		for i := range b.N {
			if _, err := f.WriteAt(page, int64(i%256)*4096); err != nil {
				b.Fatal(err)
			}
			if err := syscall.Fdatasync(int(f.Fd())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sqlite-commit-1-row", func(b *testing.B) {
		c := plainStore(b)
		row := rows.Record{Link: 1, Received: start.UnixMilli(), MAC: make([]byte, 17), Body: make([]byte, 400)}
		b.ResetTimer()
		for i := range b.N {
			row.Seq = int64(i + 1)
			must(b, c.Begin())
			must(b, row.Insert(c.Conn, packed.Append(nil, row.Body), nil))
			must(b, c.Commit())
		}
	})
}

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// plainStore is a connection with the store's schema and settings and nothing else.
func plainStore(b testing.TB) *conn {
	b.Helper()
	c, err := openConn(filepath.Join(b.TempDir(), storeFile), sqlite.ReadWrite)
	must(b, err)
	b.Cleanup(func() { _ = c.Close() })
	must(b, c.Script("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL"))
	must(b, configure(c, settings("", writerCache, false)))
	steps, err := migrations()
	must(b, err)
	must(b, migrate(c, steps))
	return c
}

// plainRows inserts the rows that Apply stores for these sales, without judging.
func plainRows(b testing.TB, c *conn, arrivals []refund.Arrival, seq int64) {
	must(b, c.Begin())
	t := &tx{c: c, h: &history{c: c, index: &keyIndex{upTo: directKeys}, recent: &recent{}}}
	for i := range arrivals {
		s := &arrivals[i].Sightings[0]
		r := &s.Record
		row := rows.Record{Seq: seq + int64(i), Link: 1, Received: rows.Millis(s.Received), Flags: rows.Synced, MAC: rows.PackMAC(s.FrameMAC), Body: refund.EncodeStored(nil, r)}
		must(b, row.Insert(c.Conn, packed.Append(nil, row.Body), nil))
		must(b, t.insertKeys(row.Seq, []refund.Key{
			{Kind: refund.KeyRRN, Value: r.RRN + "\x1f"},
			{Kind: refund.KeyStan, Value: r.TerminalID + "\x1f" + r.Stan + "\x1f" + r.Batch + "\x1f"},
		}))
	}
	must(b, c.Commit())
}

func BenchmarkRows64(b *testing.B) {
	c := plainStore(b)
	k := temporaryKeys(nil)
	n := 0
	for ; n < 100_000; n += 500 {
		plainRows(b, c, sales(k, n, 500), int64(n+1))
	}
	const batch = 64
	all := make([][]refund.Arrival, b.N/batch+1)
	for i := range all {
		all[i] = sales(k, n+i*batch, batch)
	}
	b.ResetTimer()
	before := usageNow()
	for i := range all {
		plainRows(b, c, all[i], int64(n+1+i*batch))
	}
	report(b, before, len(all)*batch)
}

func benchmarkApply(b *testing.B, batch, history int) {
	d := openTest(b, benchOptions(b.TempDir()))
	fill(b, d, 0, history)
	all := make([][]refund.Arrival, b.N/batch+1)
	for i := range all {
		all[i] = sales(d.Keys(), history+i*batch, batch)
	}
	b.ResetTimer()
	before := usageNow()
	for i := range all {
		if _, err := d.Apply(context.Background(), all[i]); err != nil {
			b.Fatal(err)
		}
	}
	report(b, before, len(all)*batch)
}

func BenchmarkApply64(b *testing.B) { benchmarkApply(b, 64, 100_000) }

func BenchmarkApply1(b *testing.B) { benchmarkApply(b, 1, 100_000) }

// BenchmarkTemporary is what `check` does with a million records, without reading
// the JSON: run it with -benchtime 1x.
func BenchmarkTemporary(b *testing.B) {
	records := benchRecords()
	for range b.N {
		d, err := OpenTemporary(context.Background(), Options{Judge: newJudge()})
		must(b, err)
		before := usageNow()
		for at := 0; at < records; at += 500 {
			a := sales(d.Keys(), at, 480)
			for i := range 20 {
				at2 := start.Add(time.Duration(at+1000) * time.Second)
				a = append(a, refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{
					Record: refund.Seal(refundOf(at+i*20, at+480+i, card(at+i*20), at2), d.Keys()), Received: at2,
				}}})
			}
			_, err := d.Apply(context.Background(), a)
			must(b, err)
		}
		must(b, d.ReleaseAll(context.Background(), func([]refund.Applied) error { return nil }))
		report(b, before, records)
		b.ReportMetric(residentMiB(), "MiB-resident")
		b.ReportMetric(time.Since(before.at).Seconds(), "s")
		must(b, d.Close())
	}
}

func residentMiB() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkResident takes records with a million sales on disk, in a process of its
// own that has only opened the store: run it with -benchtime 1x.
func BenchmarkResident(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "s")
	d := openTest(b, benchOptions(dir))
	fill(b, d, 0, 1_000_000)
	must(b, d.Close())
	for range b.N {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childDir+"="+dir, childWhat+"=resident", "GOMEMLIMIT=20MiB", "GOGC=50")
		out, err := c.CombinedOutput()
		must(b, err)
		mib, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		must(b, err)
		b.ReportMetric(mib, "MiB-resident")
		b.ReportMetric(0, "ns/op")
	}
}

// benchRecords is how many records BenchmarkTemporary takes: YUANLU_BENCH_RECORDS or a million.
func benchRecords() int {
	if n, err := strconv.Atoi(os.Getenv("YUANLU_BENCH_RECORDS")); err == nil {
		return n
	}
	return 1_000_000
}
