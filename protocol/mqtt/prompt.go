package mqtt

import (
	"net"
	"syscall"
)

// promptConn has the kernel acknowledge what was read at once. Else it waits up to 40 ms for
// something to send, and a broker that leaves Nagle's algorithm on (mosquitto's
// set_tcp_nodelay is off by default) holds back its next small packet as long: a PUBACK, or the
// case for a subscriber. What we send is never held back: Go switches Nagle's algorithm off.
type promptConn struct {
	*net.TCPConn
	raw syscall.RawConn // nil until the first Read; of the reader
}

// Read reads what there is.
func (c *promptConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.raw == nil {
		c.raw, _ = c.SyscallConn() // fails on a closed connection only, whose Read has failed
	}
	if c.raw != nil && n > 0 {
		// It holds for the next packets only. Without it what comes is late, not lost.
		_ = c.raw.Control(quickAck)
	}
	return n, err
}

func quickAck(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}
