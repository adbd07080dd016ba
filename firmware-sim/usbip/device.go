package usbip

import (
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// A Device is one simulated piece of hardware. Its Read and Write are the
// firmware's end of the byte stream. Safe for concurrent use.
type Device struct {
	cfg    Config
	device []byte // descriptor
	config []byte // descriptor as the host gets it
	honest []byte // descriptor as the device is built

	mu      sync.Mutex
	changed *sync.Cond // anything below
	session *session   // the host that has taken it, or nil
	gone    bool       // unplugged for good
	pulled  func()     // frees the server's port

	toHost, fromHost []byte
	in               map[uint8][]urb // IN transfers that wait for bytes, by endpoint
	out              []urb           // OUT transfers that wait for room
	halted           map[uint8]bool  // endpoint address
	hung             map[uint32]bool // transfers that are never answered
	configured       byte
	lineCoding       [7]byte // ACM: as set by the host
	lineState        uint16  // ACM: bit 0 DTR, bit 1 RTS
	faults           Faults

	readEnd, writeEnd deadline
}

// NewDevice makes a device that is not plugged in yet. It fails on a Config that
// no hardware could have.
func NewDevice(cfg Config) (*Device, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Device{cfg: cfg, device: cfg.deviceDescriptor(), honest: cfg.configDescriptor()}
	d.config = d.honest
	if cfg.Rewrite != nil {
		d.config = cfg.Rewrite(append([]byte(nil), d.honest...))
	}
	if cfg.RewriteDevice != nil {
		d.device = cfg.RewriteDevice(d.device)
	}
	d.changed = sync.NewCond(&d.mu)
	d.reset()
	return d, nil
}

// reset is what a bus reset does to a device: no configuration, no transfers.
// Bytes that wait stay. The caller holds mu, or the device is new.
func (d *Device) reset() {
	d.in, d.out = map[uint8][]urb{}, nil
	d.halted, d.hung = map[uint8]bool{}, map[uint32]bool{}
	d.configured, d.lineState = 0, 0
	d.lineCoding = [7]byte{0x80, 0x25, 0, 0, 0, 0, 8} // 9600 8N1
}

// Read returns bytes that the host has written, at least one. It waits for them and
// returns io.EOF when the device is unplugged, os.ErrDeadlineExceeded at the read
// deadline.
func (d *Device) Read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.fromHost) == 0 && !d.gone {
		if d.readEnd.passed() {
			return 0, os.ErrDeadlineExceeded
		}
		d.changed.Wait()
	}
	if len(d.fromHost) == 0 {
		return 0, io.EOF
	}
	n := copy(p, d.fromHost)
	d.fromHost = d.fromHost[n:]
	d.pump()
	return n, nil
}

// Write queues all of p for the host and waits while the device's buffer is full.
// It returns io.ErrClosedPipe when the device is unplugged,
// os.ErrDeadlineExceeded at the write deadline, with the bytes queued so far.
func (d *Device) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := 0
	for sent < len(p) {
		room := d.cfg.Buffer - len(d.toHost)
		switch {
		case d.gone:
			return sent, io.ErrClosedPipe
		case room > 0:
			n := min(room, len(p)-sent)
			d.toHost = append(d.toHost, p[sent:sent+n]...)
			sent += n
			d.pump()
		case d.writeEnd.passed():
			return sent, os.ErrDeadlineExceeded
		default:
			d.changed.Wait()
		}
	}
	return sent, nil
}

// SetReadDeadline ends Reads at t; the zero time lifts it.
func (d *Device) SetReadDeadline(t time.Time) error { d.setDeadline(&d.readEnd, t); return nil }

// SetWriteDeadline ends Writes at t; the zero time lifts it.
func (d *Device) SetWriteDeadline(t time.Time) error { d.setDeadline(&d.writeEnd, t); return nil }

// A deadline wakes the waiting when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (e *deadline) passed() bool { return !e.at.IsZero() && !time.Now().Before(e.at) }

func (d *Device) setDeadline(e *deadline, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
	}
	e.at, e.timer = t, nil
	if !t.IsZero() && !d.gone {
		e.timer = time.AfterFunc(time.Until(t), func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.changed.Broadcast()
		})
	}
	d.changed.Broadcast()
}

// Close pulls the plug: the host loses the device, bytes on their way are lost. A
// device that was closed cannot be plugged in again; make a new one.
func (d *Device) Close() error {
	d.mu.Lock()
	if d.gone {
		d.mu.Unlock()
		return nil
	}
	d.gone = true
	d.toHost = nil
	for _, e := range []*deadline{&d.readEnd, &d.writeEnd} {
		if e.timer != nil {
			e.timer.Stop()
		}
	}
	s, pulled := d.session, d.pulled
	d.changed.Broadcast()
	d.mu.Unlock()
	if pulled != nil {
		pulled()
	}
	if s != nil {
		s.hangUp()
	}
	return nil
}

// Attached waits until a host has taken the device and set its configuration.
// Errors: ctx's, or io.EOF if the device is unplugged first.
func (d *Device) Attached(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.changed.Broadcast()
	})
	defer stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.configured == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.gone {
			return io.EOF
		}
		d.changed.Wait()
	}
	return nil
}

// Line returns what the host has set on an ACM device: bits per second, data bits,
// and whether it holds DTR (the port is open).
func (d *Device) Line() (baud, dataBits int, dtr bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.lineCoding
	return int(c[0]) | int(c[1])<<8 | int(c[2])<<16 | int(c[3])<<24, int(c[6]), d.lineState&1 != 0
}

// Parity returns what the host has set on an ACM device: 0 none, 1 odd, 2 even, 3 mark,
// 4 space (CDC 1.1 table 50).
func (d *Device) Parity() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int(d.lineCoding[5])
}

// pump ends every transfer that can end now. The caller holds mu.
func (d *Device) pump() {
	for d.session != nil && len(d.in[epIn]) > 0 && d.pumpIn(d.in[epIn][0]) {
		d.in[epIn] = d.in[epIn][1:]
	}
	for d.session != nil && len(d.out) > 0 && d.pumpOut(d.out[0]) {
		d.out = d.out[1:]
	}
	d.changed.Broadcast()
}

// pumpIn ends one bulk IN transfer if there is something to end it with.
func (d *Device) pumpIn(u urb) bool {
	const address = 0x80 | epIn
	if !d.halted[address] && take(&d.faults.StallIn) {
		d.halted[address] = true
	}
	switch {
	case d.halted[address]:
		d.session.submitted(u.seq, statusStall, 0, nil)
		return true
	case take(&d.faults.ZeroLength):
		d.session.submitted(u.seq, statusOK, 0, nil)
		return true
	case take(&d.faults.Babble):
		d.session.submitted(u.seq, statusBabble, 0, nil)
		return true
	case len(d.toHost) == 0:
		return false
	}
	n := min(u.length, len(d.toHost))
	if d.faults.MaxTransfer > 0 {
		n = min(n, d.faults.MaxTransfer)
	}
	d.session.submitted(u.seq, statusOK, n, d.toHost[:n])
	d.toHost = d.toHost[n:]
	return true
}

// pumpOut takes one bulk OUT transfer whole, when there is room for it.
func (d *Device) pumpOut(u urb) bool {
	const address = epOut
	if !d.halted[address] && take(&d.faults.StallOut) {
		d.halted[address] = true
	}
	if d.halted[address] {
		d.session.submitted(u.seq, statusStall, 0, nil)
		return true
	}
	if take(&d.faults.HangOut) {
		d.hung[u.seq] = true
		return true
	}
	if len(d.fromHost) > 0 && len(d.fromHost)+len(u.data) > d.cfg.Buffer {
		return false
	}
	d.fromHost = append(d.fromHost, u.data...)
	d.session.submitted(u.seq, statusOK, len(u.data), nil)
	return true
}
