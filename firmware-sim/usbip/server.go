package usbip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"strings"
	"sync"
	"time"
)

const (
	busNumber = 1
	maxPorts  = 127
	patience  = 10 * time.Second // for a host to ask, and to take an answer
)

func busID(port int) string { return fmt.Sprintf("%d-%d", busNumber, port) }

// A Server offers devices over TCP. Safe for concurrent use.
type Server struct {
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	devices map[int]*Device // by port
	conns   map[net.Conn]bool
}

// Listen starts a server on a TCP address, "127.0.0.1:3240" (3240 is the
// protocol's port; 0 takes a free one). Any host that reaches it may take the
// devices: keep it on loopback.
func Listen(addr string) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("usbip: %w", err)
	}
	s := &Server{listener: l, devices: map[int]*Device{}, conns: map[net.Conn]bool{}}
	s.work.Add(1)
	go s.accept()
	return s, nil
}

// Addr returns the address that hosts attach to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Plug puts a device into the lowest free port and returns its bus id, "1-1". It
// stays until it is closed.
func (s *Server) Plug(d *Device) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case s.closed:
		return "", fmt.Errorf("usbip: plug: %w", net.ErrClosed)
	case d.gone || d.pulled != nil:
		return "", errors.New("usbip: plug: this device was plugged in before")
	}
	for port := 1; port <= maxPorts; port++ {
		if s.devices[port] == nil {
			s.devices[port] = d
			d.pulled = func() { s.free(port, d) }
			return busID(port), nil
		}
	}
	return "", fmt.Errorf("usbip: plug: all %d ports are taken", maxPorts)
}

func (s *Server) free(port int, d *Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.devices[port] == d {
		delete(s.devices, port)
	}
}

// Close unplugs every device, ends every connection and waits for them.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	devices := make([]*Device, 0, len(s.devices))
	for _, d := range s.devices {
		devices = append(devices, d)
	}
	for c := range s.conns {
		_ = c.Close() // ends its goroutines, which are waited for below
	}
	s.mu.Unlock()
	err := s.listener.Close()
	for _, d := range devices {
		err = errors.Join(err, d.Close())
	}
	s.work.Wait()
	return err
}

func (s *Server) accept() {
	defer s.work.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = conn.Close()
			return
		}
		s.conns[conn] = true
		s.work.Add(1)
		s.mu.Unlock()
		go func() {
			defer s.work.Done()
			s.serve(conn)
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		}()
	}
}

// serve answers requests until a device is taken; then the connection is its.
func (s *Server) serve(conn net.Conn) {
	for {
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return
		}
		var h [opHeaderSize]byte
		if _, err := io.ReadFull(conn, h[:]); err != nil {
			return
		}
		switch code := binary.BigEndian.Uint16(h[2:]); code {
		case opReqDevlist:
			if _, err := conn.Write(s.deviceList()); err != nil {
				return
			}
		case opReqImport:
			var id [busIDSize]byte
			if _, err := io.ReadFull(conn, id[:]); err != nil {
				return
			}
			name, _, _ := bytes.Cut(id[:], []byte{0})
			s.take(conn, string(name))
			return
		default:
			return // another protocol, or another version of this one
		}
	}
}

func (s *Server) deviceList() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	ports := make([]int, 0, len(s.devices))
	for port := range s.devices {
		ports = append(ports, port)
	}
	sort.Ints(ports)
	b := opHeader(opRepDevlist, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(ports)))
	for _, port := range ports {
		b = s.devices[port].appendDevice(b, port)
		b = append(b, s.devices[port].interfaces()...)
	}
	return b
}

// take hands a connection to the device it asks for and serves it to its end.
func (s *Server) take(conn net.Conn, name string) {
	port := 0
	if number, ok := strings.CutPrefix(name, fmt.Sprintf("%d-", busNumber)); ok {
		if _, err := fmt.Sscanf(number, "%d", &port); err != nil || busID(port) != name {
			port = 0
		}
	}
	s.mu.Lock()
	d := s.devices[port]
	s.mu.Unlock()
	var taken *session
	if d != nil {
		taken = d.takeBy(conn)
	}
	if taken == nil {
		_, _ = conn.Write(opHeader(opRepImport, statusRefused)) // it hangs up anyway
		return
	}
	taken.send(d.appendDevice(opHeader(opRepImport, 0), port))
	taken.run()
}
