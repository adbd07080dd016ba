package mqtt_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// countedConn counts writes.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func counted(writes *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return countedConn{conn, writes}, err
	}
}

// TestSendJoinsMessages: what is sent together leaves in one write, in its order, and what
// is more than 64 KiB in a few; nothing is kept back.
func TestSendJoinsMessages(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true}
	var writes atomic.Int64
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1", DialContext: counted(&writes)})
	results := make([]chan error, 8)
	for i := range results {
		results[i] = make(chan error, 1)
	}
	sent := 0
	for _, size := range []int{10, 3800, 20_000} {
		before := writes.Load()
		var batch []mqtt.Outgoing
		for i := range results { // the channels are used again
			batch = append(batch, mqtt.Outgoing{Topic: "a", QoS: 1, Payload: append(make([]byte, size), byte(sent+i)), Result: results[i]})
		}
		if err := c.Send(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
		for i := range results {
			if err := <-results[i]; err != nil {
				t.Fatal(err)
			}
		}
		sent += len(results)
		if n, want := writes.Load()-before, int64(1+len(results)*size/(64<<10)); n > want {
			t.Errorf("%d messages of %d bytes: %d writes, want at most %d", len(results), size, n, want)
		}
	}
	published := f.Published()
	if len(published) != sent {
		t.Fatalf("%d messages came, want %d", len(published), sent)
	}
	for i, p := range published {
		if p.Payload[len(p.Payload)-1] != byte(i) {
			t.Errorf("message %d came at %d", p.Payload[len(p.Payload)-1], i)
		}
	}
	mustClose(t, c)
}

// TestSendFromManyGoroutines: batches and single messages of several goroutines, with and
// without acknowledgement, all get through.
func TestSendFromManyGoroutines(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true}
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
	var all sync.WaitGroup
	for g := range 6 {
		all.Go(func() {
			for n := range 40 {
				batch := make([]mqtt.Outgoing, 1+(g+n)%4)
				result := make(chan error, len(batch))
				for i := range batch {
					batch[i] = mqtt.Outgoing{Topic: "a", QoS: byte(1 - (g+i)%5/4), Payload: []byte{byte(n)}, Result: result}
				}
				if err := c.Send(t.Context(), batch...); err != nil {
					t.Error(err)
					return
				}
				for range batch {
					if err := <-result; err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	mustClose(t, c)
	if err := c.Send(t.Context(), mqtt.Outgoing{Topic: "a", QoS: 1, Result: make(chan error, 1)}); err == nil {
		t.Error("sent on a closed connection")
	}
}
