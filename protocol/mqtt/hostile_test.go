package mqtt_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// TestRule03_HostileBytes: everything here would kill, hang or bloat the
// process through the bare library, or is simply not MQTT.
func TestRule03_HostileBytes(t *testing.T) {
	big := append([]byte{0x30, 0x80, 0x80, 0x10}, make([]byte, 100)...) // states 256 KiB
	for name, raw := range map[string][]byte{
		"SUBACK with two codes":          {0x90, 4, 0, 1, 0, 0},
		"SUBACK with no code":            {0x90, 2, 0, 1},
		"SUBACK nobody waits for":        {0x90, 3, 0x12, 0x34, 0},
		"SUBACK with code 3":             {0x90, 3, 0, 2, 3},
		"256 MiB announced":              {0x30, 0xff, 0xff, 0xff, 0x7f},
		"256 KiB + 1 announced":          {0x30, 0x81, 0x80, 0x10},
		"length without end":             {0x30, 0xff, 0xff, 0xff, 0xff, 0xff},
		"second CONNACK":                 {0x20, 2, 0, 0},
		"CONNECT":                        {0x10, 2, 0, 0},
		"SUBSCRIBE":                      {0x82, 2, 0, 1},
		"PUBREC":                         {0x50, 2, 0, 1},
		"PUBREL":                         {0x62, 2, 0, 1},
		"PUBCOMP":                        {0x70, 2, 0, 1},
		"UNSUBACK":                       {0xb0, 2, 0, 1},
		"DISCONNECT":                     {0xe0, 0},
		"type 0":                         {0x00, 0},
		"type 15":                        {0xf0, 0},
		"PUBLISH QoS 2":                  {0x34, 5, 0, 1, 'a', 0, 1},
		"PUBLISH QoS 3":                  {0x36, 5, 0, 1, 'a', 0, 1},
		"PUBLISH without topic":          {0x30, 2, 0, 0},
		"PUBLISH topic longer than it":   {0x30, 3, 0, 9, 'a'},
		"PUBLISH QoS 1 without id":       {0x32, 3, 0, 1, 'a'},
		"PUBLISH QoS 1 with id 0":        {0x32, 5, 0, 1, 'a', 0, 0},
		"PUBLISH to a wildcard":          {0x30, 3, 0, 1, '#'},
		"PUBLISH topic not UTF-8":        {0x30, 3, 0, 1, 0xff},
		"PUBACK of three bytes":          {0x40, 3, 0, 1, 0},
		"PINGRESP with a body":           {0xd0, 1, 0},
		"PINGRESP with flags":            {0xd1, 0},
		"half a packet, then the end":    big,
		"an HTTP answer":                 []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"nothing but the end":            {},
		"a byte of header, then nothing": {0x30},
	} {
		t.Run(name, func(t *testing.T) {
			f := &brokertest.Fake{Unchecked: true}
			f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
				switch p.Kind {
				case brokertest.Subscribe, brokertest.Publish:
					c.Raw(raw)
					c.Close()
					return true
				}
				return false
			}
			c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
			err := c.Subscribe(t.Context(), "dn/#", func(string, []byte, bool) {})
			if !errors.Is(err, mqtt.ErrLost) {
				t.Errorf("Subscribe = %v, want ErrLost", err)
			}
			<-c.Done()
			early := &brokertest.Fake{Unchecked: true, Handler: func(c *brokertest.FakeConn, _ *brokertest.Packet) bool {
				c.Raw(raw)
				c.Close()
				return true
			}}
			if !bytes.HasPrefix(raw, []byte{0x20, 2, 0, 0}) {
				if c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: early.Listen(t), ClientID: "t1"}); err == nil {
					mustClose(t, c)
					t.Error("connected to it")
				}
			}
		})
	}
}

func TestRule03_HugeLengthIsNotAllocated(t *testing.T) {
	f := &brokertest.Fake{Unchecked: true, Handler: func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind == brokertest.Publish {
			c.Raw([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
			return true
		}
		return false
	}}
	var before, after runtime.MemStats
	c := mustDial(t, mqtt.Options{URL: f.Listen(t), ClientID: "t1"})
	runtime.ReadMemStats(&before)
	if err := c.Publish(t.Context(), "a", 1, false, nil); !errors.Is(err, mqtt.ErrTooLarge) {
		t.Errorf("Publish = %v, want ErrTooLarge", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("allocated %d bytes", got)
	}
}

// A PUBACK may be on its way before the packet it answers is written; two at
// once are worse. The library must see neither out of place.
func TestRule03_EarlyPuback(t *testing.T) {
	var flood []byte
	for id := range 64 {
		flood = append(flood, 0x40, 2, 0, byte(id))
	}
	f := &brokertest.Fake{Unchecked: true, Handler: func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind == brokertest.Connect {
			c.Default(p)
			go func() {
				for c.Raw(flood) == nil {
					runtime.Gosched()
				}
			}()
			return true
		}
		return false
	}}
	u := f.Listen(t)
	for range 20 {
		c := mustDial(t, mqtt.Options{URL: u, ClientID: "t1"})
		for range 50 {
			if err := c.Publish(t.Context(), "a", 1, false, nil); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, c)
	}
}

// FuzzBroker lets a broker send anything, whole or byte by byte, before or after
// a proper CONNACK, while a client subscribes, publishes and closes. There must
// be no panic, no hang, and no success that was not acknowledged.
func FuzzBroker(f *testing.F) {
	connack := []byte{0x20, 2, 0, 0}
	f.Add([]byte{0x90, 4, 0, 1, 0, 0}, true, true)
	f.Add([]byte{0x90, 3, 0, 1, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 2}, true, false)
	f.Add([]byte{0x90, 3, 0, 1, 1, 0x90, 3, 0, 1, 1}, true, false)
	f.Add([]byte{0x32, 9, 0, 4, 'd', 'n', '/', 'x', 0, 1, '{'}, true, true)
	f.Add(append(connack, 0x30, 0xff, 0xff, 0xff, 0x7f), false, false)
	f.Add([]byte{0x20, 2, 0, 200}, false, true)
	f.Add([]byte(strings.Repeat("\xd0\x00", 50)), true, false)
	f.Fuzz(func(t *testing.T, raw []byte, polite, slow bool) {
		if len(raw) > 4096 {
			return
		}
		ours, theirs := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			defer theirs.Close()
			theirs.SetDeadline(time.Now().Add(2 * time.Second))
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				buf := make([]byte, 4096)
				for {
					if _, err := theirs.Read(buf); err != nil {
						return
					}
				}
			}()
			if polite {
				theirs.Write(connack)
			}
			for at, step := 0, len(raw); at < len(raw); at += step {
				if slow {
					step = 1
				}
				if _, err := theirs.Write(raw[at : at+step]); err != nil {
					break
				}
			}
			theirs.Close()
			<-drained
		}()
		o := mqtt.Options{URL: "tcp://localhost", ClientID: "t1", ConnectTimeout: time.Second, WriteTimeout: time.Second, AckTimeout: time.Second,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err := mqtt.Dial(ctx, o)
		if err == nil {
			subErr := c.Subscribe(ctx, "dn/#", func(string, []byte, bool) {})
			pubErr := c.Publish(ctx, "up/x", 1, false, []byte("x"))
			if subErr == nil && !bytes.Contains(raw, []byte{0x90, 3, 0, 1}) || pubErr == nil && !bytes.Contains(raw, []byte{0x40, 2, 0}) {
				t.Errorf("success without an answer: subscribe %v, publish %v", subErr, pubErr)
			}
			if err := c.Close(ctx); err != nil {
				t.Errorf("Close hangs: %v", err)
			}
		}
		ours.Close()
		<-served
	})
}

// An answer that is not TLS at all.
func TestNotTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			c.Read(make([]byte, 1024))
			c.Close()
		}
	}()
	if _, err := mqtt.Dial(t.Context(), mqtt.Options{URL: "tls://" + l.Addr().String(), ClientID: "t1"}); !hasCode(err, "not_tls") {
		t.Errorf("%v, want not_tls", err)
	}
	if _, err := mqtt.Dial(t.Context(), mqtt.Options{URL: "tcp://" + l.Addr().String(), ClientID: "t1"}); !hasCode(err, "protocol") {
		t.Errorf("%v, want protocol", err)
	}
}
