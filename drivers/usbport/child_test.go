package usbport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"yuanlu/drivers/drivertest"
)

// remote puts the process boundary between a port and its link: real sockets, the
// child's own loop, without the second process.
func remote(t *testing.T, l link) *childLink {
	t.Helper()
	sockets, err := pairs()
	if err != nil {
		t.Fatal(err)
	}
	c := &childLink{}
	for i, p := range sockets {
		c.conns[i] = p.ours
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serveLink(l, sockets[readSocket].theirs, sockets[writeSocket].theirs, sockets[controlSocket].theirs)
		if err := l.close(); err != nil {
			t.Error(err)
		}
		for _, p := range sockets {
			_ = p.theirs.Close()
		}
	}()
	c.ended = func() { <-done }
	return c
}

func TestIsolatedPortConformance(t *testing.T) {
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
			return newPort("usb:test", testChannel, remote(t, w), io.NopCloser(nil), w.present), nil
		},
		Gone: ErrGone, Cycles: 8,
	})
}

// Classes of errors survive the pipe; so does what a transfer moved before it.
func TestErrorsCrossTheBoundary(t *testing.T) {
	for _, class := range wireClasses() {
		var b bytes.Buffer
		if err := writeReply(&b, 3, errors.Join(errors.New("place"), class), []byte("abc")); err != nil {
			t.Fatal(err)
		}
		into := make([]byte, 8)
		n, err, broken := readReply(&b, into)
		if n != 3 || !errors.Is(err, class) || broken != nil || string(into[:n]) != "abc" {
			t.Errorf("%v: %d %q, %v, %v", class, n, into[:n], err, broken)
		}
	}
	w := newWire(t)
	w.readFaults = []error{errStall}
	l := remote(t, w)
	if _, err := l.read(t.Context(), make([]byte, 64)); !errors.Is(err, errStall) {
		t.Errorf("read: %v", err)
	}
	if err := l.clearHalt(0x81); err != nil || !bytes.Equal(w.cleared, []byte{0x81}) {
		t.Errorf("clearHalt: %v, cleared % x", err, w.cleared)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.read(ctx, make([]byte, 64)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled read: %v", err)
	}
	if _, err := w.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := l.read(t.Context(), buf); string(buf[:n]) != "kept" || err != nil {
		t.Errorf("after it: %q, %v", buf[:n], err)
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

// A child that dies is a port that is gone, at once.
func TestAChildThatDies(t *testing.T) {
	w := newWire(t)
	l := remote(t, w)
	p := newPort("usb:test", testChannel, l, io.NopCloser(nil), w.present)
	defer p.Close()
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	for _, c := range l.conns {
		if err := c.Close(); err != nil { // what the end of the process does to the sockets
			t.Fatal(err)
		}
	}
	if _, err := p.Read(make([]byte, 8)); !errors.Is(err, ErrGone) {
		t.Errorf("Read: %v, want ErrGone", err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, ErrGone) {
		t.Errorf("Write: %v, want ErrGone", err)
	}
}

func FuzzReadReply(f *testing.F) {
	var b bytes.Buffer
	_ = writeReply(&b, 5, errStall, []byte("12345"))
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		into := make([]byte, 64)
		if n, _, broken := readReply(bytes.NewReader(b), into); broken == nil && n > writeSize {
			t.Errorf("n = %d", n)
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	var b bytes.Buffer
	_ = writeRequest(&b, opWrite, []byte("12345"))
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, data, err := readRequest(bytes.NewReader(b)); err == nil && len(data) > writeSize {
			t.Errorf("%d bytes", len(data))
		}
	})
}
