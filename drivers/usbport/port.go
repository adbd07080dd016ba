package usbport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A link is the bulk endpoint pair of an opened, claimed device: all that a Port
// knows of the USB library. read and write end with ctx; bytes that were moved
// count although an error comes with them. Errors are of the classes below.
type link interface {
	read(ctx context.Context, p []byte) (int, error)
	write(ctx context.Context, p []byte) (int, error)
	// clearHalt makes an endpoint that stalled work again.
	clearHalt(endpoint byte) error
	// close returns the device back. No read or write is under way.
	close() error
}

// Classes of a link's errors. Anything else is a failed transfer.
var (
	errStall    = errors.New("endpoint stalled")
	errNoDevice = errors.New("device disconnected")
	errCrashed  = errors.New("USB library failed")
	errNothing  = errors.New("device took nothing")
	errLies     = errors.New("device claims more bytes than there were")
)

const (
	readSize  = 16 << 10  // a multiple of every packet size; usbfs moves this much at once
	keep      = 256 << 10 // bytes kept for the reader; then the device is made to wait
	writeSize = 16 << 10

	writePatience = 2 * time.Second
	writeRate     = 64 << 10        // bytes/s that the slowest device takes
	stuckPatience = 5 * time.Second // for cancelled transfers to come back

	maxFailures  = 8  // failed transfers in a row before the port is given up
	emptyAtOnce  = 16 // zero-length packets in a row that cost nothing
	emptyPause   = 10 * time.Millisecond
	failurePause = 5 * time.Millisecond
)

// A Port is an open USB channel. Its methods may be called from any goroutine;
// writes are taken one at a time.
type Port struct {
	name  string
	in    byte
	out   byte
	outPk int // packet size of out
	link  link
	node  io.Closer // holds the lock

	patience time.Duration // for transfers to come back: stuckPatience

	running context.Context // ends with Close or the loss of the device
	end     context.CancelFunc
	tasks   sync.WaitGroup // reader, watcher
	writing chan struct{}  // one writer; Close takes it too

	mu       sync.Mutex
	changed  *sync.Cond
	buf      []byte
	closed   bool
	gone     error // why the port is of no use any more; nil: it is
	deadline time.Time
	timer    *time.Timer
}

// newPort starts the reader and the watch.
func newPort(name string, c channel, l link, node io.Closer, present func() bool) *Port {
	p := &Port{name: name, in: c.in, out: c.out, outPk: c.outPacket, link: l, node: node, writing: make(chan struct{}, 1), patience: stuckPatience}
	p.changed = sync.NewCond(&p.mu)
	p.running, p.end = context.WithCancel(context.Background())
	p.tasks.Add(2)
	go func() {
		defer p.tasks.Done()
		p.pump()
	}()
	go func() {
		defer p.tasks.Done()
		watchDevice(p.running, present, func() { p.lose(errNoDevice) })
	}()
	return p
}

// Name returns the device behind the port: "usb:1209:5053:S-0001 at 1-1".
func (p *Port) Name() string { return p.name }

// Read waits for at least one byte and returns what has arrived. It returns zero
// bytes only with an error: os.ErrDeadlineExceeded (nothing came in time; nothing
// is lost), ErrGone, os.ErrClosed, or io.ErrShortBuffer for an empty b.
func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, io.ErrShortBuffer
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, p.fault("read", os.ErrClosed)
		case len(p.buf) > 0: // whatever the deadline: bytes that are there are no silence
			n := copy(b, p.buf)
			p.buf = p.buf[n:] // keep appends behind it, and moves only what is left
			p.changed.Broadcast()
			return n, nil
		case p.overdue():
			return 0, p.fault("read", os.ErrDeadlineExceeded)
		case p.gone != nil:
			return 0, p.fault("read", p.gone)
		}
		p.changed.Wait()
	}
}

func (p *Port) overdue() bool { return !p.deadline.IsZero() && !time.Now().Before(p.deadline) }

// SetReadDeadline ends Reads under way and to come at t; the zero time lifts it.
// os.ErrClosed after Close.
func (p *Port) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.fault("set deadline", os.ErrClosed)
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.deadline, p.timer = t, nil
	if !t.IsZero() {
		p.timer = time.AfterFunc(time.Until(t), p.wake)
	}
	p.changed.Broadcast()
	return nil
}

func (p *Port) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed.Broadcast()
}

// Write sends all of b, or returns how much of it the device took. It waits at most
// two seconds longer than a slow device needs, then returns
// os.ErrDeadlineExceeded. Other errors: ErrGone, os.ErrClosed.
func (p *Port) Write(b []byte) (int, error) {
	select {
	case p.writing <- struct{}{}:
	case <-p.running.Done():
		return 0, p.fault("write", p.state())
	}
	if err := p.state(); err != nil {
		<-p.writing
		return 0, p.fault("write", err)
	}
	type outcome struct {
		sent int
		err  error
	}
	patience := writePatience + time.Duration(len(b))*time.Second/writeRate
	done := make(chan outcome, 1)
	own := append([]byte(nil), b...) // a stuck transfer keeps it
	go func() {
		defer func() { <-p.writing }()
		ctx, cancel := context.WithTimeout(p.running, patience)
		defer cancel()
		sent, err := p.send(ctx, own)
		done <- outcome{sent, err}
	}()
	limit := time.NewTimer(patience + p.patience)
	defer limit.Stop()
	select {
	case o := <-done:
		return o.sent, o.err
	case <-limit.C:
		p.lose(ErrStuck)
		return 0, p.fault("write", p.state())
	}
}

// send moves b in transfers, and marks its end if the last one is a full packet.
func (p *Port) send(ctx context.Context, b []byte) (int, error) {
	sent, failures := 0, 0
	for sent < len(b) {
		chunk := b[sent:min(sent+writeSize, len(b))]
		n, err := p.link.write(ctx, chunk)
		if n < 0 || n > len(chunk) {
			p.lose(errLies)
			return sent, p.fault("write", p.state())
		}
		sent += n
		if n > 0 {
			failures = 0
		}
		if err == nil && n > 0 {
			continue // all of it, or a device that takes it in pieces
		}
		if err == nil {
			err = errNothing
		}
		failures++
		if err := p.writeFault(ctx, err, failures); err != nil {
			return sent, err
		}
	}
	if len(b) > 0 && len(b)%p.outPk == 0 { // the device sees the end of a transfer by a short packet
		if _, err := p.link.write(ctx, nil); err != nil {
			return sent, p.writeFault(ctx, err, maxFailures)
		}
	}
	return sent, nil
}

// writeFault returns what a failed transfer means for a Write: nil, try again.
func (p *Port) writeFault(ctx context.Context, err error, failures int) error {
	if state := p.state(); state != nil {
		return p.fault("write", state)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return p.fault("write", os.ErrDeadlineExceeded)
	}
	if p.recovered(p.out, err, failures) {
		return nil
	}
	return p.fault("write", p.state())
}

// recovered deals with a failed transfer; false: the port is lost.
func (p *Port) recovered(endpoint byte, err error, failures int) bool {
	switch {
	case errors.Is(err, errNoDevice), errors.Is(err, errCrashed):
		p.lose(err)
		return false
	case failures >= maxFailures:
		p.lose(fmt.Errorf("%w, again and again: %s", err, plugAgain))
		return false
	case errors.Is(err, errStall):
		if cerr := p.link.clearHalt(endpoint); cerr != nil && errors.Is(cerr, errNoDevice) {
			p.lose(cerr)
			return false
		}
	}
	p.pause(failurePause << failures)
	return true
}

// pause waits, but not beyond the end of the port.
func (p *Port) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.running.Done():
	}
}

// pump is the reader: it moves bytes from the device into the buffer until the
// port's end. A full buffer makes the device wait.
func (p *Port) pump() {
	packet := make([]byte, readSize)
	failures, empty := 0, 0
	for p.hasRoom() {
		n, err := p.link.read(p.running, packet)
		if n < 0 || n > len(packet) {
			p.lose(errLies)
			return
		}
		if n > 0 {
			p.keep(packet[:n])
			failures, empty = 0, 0
		}
		switch {
		case err != nil:
			if p.running.Err() != nil {
				return // cancelled by us
			}
			failures++
			if !p.recovered(p.in, err, failures) {
				return
			}
		case n == 0:
			if empty++; empty > emptyAtOnce {
				p.pause(emptyPause)
			}
		}
	}
}

// hasRoom waits until the buffer may take another transfer; false at the end.
func (p *Port) hasRoom() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) > keep-readSize && !p.closed && p.gone == nil {
		p.changed.Wait()
	}
	return !p.closed && p.gone == nil
}

func (p *Port) keep(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = append(p.buf, b...)
	p.changed.Broadcast()
}

// lose marks the port as gone; what is in the buffer may still be read.
func (p *Port) lose(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone == nil && !p.closed {
		p.gone = fmt.Errorf("%w (%v)", ErrGone, cause)
	}
	p.end()
	p.changed.Broadcast()
}

// state returns the error of a port that is closed or gone.
func (p *Port) state() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	return p.gone
}

func (p *Port) fault(op string, err error) error {
	return fmt.Errorf("usbport: %s %s: %w", op, p.name, err)
}

// Close cancels transfers under way, waits for them and returns the device back,
// with its kernel driver if it had one. A second Close does nothing. ErrStuck if
// a transfer does not come back within five seconds: then the device stays taken.
func (p *Port) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.end()
	p.changed.Broadcast()
	p.mu.Unlock()

	done := make(chan error, 1)
	go func() {
		p.tasks.Wait()
		p.writing <- struct{}{} // a Write under way ends with running; none begins after it
		done <- errors.Join(p.link.close(), p.node.Close())
	}()
	limit := time.NewTimer(p.patience)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return p.fault("close", ErrStuck)
	}
}
