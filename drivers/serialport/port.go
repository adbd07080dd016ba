package serialport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

const (
	bitsPerByte   = 12              // start, 8 data, parity, 2 stop: the longest character
	writePatience = 2 * time.Second // beyond the time the bytes need on the line
	drainPatience = 500 * time.Millisecond
	drainStep     = 5 * time.Millisecond
	closePatience = 2 * time.Second // beyond drainPatience
)

// A Port is an open serial line. Its methods may be called from any goroutine;
// reads are taken one at a time, and so are writes.
type Port struct {
	name     string // device node
	asked    string // the path that was asked for, perhaps a link
	id       deviceID
	file     *os.File        // own descriptor: lock, readiness, settings
	raw      syscall.RawConn // of file
	lib      serial.Port     // only touched under use
	mode     serial.Mode     // as it was opened
	perByte  time.Duration
	patience time.Duration // of a Write, beyond the time the bytes need
	watch    *watch

	use   sync.RWMutex // shared by calls under way; Close takes it whole
	write sync.Mutex   // one writer at a time

	mu     sync.Mutex // the two flags, and every change of a deadline
	closed bool
	gone   bool
}

// Name returns the device node behind the port, links resolved, as at Open.
func (p *Port) Name() string { return p.name }

// Descriptor calls f with the descriptor that holds the port's lock: a copy of it, in
// another process, keeps the device open, its settings as they are and what comes in the
// kernel's buffer, after Close too (Config.Kept). Errors: os.ErrClosed.
func (p *Port) Descriptor(f func(fd uintptr)) error {
	p.use.RLock()
	defer p.use.RUnlock()
	if closed, _ := p.state(); closed {
		return p.fault("descriptor", os.ErrClosed)
	}
	return p.raw.Control(f)
}

// Tune sets speed and parity of the open line, which keeps its data and stop bits, proves them
// by reading them back, and drops what has arrived. Errors: ErrSettings, ErrGone,
// os.ErrClosed.
func (p *Port) Tune(baud int, parity string) error {
	p.use.RLock()
	defer p.use.RUnlock()
	if closed, gone := p.state(); closed {
		return p.fault("tune", os.ErrClosed)
	} else if gone {
		return p.fault("tune", ErrGone)
	}
	mode, err := Config{Baud: baud, Parity: parity, DataBits: p.mode.DataBits}.mode()
	if err != nil {
		return err
	}
	mode.StopBits = p.mode.StopBits
	if err := p.lib.SetMode(&mode); err != nil {
		return p.lineFault("tune", err)
	}
	cerr := p.raw.Control(func(fd uintptr) {
		if err = compare(int(fd), p.name, &mode); err == nil {
			err = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCIFLUSH)
		}
	})
	return errors.Join(err, cerr)
}

// Read waits for at least one byte and returns what has arrived. It returns zero
// bytes only with an error: os.ErrDeadlineExceeded (nothing was there at the deadline
// or later; nothing is lost), ErrGone, os.ErrClosed, or io.ErrShortBuffer for an empty b.
func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, io.ErrShortBuffer
	}
	p.use.RLock()
	defer p.use.RUnlock()
	closed, gone := p.state()
	if closed {
		return 0, p.fault("read", os.ErrClosed)
	}
	var n int
	var rerr, werr error
	try := func(uintptr) bool {
		n, rerr = readLibrary(p.lib, b)
		return n > 0 || rerr != nil
	}
	if gone {
		try(0) // what was delivered before is still there
	} else if werr = p.raw.Read(try); errors.Is(werr, os.ErrDeadlineExceeded) {
		// The deadline may have passed before the first try, in a process that stood
		// still: bytes that are there are no silence.
		try(0)
	}
	if n > 0 {
		return n, nil // an error with it is met again by the next call
	}
	if rerr != nil {
		return 0, p.lineFault("read", rerr)
	}
	return 0, p.wokenFault("read", werr)
}

// Write sends all of b, or returns how much of it the kernel took. It waits at most
// two seconds longer than the bytes need on the line, then returns
// os.ErrDeadlineExceeded. Other errors: ErrGone, os.ErrClosed.
func (p *Port) Write(b []byte) (int, error) {
	p.use.RLock()
	defer p.use.RUnlock()
	p.write.Lock()
	defer p.write.Unlock()
	patience := p.patience + time.Duration(len(b))*p.perByte
	if err := p.setDeadline(p.file.SetWriteDeadline, time.Now().Add(patience)); err != nil {
		return 0, p.fault("write", err)
	}
	if _, gone := p.state(); gone {
		return 0, p.fault("write", ErrGone)
	}
	sent := 0
	var lerr error
	werr := p.raw.Write(func(uintptr) bool {
		for sent < len(b) && lerr == nil {
			n, err := p.lib.Write(b[sent:])
			sent += n
			switch {
			case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
				return false // the line is full: wait until it can take more
			case errors.Is(err, unix.EINTR):
			default:
				lerr = err
			}
		}
		return true
	})
	switch {
	case lerr != nil:
		return sent, p.lineFault("write", lerr)
	case sent == len(b):
		return sent, nil
	}
	return sent, p.wokenFault("write", werr)
}

// SetReadDeadline ends Reads under way and to come at t; the zero time lifts it.
// os.ErrClosed after Close.
func (p *Port) SetReadDeadline(t time.Time) error {
	if err := p.setDeadline(p.file.SetReadDeadline, t); err != nil {
		return p.fault("set deadline", err)
	}
	return nil
}

// Close wakes the calls under way, waits for them, returns bytes still on their way
// out half a second, and frees the device; it takes at most three seconds. A second
// Close does nothing.
func (p *Port) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	_ = p.file.SetDeadline(time.Unix(1, 0)) // cannot fail: the file is open and pollable
	p.mu.Unlock()

	p.use.Lock()
	defer p.use.Unlock()
	p.watch.stop()
	p.drain()
	return p.finish()
}

// drain lets what was written reach the line, then drops the rest: the last close
// of a port otherwise waits in the kernel, for up to 30 s.
func (p *Port) drain() {
	_, gone := p.state()
	_ = p.raw.Control(func(fd uintptr) {
		left := func() bool {
			n, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
			return err == nil && n > 0
		}
		tick := time.NewTicker(drainStep)
		defer tick.Stop()
		for end := time.Now().Add(drainPatience); !gone && time.Now().Before(end) && left(); <-tick.C {
		}
		if !left() {
			return
		}
		_ = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCOFLUSH) // best effort on a line that is dead
		if left() {
			noClosingWait(fd) // cdc-acm cannot flush
		}
	})
}

// noClosingWait sets a serial driver not to wait at the last close
// (linux/serial.h, struct serial_struct). Only root may; others wait.
func noClosingWait(fd uintptr) {
	const (
		waitNone  = 65535 // ASYNC_CLOSING_WAIT_NONE
		offset    = 8*4 + 2 + 1 + 1 + 4
		structure = 128 // at least its size on any machine
	)
	var serialStruct [structure]byte
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.TIOCGSERIAL, uintptr(unsafe.Pointer(&serialStruct))); errno != 0 {
		return
	}
	binary.NativeEndian.PutUint16(serialStruct[offset:], waitNone)
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, fd, unix.TIOCSSERIAL, uintptr(unsafe.Pointer(&serialStruct)))
}

// finish closes both descriptors. Where the kernel insists on waiting for the
// line, Close does not: it returns, and the device is free when the kernel is done.
func (p *Port) finish() error {
	done := make(chan error, 1)
	go func() { done <- errors.Join(p.lib.Close(), p.file.Close()) }()
	limit := time.NewTimer(closePatience)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return p.fault("close", fmt.Errorf("the line takes nothing and its driver waits: %w", ErrBusy))
	}
}

func (p *Port) state() (closed, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed, p.gone
}

// setDeadline changes a deadline unless Close or the loss of the device has set
// the last one: after that only the flags count.
func (p *Port) setDeadline(set func(time.Time) error, t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	if p.gone {
		return nil
	}
	return set(t)
}

// markGone makes the loss of the device known to calls under way and to come.
func (p *Port) markGone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.gone {
		return
	}
	p.gone = true
	_ = p.file.SetDeadline(time.Unix(1, 0)) // cannot fail: the file is open and pollable
}

// vanished reports whether the path that was asked for names another device now.
func (p *Port) vanished() bool {
	for _, path := range []string{p.asked, p.name} {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil || idOf(&st) != p.id {
			return true
		}
	}
	return false
}

// lineFault classes an error of the line itself.
func (p *Port) lineFault(op string, err error) error {
	var pe *serial.PortError
	hungUp := errors.As(err, &pe) && pe.Code() == serial.PortClosed
	if hungUp || errors.Is(err, unix.EIO) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) ||
		errors.Is(err, unix.EPIPE) || errors.Is(err, io.EOF) {
		p.markGone()
		return fmt.Errorf("serialport: %s %s: %w (%v)", op, p.name, ErrGone, err)
	}
	return p.fault(op, err)
}

// wokenFault returns why a wait ended without bytes.
func (p *Port) wokenFault(op string, err error) error {
	if closed, gone := p.state(); closed {
		return p.fault(op, os.ErrClosed)
	} else if gone {
		return p.fault(op, ErrGone)
	}
	if p.vanished() {
		p.markGone()
		return p.fault(op, ErrGone)
	}
	return p.fault(op, err)
}

func (p *Port) fault(op string, err error) error {
	return fmt.Errorf("serialport: %s %s: %w", op, p.name, err)
}

// readLibrary takes what is there now; (0, nil) means nothing is. The library's
// select panics when one of its descriptors is too high.
func readLibrary(lib serial.Port, b []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("%w: %v", ErrTooManyFiles, r)
		}
	}()
	n, err = lib.Read(b)
	if errors.Is(err, unix.EAGAIN) {
		err = nil
	}
	return n, err
}
