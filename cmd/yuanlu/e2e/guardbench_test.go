package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/firmware-sim/wire"
)

// asker is the firmware's end of a pty: it asks, confirms the answer, and keeps what came.
type asker struct {
	b    testing.TB
	line *wire.PTY
	in   wire.Incoming
	raw  []byte // what came for the last ask, up to the end of its answer
}

// ask writes an ask and returns the answer, and how long it took from the last byte of the one
// to the last byte of the other.
func (a *asker) ask(frame []byte, id string) (wire.GuardAnswer, time.Duration) {
	a.b.Helper()
	if _, err := a.line.Write(frame); err != nil {
		a.b.Fatal(err)
	}
	begin := time.Now()
	a.raw = a.raw[:0]
	buf := make([]byte, 16<<10)
	late := time.AfterFunc(30*time.Second, func() { a.line.Close() })
	defer late.Stop()
	for {
		n, err := a.line.Read(buf)
		took := time.Since(begin)
		if err != nil {
			a.b.Fatalf("no answer to %s: %v", id, err)
		}
		a.raw = append(a.raw, buf[:n]...)
		for _, f := range a.in.Push(buf[:n]) {
			if f.Kind != wire.SmartData {
				continue
			}
			a.confirm(f.ID)
			if got, ok := wire.ReadGuard(f.Data); ok && got.Src == "guard.answer" && got.Ask == id {
				return got, took
			}
		}
	}
}

func (a *asker) confirm(id byte) {
	frame, err := wire.AppendSmart(nil, wire.SmartConfirm, id, 0, nil)
	if err != nil {
		a.b.Fatal(err)
	}
	if _, err := a.line.Write(frame); err != nil {
		a.b.Fatal(err)
	}
}

// askAbout is the ask for a refund of a sale to its payer, or of every second one to another
// card. A deadline so long shows how late an answer would be.
func askAbout(i, sale int) wire.Ask {
	s := saleAt(sale)
	amount := s.Amount
	a := wire.Ask{Kind: "refund", Channel: "card", Entry: "chip", Amount: &amount, Currency: "CNY", At: s.At.Add(time.Hour), Stan: fmt.Sprintf("%06d", 500_000+i),
		Batch: "900000", Original: wire.Original{RRN: s.RRN, Date: s.At.Format("0102")}, Party: s.Party, About: wire.AskAbout{ID: fmt.Sprint("b-", i), DeadlineMS: 5000}}
	if i%2 == 1 {
		a.Party.ID = cardNumber(sale + 1)
	}
	return a
}

// BenchmarkGuard: from the last byte of an ask to the last byte of its answer, one after the
// other, half of them held, which is a commit; beside it the same bytes both ways over the same
// pty with an echo at the other end. 10 000 sales in the store, with YUANLU_SOAK=1 a million, too.
func BenchmarkGuard(b *testing.B) {
	for _, history := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("sales=%d", history), func(b *testing.B) {
			if history > 10_000 && os.Getenv("YUANLU_SOAK") == "" {
				b.Skip("YUANLU_SOAK=1")
			}
			for range b.N {
				benchmarkGuard(b, history)
			}
		})
	}
}

func benchmarkGuard(b *testing.B, history int) {
	const n = 600
	line, err := wire.OpenPTY()
	if err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	st := newStation(b, settings{port: line.Place(), wire: "smart", link: `guard = "hold"`})
	withHistory(b, st.store, history)
	st.startOnline()
	a := &asker{b: b, line: line}
	var encoder wire.Smart
	var frames, said [][]byte
	took := map[string][]time.Duration{}
	actions := map[string]int{}
	for i := range n {
		about := askAbout(i, (i+1)*7919%history)
		// Of a terminal of its own each eight holds: it may have no more open at once.
		f, err := encoder.Guard("guard.ask", wire.Envelope{TerminalID: fmt.Sprint(20_000_000 + i/16), MerchantID: "898000000000001", Operator: "01"}, about)
		if err != nil {
			b.Fatal(err)
		}
		got, long := a.ask(f.Bytes, about.About.ID)
		actions[got.Action]++
		took["all"], took[got.Action] = append(took["all"], long), append(took[got.Action], long)
		frames, said = append(frames, f.Bytes), append(said, slices.Clone(a.raw))
	}
	if actions["hold"] != n/2 || actions["proceed"] != n/2 {
		b.Errorf("%v, want half held", actions)
	}
	sync := fdatasyncs(b, st.dir, 200)
	st.stop()
	took["echo"], took["fdatasync"] = echoed(b, line, frames, said), sync
	for what, ds := range took {
		slices.Sort(ds)
		b.ReportMetric(float64(ds[len(ds)/2].Microseconds()), what+"-p50-us")
		b.ReportMetric(float64(ds[len(ds)*99/100].Microseconds()), what+"-p99-us")
	}
	b.ReportMetric(0, "ns/op")
}

// echoed returns how long the same asks take on the same pty with what was answered ready at the
// other end.
func echoed(b *testing.B, line *wire.PTY, frames, said [][]byte) (took []time.Duration) {
	other, err := wire.OpenTTY(line.Place(), 115200)
	if err != nil {
		b.Fatal(err)
	}
	var echo sync.WaitGroup
	defer echo.Wait()
	defer other.Close()
	echo.Go(func() {
		for i, f := range frames {
			if _, err := io.ReadFull(other, make([]byte, len(f))); err != nil {
				return
			}
			if _, err := other.Write(said[i]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 16<<10)
	late := time.AfterFunc(time.Minute, func() { line.Close() })
	defer late.Stop()
	for i, f := range frames {
		if _, err := line.Write(f); err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		for left := len(said[i]); left > 0; {
			n, err := line.Read(buf)
			if err != nil {
				b.Fatalf("the echo of ask %d lacks %d bytes: %v", i, left, err)
			}
			left -= n
		}
		took = append(took, time.Since(begin))
	}
	return took
}

// BenchmarkGuardedThroughput: records per second end to end through a pty without asks and with
// 20 a second by the local API, half of them held, in turns on one store.
func BenchmarkGuardedThroughput(b *testing.B) {
	const history, n = 100_000, 20_000
	for range b.N {
		line, err := wire.OpenPTY()
		if err != nil {
			b.Fatal(err)
		}
		st := newStation(b, settings{port: line.Place(), link: `guard = "hold"`})
		withHistory(b, st.store, history)
		st.startOnline()
		var with, without, asks float64
		var took []time.Duration
		for round, asking := range []bool{false, true, true, false} {
			bytes := encode(b, mixed(history+round*n, n)...)
			ctx, cancel := context.WithCancel(b.Context())
			var till sync.WaitGroup
			if asking {
				till.Go(func() { took = append(took, askAt20(ctx, b, st, round*100_000, history)...) })
			}
			begin := time.Now()
			go line.Write(bytes)
			eventually(b, 5*time.Minute, "all records durable", func() bool { return newest(b, st.store) >= int64(history+(round+1)*n) })
			rate := n / time.Since(begin).Seconds() / 2
			cancel()
			till.Wait()
			if asking {
				with += rate
			} else {
				without += rate
			}
		}
		st.stop()
		line.Close()
		if asks = float64(len(took)); asks == 0 {
			b.Fatal("no ask was answered")
		}
		slices.Sort(took)
		b.ReportMetric(without, "records/s")
		b.ReportMetric(with, "records-asked/s")
		b.ReportMetric(with/without, "of-without")
		b.ReportMetric(asks, "asks")
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "ask-p50-us")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "ask-p99-us")
		b.ReportMetric(0, "ns/op")
	}
}

// askAt20 asks 20 times a second until ctx ends, and returns how long each took.
func askAt20(ctx context.Context, b *testing.B, st *station, from, history int) (took []time.Duration) {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(st.store, "guard.sock"))
	}}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := from; ; i++ {
		select {
		case <-ctx.Done():
			return took
		case <-tick.C:
		}
		text, err := json.Marshal(askAbout(i, (i+1)*7919%history))
		if err != nil {
			b.Error(err)
			return took
		}
		body := strings.Replace(string(text), "{", `{"merchant_id":"898000000000001","terminal_id":"10000001","operator":"01",`, 1)
		begin := time.Now()
		q, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, "http://guard/v1/asks", strings.NewReader(body))
		if err != nil {
			b.Error(err)
			return took
		}
		q.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(q)
		if err != nil {
			b.Error(err)
			return took
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			b.Errorf("ask %d: %s %v", i, answer.Status, err)
			return took
		}
		took = append(took, time.Since(begin))
	}
}
