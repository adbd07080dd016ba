package brokertest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"yuanlu/protocol/topics/topicstest"
)

// mostFaults is how many faults of one broker are reported; more show nothing new.
const mostFaults = 5

// faults reports to a test the messages that break the contract. Safe for concurrent use.
type faults struct {
	t testing.TB

	mu       sync.Mutex
	reported int // guarded by mu
	seen     int // guarded by mu: messages that were looked at
}

// look takes the result of topicstest for one message.
func (f *faults) look(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	if err == nil {
		return
	}
	if f.reported++; f.reported <= mostFaults {
		f.t.Errorf("a message on the broker: %v", err)
	}
}

func (f *faults) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// tap is one connection to a broker that gets everything it carries and checks
// it. It ends with the broker.
type tap struct {
	conn   net.Conn
	in     *bufio.Reader
	faults *faults
	ended  chan struct{}
}

// openTap connects and returns when the broker has granted the subscription: it
// gets everything from then on.
func openTap(address string, f *faults) (*tap, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	p := &tap{conn: conn, in: bufio.NewReader(conn), faults: f, ended: make(chan struct{})}
	if err := p.greet(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("brokertest: tap: %w", err)
	}
	go p.run()
	return p, nil
}

// greet sends CONNECT (clean session, no keep-alive: a frozen broker is no fault)
// and SUBSCRIBE to # with QoS 0.
func (p *tap) greet() error {
	if err := p.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	id := fmt.Sprintf("tap-%d", time.Now().UnixNano())
	connect := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0}
	connect = append(binary.BigEndian.AppendUint16(connect, uint16(len(id))), id...)
	hello := append([]byte{byte(Connect << 4), byte(len(connect))}, connect...)
	hello = append(hello, byte(Subscribe<<4)|2, 6, 0, 1, 0, 1, '#', 0)
	if _, err := p.conn.Write(hello); err != nil {
		return err
	}
	for {
		got, err := readPacket(p.in)
		if err != nil {
			return err
		}
		switch got.Kind {
		case Publish:
			p.faults.look(topicstest.Received(got.Topic, got.Payload)) // retained, ahead of the SUBACK
		case Suback:
			return p.conn.SetDeadline(time.Time{})
		}
	}
}

func (p *tap) run() {
	defer close(p.ended)
	defer p.conn.Close()
	for {
		got, err := readPacket(p.in)
		if err != nil {
			return
		}
		if got.Kind == Publish {
			p.faults.look(topicstest.Received(got.Topic, got.Payload))
		}
	}
}

// wait waits for what the broker still had for us; it has ended.
func (p *tap) wait() {
	if p != nil {
		<-p.ended
	}
}
