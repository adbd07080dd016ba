package drivertest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// A Port is what is tested: bytes with deadlines (the seam that agent/ingest
// declares for itself).
type Port interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	SetReadDeadline(t time.Time) error
	Close() error
}

// A Peer is the device at the far end of a port. Read blocks until bytes come or
// the device is gone; Write blocks until the port's side has room.
type Peer interface {
	io.ReadWriter
	// Unplug makes the device vanish as when its plug is pulled. It may be called
	// more than once.
	Unplug() error
}

// A Harness joins one kind of port to its devices.
type Harness struct {
	// Plug makes a new device appear. The test unplugs it at its end.
	Plug func(t *testing.T) Peer
	// Open opens the port of a device made by Plug.
	Open func(ctx context.Context, peer Peer) (Port, error)

	Gone error // class of Read and Write when the device has vanished
	Busy error // class of a second Open; nil: the port is not exclusive

	// Bulk is how many bytes the large transfers move each way. 0: 1 MiB.
	Bulk int
	// Patience is how long one step may take before the test fails. 0: 10 s.
	Patience time.Duration
	// Cycles is how often the device is unplugged and comes back. 0: 20.
	Cycles int
}

const (
	defaultBulk     = 1 << 20
	defaultPatience = 10 * time.Second
	defaultCycles   = 20
	atOnce          = time.Second // what "at once" may take on a loaded machine
)

func (h Harness) withDefaults() Harness {
	if h.Bulk == 0 {
		h.Bulk = defaultBulk
	}
	if h.Patience == 0 {
		h.Patience = defaultPatience
	}
	if h.Cycles == 0 {
		h.Cycles = defaultCycles
	}
	return h
}

// plugged returns a new device with its port open; both end with the test.
func (h Harness) plugged(t *testing.T) (Peer, Port) {
	t.Helper()
	peer := h.Plug(t)
	port, err := h.Open(t.Context(), peer)
	if err != nil {
		_ = peer.Unplug()
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		h.within(t, "close at the end of the test", func() { _ = port.Close() })
		_ = peer.Unplug()
	})
	return peer, port
}

// within fails the test if a step does not end in time. The step's goroutine is
// left behind then: the test has failed already.
func (h Harness) within(t *testing.T, what string, step func()) time.Duration {
	t.Helper()
	done := make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(done)
		step()
	}()
	limit := time.NewTimer(h.Patience)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		t.Fatalf("%s: not done after %v", what, h.Patience)
	}
	return time.Since(begin)
}

// readFull reads want bytes with short deadlines, as a reader that also looks at
// other things does. Every Read is checked against the rule of zero bytes.
func (h Harness) readFull(t *testing.T, port Port, want int, step time.Duration, timeout error) []byte {
	t.Helper()
	got := make([]byte, 0, want)
	buf := make([]byte, 4096)
	for end := time.Now().Add(h.Patience); len(got) < want; {
		if time.Now().After(end) {
			t.Fatalf("read %d bytes of %d in %v", len(got), want, h.Patience)
		}
		if err := port.SetReadDeadline(time.Now().Add(step)); err != nil {
			t.Fatalf("set read deadline: %v", err)
		}
		n, err := port.Read(buf)
		switch {
		case n == 0 && err == nil:
			t.Fatal("Read gave (0, nil)")
		case err != nil && !errors.Is(err, timeout):
			t.Fatalf("read after %d bytes: %v", len(got), err)
		}
		got = append(got, buf[:n]...)
		if n > 0 {
			end = time.Now().Add(h.Patience) // it moves
		}
	}
	return got
}

// pattern returns n bytes that repeat only after 251*256, all values among them.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%251) ^ byte(i/251)
	}
	return b
}
