package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/mqtt/brokertest"
)

// Every benchmark here prints the machine's own floor beside its figure, from the
// same run and the same disk: run `make bench`.

// saleAt is sale number n of a busy terminal.
func saleAt(n int) wire.Record {
	at := time.Date(2026, 6, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600)).Add(time.Duration(n) * 7 * time.Second)
	return wire.Record{V: 1, Kind: "sale", Outcome: "approved", ResponseCode: "00", MerchantID: "898000000000001", TerminalID: "10000001",
		Operator: "01", Channel: "card", Entry: "chip", Amount: 1000 + int64(n%9000), Currency: "CNY", At: at,
		Stan: fmt.Sprintf("%06d", n%1_000_000), Batch: fmt.Sprintf("%06d", 1+n/400%999_999), RRN: fmt.Sprintf("%012d", n),
		AuthCode: "123456", Party: wire.Party{Scheme: "pan", ID: cardNumber(n)}}
}

// cardNumber is a test number that passes the Luhn check.
func cardNumber(n int) string {
	body := fmt.Sprintf("6200000%08d", n%5000)
	sum := 0
	for i := range len(body) {
		d := int(body[len(body)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return body + strconv.Itoa((10-sum%10)%10)
}

// wrongRefund returns the money of sale n to another card.
func wrongRefund(n, of int) wire.Record {
	r := saleAt(n)
	s := saleAt(of)
	r.Kind, r.Amount, r.Original = "refund", s.Amount, wire.Original{RRN: s.RRN, Date: s.At.Format("0102")}
	r.Party.ID = cardNumber(of + 1)
	return r
}

func encode(b testing.TB, recs ...wire.Record) []byte {
	b.Helper()
	var m wire.Mispos
	var out []byte
	for i := range recs {
		frames, err := m.Encode(&recs[i])
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range frames {
			out = append(out, f.Bytes...)
		}
	}
	return out
}

// withHistory makes a store of n sales, quickly (nothing here is measured).
func withHistory(b testing.TB, dir string, n int) {
	b.Helper()
	ctx := context.Background()
	db, err := ledger.Open(ctx, ledger.Options{Dir: dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All()), Synchronous: "OFF"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const batch = 512
	for from := 0; from < n; from += batch {
		var as []refund.Arrival
		for i := from; i < min(from+batch, n); i++ {
			s := saleAt(i)
			r := refund.Record{Kind: refund.KindSale, Outcome: refund.Approved, ResponseCode: "00", MerchantID: s.MerchantID, TerminalID: s.TerminalID,
				Operator: s.Operator, Channel: refund.ChannelCard, Entry: refund.EntryChip, Amount: s.Amount, HasAmount: true, Currency: "CNY",
				At: s.At.Format(time.RFC3339), Stan: s.Stan, Batch: s.Batch, RRN: s.RRN, AuthCode: s.AuthCode,
				Party: &refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(s.Party.ID)}}
			as = append(as, refund.Arrival{Link: "pos", Sightings: []refund.Sighting{{Record: refund.Seal(r, db.Keys()), Received: s.At, ClockSynced: true, FrameMAC: db.Keys().MAC([]byte(s.RRN))}}})
		}
		if _, err := db.Apply(ctx, as); err != nil {
			b.Fatal(err)
		}
	}
}

// process is what the kernel says of a running daemon.
type process struct {
	cpu      time.Duration
	wrote    int64
	rss, hwm int64 // KiB
	anon     int64
}

func look(b testing.TB, pid int) process {
	b.Helper()
	var p process
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	u, _ := strconv.ParseInt(f[11], 10, 64)
	s, _ := strconv.ParseInt(f[12], 10, 64)
	p.cpu = time.Duration(u+s) * (time.Second / 100)
	p.wrote = procField(fmt.Sprintf("/proc/%d/io", pid), "write_bytes:")
	p.rss = procField(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	p.hwm = procField(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
	p.anon = procField(fmt.Sprintf("/proc/%d/status", pid), "RssAnon:")
	return p
}

func procField(file, name string) int64 {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return n
		}
	}
	return -1
}

// newest is the seq of the newest record in the store.
func newest(b testing.TB, dir string) int64 {
	b.Helper()
	db := openRows(b, dir)
	defer db.Close()
	var n int64
	if err := db.QueryRow("SELECT coalesce(max(seq),0) FROM record").Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// mixed returns n records of a busy day behind a history of sales: every fifth is a refund of a
// sale of the history, each of another one, and 95 of 10 000 records are refunds to another card.
func mixed(history, n int) []wire.Record {
	recs := make([]wire.Record, n)
	for i := range recs {
		recs[i] = saleAt(history + i)
		if i%5 != 4 {
			continue
		}
		of := (i / 5 * 7919) % history
		recs[i] = wrongRefund(history+i, of)
		if i%2000 >= 95 { // i ends in 4 or 9: 19 of 400 refunds are wrong
			recs[i].Party.ID = saleAt(of).Party.ID
		}
	}
	return recs
}

// TestMixedLoad: the load of the benchmark is the one that its figures name.
func TestMixedLoad(t *testing.T) {
	const history, n = 100_000, 50_000
	refunds, wrong, of := 0, 0, map[string]bool{}
	for _, r := range mixed(history, n) {
		if r.Kind != "refund" {
			continue
		}
		refunds++
		of[r.Original.RRN] = true
		sale, err := strconv.Atoi(r.Original.RRN)
		if err != nil {
			t.Fatal(err)
		}
		if r.Party.ID != saleAt(sale).Party.ID {
			wrong++
		}
	}
	if refunds != n/5 || wrong != 475 || len(of) != refunds {
		t.Errorf("%d refunds of %d sales, %d wrong; want %d of as many, 475 wrong", refunds, len(of), wrong, n/5)
	}
}

// BenchmarkThroughput: records per second end to end through a pty, a fifth of them refunds,
// with history; beside it the bare pty, and the rows those records left written by the store
// alone.
func BenchmarkThroughput(b *testing.B) {
	const history, n = 100_000, 50_000
	for range b.N {
		line, err := wire.OpenPTY()
		if err != nil {
			b.Fatal(err)
		}
		st := newStation(b, settings{port: line.Place()})
		withHistory(b, st.store, history)
		bytes := encode(b, mixed(history, n)...)
		st.startOnline()
		idle := look(b, st.cmd.Process.Pid)
		begin := time.Now()
		go line.Write(bytes)
		eventually(b, 5*time.Minute, "all records durable", func() bool { return newest(b, st.store) >= history+n })
		took := time.Since(begin)
		end := look(b, st.cmd.Process.Pid)
		st.stop()
		line.Close()
		rate := n / took.Seconds()
		rows, rowBytes := storeAlone(b, st.store, history)
		pty := barePTY(b, bytes)
		b.ReportMetric(rate, "records/s")
		b.ReportMetric(rate/rows, "of-store-alone")
		b.ReportMetric(rows, "rows-alone/s")
		b.ReportMetric(n/pty.Seconds(), "bare-pty-frames/s")
		b.ReportMetric((end.cpu-idle.cpu).Seconds()/n*100_000, "cpu-s/100k")
		b.ReportMetric(float64(end.wrote-idle.wrote)/n, "disk-B/rec")
		b.ReportMetric(float64(end.wrote-idle.wrote)/n/rowBytes, "of-alone-bytes")
		b.ReportMetric(0, "ns/op")
	}
}

// barePTY is how long a pty takes for the same bytes with a reader that only reads.
func barePTY(b testing.TB, bytes []byte) time.Duration {
	line, err := wire.OpenPTY()
	if err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	other, err := wire.OpenTTY(line.Place(), 115200)
	if err != nil {
		b.Fatal(err)
	}
	defer other.Close()
	begin := time.Now()
	go line.Write(bytes)
	if _, err := io.ReadFull(other, make([]byte, len(bytes))); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// BenchmarkLatency: from the last byte of a wrong refund to its durable verdict (the
// log line that follows the commit) and to a subscriber of a real broker, at 50
// records a second; beside it one fdatasync and one single-row commit.
func BenchmarkLatency(b *testing.B) {
	const history, n = 100_000, 300
	for range b.N {
		broker := brokertest.Start(b, brokertest.Options{})
		line, err := wire.OpenPTY()
		if err != nil {
			b.Fatal(err)
		}
		st := newStation(b, settings{port: line.Place(), broker: broker.URL()})
		withHistory(b, st.store, history)
		d := newDesk(b, broker.URL(), st.id)
		arrived := d.watch()
		said := make(chan time.Time, n)
		st.log.watch("case.opened", said)
		st.startOnline()
		sync := fdatasyncs(b, st.dir, 200)
		commit := commits(b, st.dir, 200)
		var durable, told []time.Duration
		tick := time.NewTicker(20 * time.Millisecond)
		for i := range n {
			<-tick.C
			frame := encode(b, wrongRefund(history+i, i*13))
			if _, err := line.Write(frame); err != nil {
				b.Fatal(err)
			}
			begin := time.Now()
			durable = append(durable, wait(b, said).Sub(begin))
			told = append(told, wait(b, arrived).Sub(begin))
		}
		tick.Stop()
		st.stop()
		line.Close()
		for what, ds := range map[string][]time.Duration{"durable": durable, "subscriber": told, "fdatasync": sync, "commit": commit} {
			slices.Sort(ds)
			b.ReportMetric(float64(ds[len(ds)/2].Microseconds()), what+"-p50-us")
			b.ReportMetric(float64(ds[len(ds)*99/100].Microseconds()), what+"-p99-us")
		}
		b.ReportMetric(0, "ns/op")
	}
}

func wait(b testing.TB, c <-chan time.Time) time.Time {
	select {
	case t := <-c:
		return t
	case <-time.After(30 * time.Second):
		b.Fatal("nothing came")
		return time.Time{}
	}
}

// BenchmarkResident: memory idle and under load with a million sales on disk.
func BenchmarkResident(b *testing.B) {
	const history, n = 1_000_000, 30_000
	for range b.N {
		broker := brokertest.Start(b, brokertest.Options{})
		line, err := wire.OpenPTY()
		if err != nil {
			b.Fatal(err)
		}
		st := newStation(b, settings{port: line.Place(), broker: broker.URL()})
		withHistory(b, st.store, history)
		st.startOnline()
		pace(5 * time.Second)
		idle := look(b, st.cmd.Process.Pid)
		recs := make([]wire.Record, n)
		for i := range recs {
			recs[i] = saleAt(history + i)
			if i%20 == 19 {
				recs[i] = wrongRefund(history+i, (i*7919)%history)
			}
		}
		go line.Write(encode(b, recs...))
		var peak process
		eventually(b, 5*time.Minute, "all records durable", func() bool {
			if p := look(b, st.cmd.Process.Pid); p.rss > peak.rss {
				peak = p
			}
			return newest(b, st.store) >= history+n
		})
		st.stop()
		line.Close()
		b.ReportMetric(float64(idle.rss)/1024, "idle-MiB")
		b.ReportMetric(float64(idle.anon)/1024, "idle-anon-MiB")
		b.ReportMetric(float64(peak.rss)/1024, "load-MiB")
		b.ReportMetric(float64(peak.anon)/1024, "load-anon-MiB")
		b.ReportMetric(0, "ns/op")
	}
}

func fdatasyncs(b testing.TB, dir string, n int) (out []time.Duration) {
	f, err := os.Create(filepath.Join(dir, "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for i := range n {
		begin := time.Now()
		if _, err := f.WriteAt(page, int64(i%256)*4096); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		out = append(out, time.Since(begin))
	}
	return out
}

// watch sends the moment of every line with this event.
func (c *capture) watch(event string, to chan<- time.Time) {
	r, w := io.Pipe()
	c.mu.Lock()
	c.also = w
	c.mu.Unlock()
	var once sync.Once
	go func() {
		defer once.Do(func() { r.Close() })
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if strings.Contains(lines.Text(), " "+event+" ") {
				to <- time.Now()
			}
		}
	}()
}
