package usbip

import (
	"bufio"
	"net"
	"sync"
	"time"
)

// A session is one host that has taken one device. Its reader is run, its writer
// a goroutine that run owns.
type session struct {
	device *Device
	conn   net.Conn

	mu    sync.Mutex
	ready *sync.Cond
	queue []byte // answers that wait for the writer
	ended bool
}

// takeBy returns the device to a host; nil if it is taken or gone.
func (d *Device) takeBy(conn net.Conn) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone || d.session != nil {
		return nil
	}
	d.reset()
	d.session = &session{device: d, conn: conn}
	d.session.ready = sync.NewCond(&d.session.mu)
	return d.session
}

// run serves the host until either side hangs up, and waits for the writer.
func (s *session) run() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write()
	}()
	r := bufio.NewReaderSize(s.conn, 64<<10)
	if s.conn.SetReadDeadline(time.Time{}) == nil { // a host may be idle for days
		for s.command(r) == nil {
		}
	}
	s.hangUp()
	<-written
	d := s.device
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = nil
	d.reset()
	d.changed.Broadcast()
}

// command reads and carries out one command.
func (s *session) command(r *bufio.Reader) error {
	command, u, unlink, err := readCommand(r)
	if err != nil {
		return err
	}
	d := s.device
	d.mu.Lock()
	pulled := false
	switch {
	case d.gone:
	case command == cmdUnlink:
		s.unlinked(u.seq, d.drop(unlink))
	case u.ep == 0:
		pulled = d.control(u)
	case u.in && (u.ep == epIn || u.ep == epInterrupt && d.cfg.Kind == ACM):
		d.in[u.ep] = append(d.in[u.ep], u)
		d.pump()
	case !u.in && u.ep == epOut:
		d.out = append(d.out, u)
		d.pump()
	default:
		s.submitted(u.seq, statusStall, 0, nil)
	}
	d.mu.Unlock()
	if pulled {
		return d.Close() // nil: the next read finds the connection closed
	}
	return nil
}

// drop takes back a transfer that has not ended. The caller holds mu.
func (d *Device) drop(seq uint32) (status int32) {
	if d.hung[seq] {
		delete(d.hung, seq)
		return statusUnlinked
	}
	for ep, queue := range d.in {
		if i := position(queue, seq); i >= 0 {
			d.in[ep] = append(queue[:i], queue[i+1:]...)
			return statusUnlinked
		}
	}
	if i := position(d.out, seq); i >= 0 {
		d.out = append(d.out[:i], d.out[i+1:]...)
		return statusUnlinked
	}
	return statusOK // it had ended; its answer is on the way
}

func position(queue []urb, seq uint32) int {
	for i := range queue {
		if queue[i].seq == seq {
			return i
		}
	}
	return -1
}

func (s *session) submitted(seq uint32, status int32, actual int, data []byte) {
	s.send(appendSubmitted(nil, seq, status, actual, data))
}

func (s *session) unlinked(seq uint32, status int32) { s.send(appendUnlinked(nil, seq, status)) }

// send queues an answer. It never waits: a host has only so many transfers open.
func (s *session) send(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, b...)
	s.ready.Signal()
}

// hangUp ends both directions.
func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.ready.Signal()
	_ = s.conn.Close() // wakes the reader; a second time is fine
}

// write sends what is queued until the session ends.
func (s *session) write() {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.ended {
			s.ready.Wait()
		}
		b, ended := s.queue, s.ended
		s.queue = nil
		s.mu.Unlock()
		if ended {
			return
		}
		if s.conn.SetWriteDeadline(time.Now().Add(patience)) != nil {
			return
		}
		if _, err := s.conn.Write(b); err != nil {
			s.hangUp()
			return
		}
	}
}
