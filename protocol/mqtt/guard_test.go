package mqtt

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// cannedConn reads from a slice and swallows writes.
type cannedConn struct {
	net.Conn
	in io.Reader
}

func (c *cannedConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *cannedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *cannedConn) Close() error                     { return nil }
func (c *cannedConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzGuard: whatever the network sends, what comes through are whole packets
// that the library can read, of kinds and sizes it expects, each answer once and
// only for what was asked; and nothing that was not received.
func FuzzGuard(f *testing.F) {
	f.Add([]byte{0x20, 2, 0, 0, 0x90, 3, 0, 1, 1, 0x40, 2, 0, 7, 0x32, 9, 0, 4, 'd', 'n', '/', 'x', 0, 1, '{', 0xd0, 0})
	f.Add([]byte{0x20, 2, 0, 0, 0x90, 4, 0, 1, 0, 0})
	f.Add([]byte{0x20, 2, 0, 0, 0x40, 2, 0, 7, 0x40, 2, 0, 7})
	f.Add([]byte{0x20, 2, 0, 0, 0x30, 0x83, 0x00, 0, 1, 'a'})
	f.Add([]byte{0x20, 2, 0, 9})
	f.Fuzz(func(t *testing.T, raw []byte) {
		g := newGuard(&cannedConn{in: bytes.NewReader(raw)}, time.Second, func(error) {})
		subscribe := []byte{0x82, 6, 0, 1, 0, 1, 'a', 1}
		publish := []byte{0x32, 5, 0, 1, 'a', 0, 7}
		for _, p := range [][]byte{{0x10, 0}, subscribe, publish} {
			if _, err := g.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		_, err := io.Copy(&out, g)
		if err != nil && !errors.Is(err, ErrProtocol) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("ended with %v", err)
		}
		if !bytes.Contains(append([]byte(nil), raw...), out.Bytes()) && g.stray == 0 {
			t.Errorf("let through bytes that were not received")
		}
		subacks, pubacks := 0, 0
		for n := 0; out.Len() > 0; n++ {
			p, err := packets.ReadPacket(&out)
			if err != nil {
				t.Fatalf("the library cannot read what was let through: %v", err)
			}
			switch p := p.(type) {
			case *packets.ConnackPacket:
				if n != 0 || p.ReturnCode > 5 {
					t.Errorf("CONNACK %d at %d", p.ReturnCode, n)
				}
			case *packets.SubackPacket:
				if subacks++; len(p.ReturnCodes) != 1 || p.MessageID != 1 {
					t.Errorf("SUBACK %v", p)
				}
			case *packets.PubackPacket:
				if pubacks++; p.MessageID != 7 {
					t.Errorf("PUBACK %v", p)
				}
			case *packets.PublishPacket:
				if p.Qos > 1 || p.Qos == 1 && p.MessageID == 0 || p.RemainingLength > MaxPacket || p.TopicName == "" {
					t.Errorf("PUBLISH %v", p.FixedHeader)
				}
			case *packets.PingrespPacket:
			default:
				t.Errorf("let through a %T", p)
			}
		}
		if subacks > 1 || pubacks > 1 {
			t.Errorf("%d SUBACKs, %d PUBACKs; each was asked for once", subacks, pubacks)
		}
	})
}

func TestRemainingLength(t *testing.T) {
	for _, tc := range []struct {
		in        []byte
		length, n int
		done, bad bool
	}{
		{nil, 0, 0, false, false},
		{[]byte{0}, 0, 1, true, false},
		{[]byte{0x7f}, 127, 1, true, false},
		{[]byte{0x80}, 0, 1, false, false},
		{[]byte{0x80, 1}, 128, 2, true, false},
		{[]byte{0xff, 0xff, 0xff, 0x7f}, 268435455, 4, true, false},
		{[]byte{0xff, 0xff, 0xff, 0xff}, 0, 4, false, true},
		{[]byte{0xff, 0xff, 0xff, 0xff, 1}, 0, 4, false, true},
	} {
		length, n, done, err := remainingLength(tc.in)
		if (err != nil) != tc.bad || done != tc.done || done && (length != tc.length || n != tc.n) {
			t.Errorf("% x: %d %d %v %v", tc.in, length, n, done, err)
		}
	}
}

func TestGuardRefusesWritesThatAreNotOnePacket(t *testing.T) {
	for _, p := range [][]byte{{}, {0x30}, {0x30, 5, 0}, {0x30, 1, 0, 0}, {0x82, 1, 0}, {0x32, 1, 0}, {0x32, 3, 0, 1, 'a'}, {0x30, 0xff, 0xff, 0xff, 0xff, 1}} {
		g := newGuard(&cannedConn{in: bytes.NewReader(nil)}, time.Second, func(error) {})
		if _, err := g.Write(p); err == nil {
			t.Errorf("% x: written", p)
		}
	}
}
