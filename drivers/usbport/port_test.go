package usbport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"yuanlu/drivers/drivertest"
)

// A wire is a link and the device behind it in one: it keeps the order of a USB
// library (no transfer after close, one close, one transfer per endpoint at a
// time) and breaks on request. The library itself is tried in drivers/usblab.
type wire struct {
	t  *testing.T
	mu sync.Mutex
	on *sync.Cond

	toHost, toDevice []byte
	gone, closed     bool
	reading, writing bool

	readFaults []error // one per transfer, before its bytes
	cleared    []byte  // endpoints
	writes     []int   // lengths of transfers
	stuck      bool    // transfers do not come back when cancelled
}

const wireRoom = 128 << 10

func newWire(t *testing.T) *wire {
	w := &wire{t: t}
	w.on = sync.NewCond(&w.mu)
	return w
}

// until waits for is, for ctx, or for the loss of the device. The caller holds mu.
func (w *wire) until(ctx context.Context, is func() bool) error {
	stop := context.AfterFunc(ctx, func() { w.mu.Lock(); defer w.mu.Unlock(); w.on.Broadcast() })
	defer stop()
	for {
		switch {
		case w.gone:
			return errNoDevice
		case is():
			return nil
		case ctx.Err() != nil && !w.stuck:
			return ctx.Err()
		}
		w.on.Wait()
	}
}

func (w *wire) read(ctx context.Context, p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.reading {
		w.t.Errorf("read: closed %v, another under way %v", w.closed, w.reading)
	}
	w.reading = true
	w.on.Broadcast()
	defer func() { w.reading = false }()
	if len(w.readFaults) > 0 {
		err := w.readFaults[0]
		w.readFaults = w.readFaults[1:]
		return 0, err
	}
	if err := w.until(ctx, func() bool { return len(w.toHost) > 0 }); err != nil {
		return 0, err
	}
	n := copy(p, w.toHost)
	w.toHost = w.toHost[n:]
	w.on.Broadcast()
	return n, nil
}

func (w *wire) write(ctx context.Context, p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.writing {
		w.t.Errorf("write: closed %v, another under way %v", w.closed, w.writing)
	}
	w.writing = true
	defer func() { w.writing = false }()
	w.writes = append(w.writes, len(p))
	if err := w.until(ctx, func() bool { return len(w.toDevice) < wireRoom }); err != nil {
		return 0, err
	}
	w.toDevice = append(w.toDevice, p...)
	w.on.Broadcast()
	return len(p), nil
}

func (w *wire) clearHalt(endpoint byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cleared = append(w.cleared, endpoint)
	return nil
}

func (w *wire) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.reading || w.writing {
		w.t.Errorf("close: closed %v, reading %v, writing %v", w.closed, w.reading, w.writing)
	}
	w.closed = true
	return nil
}

// The device's end.
func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.toDevice) == 0 && !w.gone {
		w.on.Wait()
	}
	if len(w.toDevice) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.toDevice)
	w.toDevice = w.toDevice[n:]
	w.on.Broadcast()
	return n, nil
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.toHost) > wireRoom && !w.gone {
		w.on.Wait()
	}
	if w.gone {
		return 0, io.ErrClosedPipe
	}
	w.toHost = append(w.toHost, p...)
	w.on.Broadcast()
	return len(p), nil
}

func (w *wire) Unplug() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	w.on.Broadcast()
	return nil
}

func (w *wire) present() bool { w.mu.Lock(); defer w.mu.Unlock(); return !w.gone }

var testChannel = channel{in: 0x81, out: 0x02, inPacket: 64, outPacket: 64}

func (w *wire) open() *Port {
	return newPort("usb:test", testChannel, w, io.NopCloser(nil), w.present)
}

func TestPortConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Plug: func(t *testing.T) drivertest.Peer { return newWire(t) },
		Open: func(ctx context.Context, peer drivertest.Peer) (drivertest.Port, error) {
			w := peer.(*wire)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if !w.present() {
				return nil, ErrAbsent
			}
			return w.open(), nil
		},
		Gone: ErrGone, Cycles: 8,
	})
}

func TestFullPacketsAreEnded(t *testing.T) {
	for size, want := range map[int][]int{
		1:                {1},
		63:               {63},
		64:               {64, 0},
		128:              {128, 0},
		writeSize:        {writeSize, 0},
		writeSize + 1:    {writeSize, 1},
		2*writeSize + 64: {writeSize, writeSize, 64, 0},
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			w := newWire(t)
			p := w.open()
			if n, err := p.Write(make([]byte, size)); n != size || err != nil {
				t.Errorf("Write of %d = %d, %v", size, n, err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if fmt.Sprint(w.writes) != fmt.Sprint(want) {
				t.Errorf("%d bytes went as %v, want %v", size, w.writes, want)
			}
		})
	}
}

func TestAStallIsClearedAndNothingIsLost(t *testing.T) {
	w := newWire(t)
	w.readFaults = []error{errStall, errors.New("transfer failed"), errStall}
	p := w.open()
	defer p.Close()
	if _, err := w.Write([]byte("here")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(p, got); err != nil || string(got) != "here" {
		t.Errorf("read %q, %v", got, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !bytes.Equal(w.cleared, []byte{0x81, 0x81}) {
		t.Errorf("cleared % x, want 81 twice", w.cleared)
	}
}

func TestAnEndpointThatStallsOnAndOnEndsThePort(t *testing.T) {
	for _, cause := range []error{errStall, errors.New("transfer failed")} {
		w := newWire(t)
		for range maxFailures {
			w.readFaults = append(w.readFaults, cause)
		}
		p := w.open()
		_ = p.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := p.Read(make([]byte, 8)); !errors.Is(err, ErrGone) {
			t.Errorf("Read: %v, want ErrGone", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestALibraryThatCrashesEndsThePort(t *testing.T) {
	w := newWire(t)
	w.readFaults = []error{fmt.Errorf("%w: index out of range", errCrashed)}
	p := w.open()
	defer p.Close()
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := p.Read(make([]byte, 8)); !errors.Is(err, ErrGone) {
		t.Errorf("Read: %v, want ErrGone", err)
	}
}

// A device that sends and sends is made to wait when no one reads.
func TestTheBufferIsBounded(t *testing.T) {
	w := newWire(t)
	p := w.open()
	defer p.Close()
	total := 0
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 20 && err == nil; i++ {
			_, err = w.Write(bytes.Repeat([]byte{byte(i)}, 64<<10))
		}
		sent <- err
	}()
	for buf := make([]byte, 1000); total < 20*64<<10; {
		_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := p.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		if len(p.buf) > keep {
			t.Fatalf("%d bytes kept, at most %d", len(p.buf), keep)
		}
		p.mu.Unlock()
		for i, b := range buf[:n] {
			if int(b) != (total+i)/(64<<10) {
				t.Fatalf("byte %d is %d", total+i, b)
			}
		}
		total += n
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// Bytes read before the loss are still given.
func TestBytesBeforeTheLoss(t *testing.T) {
	w := newWire(t)
	p := w.open()
	defer p.Close()
	if _, err := w.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(p, got); err != nil {
		t.Fatal(err)
	}
	_ = w.Unplug()
	for {
		n, err := p.Read(make([]byte, 4))
		if err != nil {
			if !errors.Is(err, ErrGone) || len(got) != 10 {
				t.Errorf("after %d bytes: %v", len(got), err)
			}
			return
		}
		got = append(got, make([]byte, n)...)
	}
}

// Transfers that a broken controller never returns do not hold Close for ever.
func TestStuckTransfers(t *testing.T) {
	w := newWire(t)
	w.stuck = true
	p := w.open()
	p.patience = 50 * time.Millisecond
	w.mu.Lock()
	for !w.reading {
		w.on.Wait()
	}
	w.mu.Unlock()
	if err := p.Close(); !errors.Is(err, ErrStuck) {
		t.Errorf("Close: %v, want ErrStuck", err)
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	_ = w.Unplug() // lets the goroutine go
}
