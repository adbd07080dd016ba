package brokertest

import (
	"net"
	"sync"
)

// socketBuffer is what a socket's sending side holds in the kernel, about.
const socketBuffer = 64 << 10

// socket is the broker's end of a connection in memory with a send buffer, as a
// real one has: a broker that writes while the client writes does not wait for it.
// Without one, two sides that write at the same moment wait for each other.
type socket struct {
	net.Conn

	mu      sync.Mutex
	changed *sync.Cond // of mu
	buf     []byte     // guarded by mu
	err     error      // guarded by mu: why nothing can be written any more
}

func newSocket(conn net.Conn) *socket {
	s := &socket{Conn: conn}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// Write takes p when there is room.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && len(s.buf) >= socketBuffer {
		s.changed.Wait()
	}
	if s.err != nil {
		return 0, s.err
	}
	s.buf = append(s.buf, p...)
	s.changed.Broadcast()
	return len(p), nil
}

// Close ends the connection; what is still in the buffer is lost.
func (s *socket) Close() error {
	s.fail(net.ErrClosed)
	return s.Conn.Close()
}

func (s *socket) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.changed.Broadcast()
}

// pump sends what is in the buffer until the connection ends.
func (s *socket) pump() {
	for {
		s.mu.Lock()
		for s.err == nil && len(s.buf) == 0 {
			s.changed.Wait()
		}
		out, err := s.buf, s.err
		s.buf = nil
		s.changed.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := s.Conn.Write(out); err != nil {
			s.fail(err)
			return
		}
	}
}
