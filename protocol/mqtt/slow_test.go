package mqtt_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/protocol/mqtt"
)

// drip is a broker's end of a connection in memory on which it sends one byte a
// second and reads everything.
func drip(sent []byte) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		gone := make(chan struct{})
		go func() { // ends with the connection
			defer close(gone)
			defer theirs.Close()
			buf := make([]byte, 4096)
			for {
				if _, err := theirs.Read(buf); err != nil {
					return
				}
			}
		}()
		go func() { // likewise
			for _, b := range sent {
				select {
				case <-time.After(time.Second):
				case <-gone:
					return
				}
				if _, err := theirs.Write([]byte{b}); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}
}

// TestRule03_OneByteASecond: a broker that is slow but right is waited for; one that
// never ends a packet is given up after the keep-alive, whatever it drips.
func TestRule03_OneByteASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connack, suback := []byte{0x20, 2, 0, 0}, []byte{0x90, 3, 0, 1, 1}
		endless := append([]byte{0x30, 0x80, 0x80, 0x08, 0, 4, 'd', 'n', '/', 'x'}, make([]byte, 1000)...) // announces 128 KiB
		sent := append(append(append([]byte{}, connack...), suback...), endless...)
		began := time.Now()
		c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: "tcp://localhost", ClientID: "t1", DialContext: drip(sent)})
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 4*time.Second {
			t.Errorf("CONNACK of four bytes after %v", d)
		}
		if err := c.Subscribe(t.Context(), "dn/#", func(string, []byte, bool) { t.Error("half a message was handed out") }); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 9*time.Second {
			t.Errorf("SUBACK of five bytes after %v", d)
		}
		<-c.Done()
		if d := time.Since(began); d > 60*time.Second {
			t.Errorf("given up after %v", d)
		}
		if !errors.Is(c.Err(), mqtt.ErrLost) || !errors.Is(c.Err(), mqtt.ErrSilent) {
			t.Errorf("ended with %v", c.Err())
		}
		mustClose(t, c)
	})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := mqtt.Dial(t.Context(), mqtt.Options{URL: "tcp://localhost", ClientID: "t1",
			DialContext: drip([]byte{0x20, 2, 0})}) // the last byte never comes
		if !hasCode(err, "timeout") || time.Since(began) != 15*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
