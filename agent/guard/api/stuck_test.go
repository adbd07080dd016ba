package api

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/agent/guard"
)

// hang connects so many clients that send a text and then nothing, and read nothing.
func (b *bench) hang(n int, text string) {
	b.t.Helper()
	for range n {
		conn, err := net.Dial("unix", b.socket)
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, text); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestStuckClientsMakeRoom: three times as many hanging clients as there are places do not
// keep a good one from its answer. They are counted, and logged once.
func TestStuckClientsMakeRoom(t *testing.T) {
	const post = "POST /v1/asks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, text := range map[string]string{
		"nothing":             "",
		"half a head":         post,
		"half a body":         post + "Content-Length: 500\r\n\r\n{",
		"a body without end":  post + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"a body nobody reads": "GET /v1/asks/T1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
		"a wait with a body":  "GET /v1/asks/T1/a?wait_s=30 HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
		"a body too long":     post + "Content-Length: 900000\r\n\r\n" + strings.Repeat(" ", mostBody+1),
	} {
		t.Run(name, func(t *testing.T) {
			tally := &guard.Tally{}
			b := start(t, func(o *Options) { o.Tally = tally })
			b.waiting = make(chan struct{}, 3*mostConns)
			b.hang(3*mostConns, text)
			b.client.Timeout = 2 * time.Second // 5 s would be the end of those that hang
			begin := time.Now()
			if status, body := b.call("POST", "/v1/asks", refundAsk); status != 200 {
				t.Error(status, body)
			}
			t.Logf("answered after %v", time.Since(begin).Round(time.Millisecond))
			_, refused := tally.Counts()
			if name != "a body nobody reads" && refused[codeStuck] < mostConns {
				t.Errorf("%d counted as stuck, want %d at least", refused[codeStuck], mostConns)
			}
			if n := strings.Count(b.log.String(), "guard.stuck"); n > 1 {
				t.Errorf("%d lines of log", n)
			}
		})
	}
}

// TestStuckIsToldOnceAMinute: the log gets the number of those since the line before.
func TestStuckIsToldOnceAMinute(t *testing.T) {
	var s stuck
	now := time.Now()
	told := []int{s.add(now), s.add(now), s.add(now.Add(sayStuck - 1)), s.add(now.Add(sayStuck))}
	if told[0] != 1 || told[1] != 0 || told[2] != 0 || told[3] != 3 {
		t.Error(told)
	}
}

// TestWaitsMakeRoom: those that wait for the end of a hold are answered early where all
// places are taken, with the hold as it is.
func TestWaitsMakeRoom(t *testing.T) {
	b := start(t, nil)
	b.waiting = make(chan struct{}, mostWaits)
	b.slow = make(chan struct{})
	ended := make(chan int, mostWaits)
	for range mostWaits {
		go func() {
			r, err := http.NewRequest("GET", "http://guard/v1/asks/T1/a-17?wait_s=30", nil)
			if err != nil {
				return
			}
			rsp, err := b.client.Do(r)
			if err != nil {
				ended <- 0
				return
			}
			_ = rsp.Body.Close()
			ended <- rsp.StatusCode
		}()
	}
	for range mostWaits {
		<-b.waiting
	}
	var cancels sync.WaitGroup
	for range mostConns - mostWaits { // whole requests at work: these keep their places
		cancels.Go(func() { b.call("POST", "/v1/asks/T1/a-17/cancel", "") })
	}
	b.until(func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.atWork == mostConns-mostWaits })
	b.client.Timeout = 2 * time.Second
	if status, body := b.call("POST", "/v1/asks", refundAsk); status != 200 {
		t.Error(status, body)
	}
	if status := <-ended; status != 200 {
		t.Errorf("one that waited got %d", status)
	}
	close(b.slow)
	cancels.Wait()
}

// TestReleasesLeaveRoom: four releases at once, then 429; an ask beside them is answered.
func TestReleasesLeaveRoom(t *testing.T) {
	b := start(t, nil)
	b.slow = make(chan struct{})
	const order = `{"by":"s-1","pin":"628401","reason":"consent"}`
	var under sync.WaitGroup
	for range mostReleases {
		under.Go(func() {
			if status, body := b.call("POST", "/v1/asks/T1/a-17/release", order); status != 200 {
				t.Error(status, body)
			}
		})
	}
	b.until(func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.atWork == mostReleases })
	fast := http.Client{Transport: b.client.Transport, Timeout: 2 * time.Second}
	for range 2 * mostConns {
		r, err := http.NewRequestWithContext(context.Background(), "POST", "http://guard/v1/asks/T1/a-17/release", strings.NewReader(order))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		rsp, err := fast.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = rsp.Body.Close()
		if rsp.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("one more got %d", rsp.StatusCode)
		}
	}
	if status, body := b.call("POST", "/v1/asks", refundAsk); status != 200 {
		t.Error(status, body)
	}
	close(b.slow)
	under.Wait()
	if status, body := b.call("POST", "/v1/asks/T1/a-17/release", order); status != 200 { // the places are free again
		t.Error(status, body)
	}
}

// work waits until the test lets an order end.
func (s *service) work(ctx context.Context) {
	if s.slow == nil {
		return
	}
	s.mu.Lock()
	s.atWork++
	s.mu.Unlock()
	select {
	case <-s.slow:
	case <-ctx.Done():
	}
}
