package brokertest

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"yuanlu/protocol/topics/topicstest"
)

// Fake is a broker whose behaviour the test decides. Without a Handler it
// accepts everybody, acknowledges every publish and grants every subscription.
// It shares nothing between connections but what it has recorded.
type Fake struct {
	// Handler sees every packet first. It returns true if it has dealt with the
	// packet; else the default follows. It runs in the connection's goroutine.
	Handler func(c *FakeConn, p *Packet) bool
	// Unchecked: what is published breaks the contract on purpose, or is about MQTT
	// alone. Otherwise Listen and Check fail the test for it.
	Unchecked bool

	mu        sync.Mutex
	conns     []*FakeConn     // guarded by mu: all that ever were
	published []FakePublished // guarded by mu
	pubacks   int             // guarded by mu: PUBACKs written
	wg        sync.WaitGroup
}

// FakePublished is one received message.
type FakePublished struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retain   bool
	Conn     int // number of the connection, from 1
	InFlight int // publishes of that connection without PUBACK, this one included
}

// FakeConn is one connection to a Fake.
type FakeConn struct {
	net.Conn
	Number  int // from 1
	Connect ConnectPacket

	fake     *Fake
	write    sync.Mutex
	inFlight int      // guarded by fake.mu
	filters  []string // guarded by fake.mu
}

// Listen serves on a loopback port until the test ends and returns its URL.
func (f *Fake) Listen(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.Serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.CloseAll()
		f.wg.Wait()
		f.Check(t)
	})
	return "tcp://" + l.Addr().String()
}

// Pipe returns the client's end of a connection in memory.
func (f *Fake) Pipe() net.Conn {
	client, server := net.Pipe()
	s := newSocket(server)
	f.wg.Go(s.pump)
	f.wg.Go(func() { f.Serve(s) })
	return client
}

// Check fails the test for every published message that breaks the contract.
func (f *Fake) Check(t testing.TB) {
	t.Helper()
	found := &faults{t: t}
	for _, p := range f.Published() {
		if !f.Unchecked {
			found.look(topicstest.Sent(p.Topic, p.QoS, p.Retain, p.Payload))
		}
	}
}

// Wait waits until every connection has ended.
func (f *Fake) Wait() { f.wg.Wait() }

// CloseAll drops every connection.
func (f *Fake) CloseAll() {
	for _, c := range f.Conns() {
		c.Close()
	}
}

// Conns returns all connections so far.
func (f *Fake) Conns() []*FakeConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*FakeConn(nil), f.conns...)
}

// Published returns all messages so far.
func (f *Fake) Published() []FakePublished {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]FakePublished(nil), f.published...)
}

// Pubacks is how many PUBACKs were written.
func (f *Fake) Pubacks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pubacks
}

// Serve speaks MQTT on conn until it ends.
func (f *Fake) Serve(conn net.Conn) {
	c := &FakeConn{Conn: conn, fake: f}
	f.mu.Lock()
	f.conns = append(f.conns, c)
	c.Number = len(f.conns)
	f.mu.Unlock()
	defer conn.Close()
	for r := bufio.NewReader(conn); ; {
		p, err := readPacket(r)
		if err != nil {
			return
		}
		if f.Handler != nil && f.note(c, p) && f.Handler(c, p) {
			continue
		} else if f.Handler == nil {
			f.note(c, p)
		}
		if c.Default(p) != nil {
			return
		}
	}
}

// note records a packet; always true.
func (f *Fake) note(c *FakeConn, p *Packet) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch p.Kind {
	case Connect:
		c.Connect = p.Connect
	case Publish:
		if p.QoS > 0 {
			c.inFlight++
		}
		f.published = append(f.published, FakePublished{p.Topic, p.Payload, p.QoS, p.Retain, c.Number, c.inFlight})
	case Subscribe:
		c.filters = append(c.filters, p.Filters...)
	}
	return true
}

var errBye = errors.New("brokertest: DISCONNECT")

// Default answers a packet as a well-behaved broker does.
func (c *FakeConn) Default(p *Packet) error {
	switch p.Kind {
	case Connect:
		return c.Raw([]byte{byte(Connack << 4), 2, 0, 0})
	case Publish:
		if p.QoS == 0 {
			return nil
		}
		return c.Puback(p.ID)
	case Subscribe:
		answer := []byte{byte(Suback << 4), byte(2 + len(p.Filters)), byte(p.ID >> 8), byte(p.ID)}
		for range p.Filters {
			answer = append(answer, 1)
		}
		return c.Raw(answer)
	case Pingreq:
		return c.Raw([]byte{byte(Pingresp << 4), 0})
	case Disconnect:
		return errBye
	}
	return nil
}

// Puback acknowledges one publish.
func (c *FakeConn) Puback(id uint16) error {
	c.fake.mu.Lock()
	c.inFlight--
	c.fake.pubacks++
	c.fake.mu.Unlock()
	return c.Raw([]byte{byte(Puback << 4), 2, byte(id >> 8), byte(id)})
}

// Raw writes any bytes.
func (c *FakeConn) Raw(b []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	_, err := c.Conn.Write(b)
	return err
}

// Push sends a message to every connection that still stands and has
// subscribed to a filter that matches (exactly, or by a # at its end).
func (f *Fake) Push(topic string, payload []byte, retained bool) {
	for _, c := range f.Conns() {
		f.mu.Lock()
		match := false
		for _, filter := range c.filters {
			prefix, wild := strings.CutSuffix(filter, "#")
			match = match || filter == topic || wild && strings.HasPrefix(topic, prefix)
		}
		f.mu.Unlock()
		if !match {
			continue
		}
		_ = c.Raw(encodePublish(topic, payload, 1, retained)) // one that is gone gets nothing
	}
}
