package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// errProtocol is a broker that does not keep to MQTT 3.1.1.
var errProtocol = errors.New("broker breaks the protocol")

// MaxPacket is the largest packet taken from a broker, in bytes after the fixed
// header.
const MaxPacket = 256 << 10

// writeTime is how long one write may go without progress.
const writeTime = 10 * time.Second

// guard hands the library only packets that it has checked whole: v1.5.1 panics
// on a SUBACK with more codes than filters, and would make room for 256 MiB.
type guard struct {
	net.Conn
	in     *bufio.Reader
	packet []byte // checked, not yet taken by the library
	begun  bool   // CONNACK has come

	mu    sync.Mutex
	asked map[uint16]bool // guarded by mu: SUBSCRIBE that waits for its SUBACK
}

func newGuard(c net.Conn) *guard {
	return &guard{Conn: c, in: bufio.NewReaderSize(c, 16<<10), asked: map[uint16]bool{}}
}

// answered takes a SUBSCRIBE out of those that wait.
func (g *guard) answered(id uint16) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	there := g.asked[id]
	delete(g.asked, id)
	return there
}

// Read returns the bytes of checked packets.
func (g *guard) Read(p []byte) (int, error) {
	if len(g.packet) == 0 {
		if err := g.next(); err != nil {
			_ = g.Conn.Close()
			return 0, err
		}
	}
	n := copy(p, g.packet)
	g.packet = g.packet[n:]
	return n, nil
}

func (g *guard) next() error {
	first, err := g.in.ReadByte()
	if err != nil {
		return err
	}
	head, length := []byte{first}, 0
	for shift := 0; ; shift += 7 {
		c, err := g.in.ReadByte()
		if err != nil {
			return err
		}
		head = append(head, c)
		length |= int(c&0x7f) << shift
		if c&0x80 == 0 {
			break
		}
		if shift == 21 {
			return fmt.Errorf("%w: length of more than 4 bytes", errProtocol)
		}
	}
	if err := g.checkHead(first, length); err != nil {
		return err
	}
	packet := make([]byte, len(head)+length)
	body := packet[copy(packet, head):]
	if _, err := io.ReadFull(g.in, body); err != nil {
		return err
	}
	if err := g.checkBody(first, body); err != nil {
		return err
	}
	g.packet = packet
	return nil
}

func (g *guard) checkHead(first byte, length int) error {
	kind, flags := first>>4, first&0x0f
	if (kind == 2) == g.begun {
		return fmt.Errorf("%w: packet type %d, want CONNACK first and once", errProtocol, kind)
	}
	g.begun = true
	want := 0
	switch kind {
	case 3: // PUBLISH
		if flags>>1&3 > 1 || length > MaxPacket {
			return fmt.Errorf("%w: PUBLISH with flags %#x and %d bytes", errProtocol, flags, length)
		}
		return nil
	case 2, 4: // CONNACK, PUBACK
		want = 2
	case 9: // SUBACK: every SUBSCRIBE of ours has one filter
		want = 3
	case 13: // PINGRESP
	default:
		return fmt.Errorf("%w: packet type %d", errProtocol, kind)
	}
	if flags != 0 || length != want {
		return fmt.Errorf("%w: packet type %d with flags %#x and %d bytes", errProtocol, kind, flags, length)
	}
	return nil
}

func (g *guard) checkBody(first byte, body []byte) error {
	switch first >> 4 {
	case 2:
		if body[0] > 1 || body[1] > 5 {
			return fmt.Errorf("%w: CONNACK %#x %#x", errProtocol, body[0], body[1])
		}
	case 9:
		if c := body[2]; c > 2 && c != 0x80 {
			return fmt.Errorf("%w: SUBACK with code %#x", errProtocol, c)
		}
		if !g.answered(binary.BigEndian.Uint16(body)) {
			return fmt.Errorf("%w: SUBACK nobody waits for", errProtocol)
		}
	case 3:
		if len(body) < 2 {
			return fmt.Errorf("%w: PUBLISH of %d bytes", errProtocol, len(body))
		}
		n, rest := int(binary.BigEndian.Uint16(body)), body[2:]
		if n == 0 || n > len(rest) || first>>1&3 == 1 && len(rest) < n+2 {
			return fmt.Errorf("%w: PUBLISH too short", errProtocol)
		}
		if topic := string(rest[:n]); !utf8.ValidString(topic) || strings.ContainsAny(topic, "+#\x00") {
			return fmt.Errorf("%w: PUBLISH whose topic is not one", errProtocol)
		}
	}
	return nil
}

// Write sends what the library has made, within writeTime.
func (g *guard) Write(p []byte) (int, error) {
	if len(p) > 4 && p[0]>>4 == 8 {
		if _, n := binary.Uvarint(p[1:]); n > 0 && len(p) >= n+3 {
			g.mu.Lock()
			g.asked[binary.BigEndian.Uint16(p[1+n:])] = true
			g.mu.Unlock()
		}
	}
	if err := g.Conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}

// SetDeadline sets the read deadline; writes have their own.
func (g *guard) SetDeadline(t time.Time) error { return g.Conn.SetReadDeadline(t) }

// SetWriteDeadline does nothing: every write sets its own.
func (g *guard) SetWriteDeadline(time.Time) error { return nil }
