package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ErrStalled is a write that made no progress in its time.
var ErrStalled = errors.New("mqtt: write without progress")

// guard stands between the library and the network. It hands the library only
// packets that it has checked whole, and ends the connection at anything else,
// so that nothing the network sends can make the library panic.
//
// What could otherwise: a SUBACK with more codes than filters (index out of
// range in v1.5.1), two SUBACKs for one SUBSCRIBE (a map written while it is
// read), a PUBACK for a packet that is not completely written yet (a channel
// closed twice), a CONNACK with a code above 5, a length of 256 MiB.
//
// One goroutine may read and several may write, as the library does.
type guard struct {
	conn         net.Conn
	in           *bufio.Reader
	writeTimeout time.Duration
	onFail       func(error) // called once, from any goroutine, never under mu

	packet []byte // checked bytes that the library has not taken yet; of the reader
	buf    []byte // its storage; of the reader
	first  bool   // nothing has been read yet; of the reader

	writing sync.Mutex // one packet at a time

	mu      sync.Mutex
	written *sync.Cond      // of mu: a write has ended, or the guard has failed
	pubs    map[uint16]bool // PUBLISH waiting for its PUBACK; false while it is being written
	subs    map[uint16]bool // SUBSCRIBE waiting for its SUBACK; likewise
	stray   int64           // PUBACKs that were not waited for and dropped
	err     error           // why the guard ended; nil while it works
}

func newGuard(conn net.Conn, writeTimeout time.Duration, onFail func(error)) *guard {
	g := &guard{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), writeTimeout: writeTimeout, onFail: onFail, first: true,
		pubs: map[uint16]bool{}, subs: map[uint16]bool{}}
	g.written = sync.NewCond(&g.mu)
	return g
}

// fail ends the connection; the first reason stays. It returns that reason.
func (g *guard) fail(err error) error {
	g.mu.Lock()
	if g.err != nil {
		defer g.mu.Unlock()
		return g.err
	}
	g.err = err
	g.written.Broadcast()
	g.mu.Unlock()
	_ = g.conn.Close()
	g.onFail(err)
	return err
}

// reason is why the guard ended, nil while it works.
func (g *guard) reason() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Close ends the connection.
func (g *guard) Close() error {
	g.fail(net.ErrClosed)
	return nil
}

// Read returns the library the bytes of checked packets.
func (g *guard) Read(p []byte) (int, error) {
	for len(g.packet) == 0 {
		if err := g.next(); err != nil {
			return 0, g.fail(err)
		}
	}
	n := copy(p, g.packet)
	g.packet = g.packet[n:]
	return n, nil
}

// next reads and checks one packet into g.packet; one that is to be dropped
// leaves it empty.
func (g *guard) next() error {
	if cap(g.buf) > 16<<10 {
		g.buf = nil // a large packet is rare; its memory is not kept
	}
	g.buf = g.buf[:0]
	var length int
	for done := false; !done; {
		c, err := g.in.ReadByte()
		if err != nil {
			return err
		}
		g.buf = append(g.buf, c)
		if len(g.buf) == 1 {
			continue
		}
		if length, _, done, err = remainingLength(g.buf[1:]); err != nil {
			return err
		}
	}
	first := g.buf[0]
	if err := checkFlags(first, length); err != nil {
		return err
	}
	if isConnack := first>>4 == typeConnack; isConnack != g.first {
		return fmt.Errorf("%w: packet type %d, want CONNACK first and once", ErrProtocol, first>>4)
	}
	g.first = false
	start := len(g.buf)
	g.buf = append(g.buf, make([]byte, length)...)
	if _, err := io.ReadFull(g.in, g.buf[start:]); err != nil {
		return err
	}
	keep, err := g.check(first, g.buf[start:])
	if keep {
		g.packet = g.buf
	}
	return err
}

// check looks at the body of a packet whose header is good.
func (g *guard) check(first byte, body []byte) (keep bool, err error) {
	switch first >> 4 {
	case typeConnack:
		return true, checkConnack(body)
	case typePublish:
		return true, checkPublish(first, body)
	case typePuback:
		if !g.answered(g.pubs, binary.BigEndian.Uint16(body)) {
			g.mu.Lock()
			g.stray++
			g.mu.Unlock()
			return false, nil // harmless, and some brokers repeat them
		}
		return true, nil
	case typeSuback:
		if !g.answered(g.subs, binary.BigEndian.Uint16(body)) {
			return false, fmt.Errorf("%w: SUBACK nobody waits for", ErrProtocol)
		}
		if c := body[2]; c > 2 && c != 0x80 {
			return false, fmt.Errorf("%w: SUBACK with code %#x", ErrProtocol, c)
		}
		return true, nil
	}
	return true, nil // PINGRESP
}

// answered takes id out of waiting if it is there. A packet that is still being
// written may be answered already; the answer is kept back until the library
// knows that the write has ended.
func (g *guard) answered(waiting map[uint16]bool, id uint16) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		done, ok := waiting[id]
		if !ok || g.err != nil {
			return false
		}
		if done {
			delete(waiting, id)
			return true
		}
		g.written.Wait() // ends with the write, which has a deadline, or with fail
	}
}

// Write sends one whole packet of the library within the write timeout.
func (g *guard) Write(p []byte) (int, error) {
	typ, id, err := outgoing(p)
	if err != nil {
		return 0, g.fail(err)
	}
	var waiting map[uint16]bool
	if id != 0 && typ == typePublish {
		waiting = g.pubs
	} else if id != 0 {
		waiting = g.subs
	}
	g.writing.Lock()
	defer g.writing.Unlock()
	if waiting != nil {
		g.mu.Lock()
		waiting[id] = false
		g.mu.Unlock()
	}
	if err := g.conn.SetWriteDeadline(time.Now().Add(g.writeTimeout)); err != nil {
		return 0, g.fail(err)
	}
	n, err := g.conn.Write(p)
	if err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			err = fmt.Errorf("%w in %s", ErrStalled, g.writeTimeout)
		}
		return n, g.fail(err)
	}
	if waiting != nil {
		g.mu.Lock()
		if _, ok := waiting[id]; ok {
			waiting[id] = true
		}
		g.written.Broadcast()
		g.mu.Unlock()
	}
	return n, nil
}

// LocalAddr is that of the connection.
func (g *guard) LocalAddr() net.Addr { return g.conn.LocalAddr() }

// RemoteAddr is that of the connection.
func (g *guard) RemoteAddr() net.Addr { return g.conn.RemoteAddr() }

// SetDeadline sets the read deadline; writes have their own.
func (g *guard) SetDeadline(t time.Time) error { return g.conn.SetReadDeadline(t) }

// SetReadDeadline sets the read deadline.
func (g *guard) SetReadDeadline(t time.Time) error { return g.conn.SetReadDeadline(t) }

// SetWriteDeadline does nothing: every write sets its own.
func (g *guard) SetWriteDeadline(time.Time) error { return nil }
