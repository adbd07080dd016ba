package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
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

	ahead   atomic.Int64 // PUBLISH packets with QoS 1 that the library is about to write
	writing sync.Mutex   // one packet at a time
	out     []byte       // guarded by writing: packets that leave together
	ids     []uint16     // guarded by writing: of those in out that will be answered

	mu      sync.Mutex
	written *sync.Cond      // of mu: a write has ended, or the guard has failed
	pubs    map[uint16]pub  // PUBLISH whose PUBACK has not come, or has no one to be reported to yet
	subs    map[uint16]bool // SUBSCRIBE waiting for its SUBACK; false while it is being written
	stray   int64           // PUBACKs that were not waited for and dropped
	ended   bool            // no result is taken any more
	err     error           // why the guard ended; nil while it works
}

// pub is a PUBLISH with QoS 1.
type pub struct {
	written bool         // completely
	acked   bool         // its PUBACK came before follow
	result  chan<- error // who is to know; nil until follow
	since   time.Time    // of follow
}

// joinMost is how many bytes are kept back at most so that they leave with what follows.
const joinMost = 64 << 10

func newGuard(conn net.Conn, writeTimeout time.Duration, onFail func(error)) *guard {
	g := &guard{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), writeTimeout: writeTimeout, onFail: onFail, first: true,
		pubs: map[uint16]pub{}, subs: map[uint16]bool{}}
	g.written = sync.NewCond(&g.mu)
	return g
}

// expect announces so many PUBLISH packets with QoS 1. Every one must be written, or the
// connection be ended: what is written meanwhile may be kept back until the last has come.
func (g *guard) expect(packets int) { g.ahead.Add(int64(packets)) }

// withdraw takes so many announcements back, and sends what was kept back for them.
func (g *guard) withdraw(packets int) {
	g.ahead.Add(-int64(packets))
	g.writing.Lock()
	defer g.writing.Unlock()
	if len(g.out) > 0 {
		_ = g.flush(nil) // the connection has ended then, and its end is reported
	}
}

// follow has the PUBACK of a PUBLISH reported to result; false: the connection has ended, and
// nothing will be reported.
func (g *guard) follow(id uint16, result chan<- error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended || g.err != nil {
		return false
	}
	p := g.pubs[id]
	if p.acked {
		delete(g.pubs, id)
		result <- nil
		return true
	}
	p.result, p.since = result, time.Now()
	g.pubs[id] = p
	return true
}

// oldest returns when the first of what is not acknowledged was followed; zero: there is none.
func (g *guard) oldest() (at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.pubs {
		if p.result != nil && (at.IsZero() || p.since.Before(at)) {
			at = p.since
		}
	}
	return at
}

// end reports err for all that is not acknowledged; nothing is followed any more.
func (g *guard) end(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for id, p := range g.pubs {
		if p.result != nil {
			p.result <- err
		}
		delete(g.pubs, id)
	}
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
		return g.acknowledged(binary.BigEndian.Uint16(body)), nil
	case typeSuback:
		if !g.answered(binary.BigEndian.Uint16(body)) {
			return false, fmt.Errorf("%w: SUBACK nobody waits for", ErrProtocol)
		}
		if c := body[2]; c > 2 && c != 0x80 {
			return false, fmt.Errorf("%w: SUBACK with code %#x", ErrProtocol, c)
		}
		return true, nil
	}
	return true, nil // PINGRESP
}

// acknowledged takes the PUBACK of id and reports it; false: nothing waits for it, and the
// library is not to have it. (That is harmless, and some brokers repeat them.) A packet that is
// still being written may be acknowledged already; that is kept back until the library knows
// that the write has ended.
func (g *guard) acknowledged(id uint16) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		p, ok := g.pubs[id]
		switch {
		case !ok || p.acked || g.err != nil:
			g.stray++
			return false
		case !p.written:
			g.written.Wait() // ends with the write, which has a deadline, or with fail
			continue
		case p.result == nil:
			p.acked = true
			g.pubs[id] = p
		default:
			delete(g.pubs, id)
			p.result <- nil
		}
		return true
	}
}

// answered takes id out of the SUBSCRIBEs if it is there, once it is written.
func (g *guard) answered(id uint16) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		done, ok := g.subs[id]
		if !ok || g.err != nil {
			return false
		}
		if done {
			delete(g.subs, id)
			return true
		}
		g.written.Wait() // as in acknowledged
	}
}

// Write sends one whole packet of the library within the write timeout. A PUBLISH leaves
// with those that are announced to follow it.
func (g *guard) Write(p []byte) (int, error) {
	typ, id, err := outgoing(p)
	if err != nil {
		return 0, g.fail(err)
	}
	g.writing.Lock()
	defer g.writing.Unlock()
	if id != 0 {
		g.ids = append(g.ids, id)
		g.note(typ, id)
	}
	if typ == typePublish && id != 0 {
		if left := g.ahead.Load(); left > 0 && g.ahead.Add(-1) > 0 && len(g.out)+len(p) <= joinMost {
			g.out = append(g.out, p...)
			return len(p), nil
		}
	}
	return len(p), g.flush(p)
}

// note remembers a packet that will be answered and is being written.
func (g *guard) note(typ byte, id uint16) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if typ == typePublish {
		g.pubs[id] = pub{result: g.pubs[id].result, since: g.pubs[id].since}
	} else {
		g.subs[id] = false
	}
}

// flush writes what is kept back and p. It is called with writing held.
func (g *guard) flush(p []byte) error {
	if len(g.out) > 0 {
		g.out = append(g.out, p...)
		p = g.out
	}
	if err := g.conn.SetWriteDeadline(time.Now().Add(g.writeTimeout)); err != nil {
		return g.fail(err)
	}
	if _, err := g.conn.Write(p); err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			err = fmt.Errorf("%w in %s", ErrStalled, g.writeTimeout)
		}
		return g.fail(err)
	}
	g.out = g.out[:0]
	if len(g.ids) == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range g.ids {
		if p, ok := g.pubs[id]; ok {
			p.written = true
			g.pubs[id] = p
		} else if _, ok := g.subs[id]; ok {
			g.subs[id] = true
		}
	}
	g.ids = g.ids[:0]
	g.written.Broadcast()
	return nil
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
