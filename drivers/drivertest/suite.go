package drivertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Run holds a port to the rules of the package comment, one subtest per rule.
// Subtests run one after another, because the last ones count descriptors.
func Run(t *testing.T, h Harness) {
	h = h.withDefaults()
	tests := []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"deadline", deadline},
		{"deadline in the past", deadlinePast},
		{"deadline set by another", deadlineByAnother},
		{"no byte lost at deadlines", noByteLost},
		{"bytes before the first read", earlyBytes},
		{"all values and odd sizes", oddSizes},
		{"large transfers both ways", bothWays},
		{"a device that takes nothing", stalledPeer},
		{"close wakes a read", closeWakesRead},
		{"nothing is written after close", writeAfterClose},
		{"unplug ends a read", unplugEndsRead},
		{"unplug ends a write", unplugEndsWrite},
		{"second open is refused", exclusive},
		{"comes back", comesBack},
		{"nothing is left", nothingLeft},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, h) })
	}
}

func deadline(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	const wait = 50 * time.Millisecond
	for range 3 {
		at := time.Now().Add(wait)
		if err := port.SetReadDeadline(at); err != nil {
			t.Fatal(err)
		}
		var n int
		var err error
		h.within(t, "read with a deadline", func() { n, err = port.Read(make([]byte, 64)) })
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read = %d, %v; want 0, os.ErrDeadlineExceeded", n, err)
		}
		if late := time.Since(at); late < 0 || late > atOnce {
			t.Errorf("a deadline was met %v after its time", late)
		}
	}
	if _, err := peer.Write([]byte("after")); err != nil {
		t.Fatal(err)
	}
	if got := h.readFull(t, port, 5, wait, os.ErrDeadlineExceeded); string(got) != "after" {
		t.Errorf("after deadlines: %q", got)
	}
	if n, err := port.Read(nil); n != 0 || err == nil {
		t.Errorf("Read(nil) = %d, %v; zero bytes come only with an error", n, err)
	}
}

// deadlinePast: a deadline that has passed ends a Read at once, but hides no bytes that
// are there. A process that stands still finds its deadlines passed before it has
// looked; taking that for a silence of the line would tear a frame.
func deadlinePast(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	if err := port.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	took := h.within(t, "read with a deadline in the past", func() {
		if n, err := port.Read(make([]byte, 64)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %d, %v; want 0, os.ErrDeadlineExceeded", n, err)
		}
	})
	if took > atOnce {
		t.Errorf("took %v", took)
	}
	if _, err := peer.Write([]byte("there")); err != nil {
		t.Fatal(err)
	}
	if got := h.readFull(t, port, 5, -time.Second, os.ErrDeadlineExceeded); string(got) != "there" {
		t.Errorf("with a deadline in the past: %q", got)
	}
}

func deadlineByAnother(t *testing.T, h Harness) {
	_, port := h.plugged(t)
	if err := port.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(20*time.Millisecond, func() { _ = port.SetReadDeadline(time.Now()) })
	defer timer.Stop()
	h.within(t, "read ended by a deadline from outside", func() {
		if _, err := port.Read(make([]byte, 64)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want os.ErrDeadlineExceeded", err)
		}
	})
}

// noByteLost lets deadlines pass at every moment of a transfer.
func noByteLost(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	want := pattern(16 << 10)
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < len(want) && err == nil; i += 97 {
			_, err = peer.Write(want[i:min(i+97, len(want))])
			runtime.Gosched()
		}
		sent <- err
	}()
	got := h.readFull(t, port, len(want), 200*time.Microsecond, os.ErrDeadlineExceeded)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("bytes differ at %d of %d", firstDifference(got, want), len(want))
	}
}

func earlyBytes(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	want := pattern(1500)
	h.within(t, "bytes nobody reads yet", func() {
		if _, err := peer.Write(want); err != nil {
			t.Error(err)
		}
	})
	if got := h.readFull(t, port, len(want), time.Second, os.ErrDeadlineExceeded); !bytes.Equal(got, want) {
		t.Errorf("bytes differ at %d", firstDifference(got, want))
	}
}

// oddSizes moves messages around every packet size that hardware likes, there
// and back; all byte values are in them.
func oddSizes(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	for _, size := range []int{1, 2, 63, 64, 65, 127, 128, 511, 512, 513, 1024, 4095, 4096, 4097} {
		want := pattern(size)
		got := make([]byte, size)
		h.within(t, "a message to the device", func() {
			read := make(chan error, 1)
			go func() { _, err := io.ReadFull(peer, got); read <- err }()
			if n, err := port.Write(want); n != size || err != nil {
				t.Errorf("Write of %d: %d, %v", size, n, err)
			}
			if err := <-read; err != nil {
				t.Errorf("the device read: %v", err)
			}
		})
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes to the device differ at %d", size, firstDifference(got, want))
		}
		go func() { _, _ = peer.Write(want) }()
		if got := h.readFull(t, port, size, time.Second, os.ErrDeadlineExceeded); !bytes.Equal(got, want) {
			t.Errorf("%d bytes from the device differ at %d", size, firstDifference(got, want))
		}
	}
}

func bothWays(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	want := pattern(h.Bulk)
	down := make([]byte, h.Bulk)
	results := make(chan error, 3)
	go func() { _, err := peer.Write(want); results <- err }()
	go func() { _, err := io.ReadFull(peer, down); results <- err }()
	go func() {
		var err error
		for i := 0; i < len(want) && err == nil; i += 1000 {
			_, err = port.Write(want[i:min(i+1000, len(want))])
		}
		results <- err
	}()
	up := h.readFull(t, port, len(want), 100*time.Millisecond, os.ErrDeadlineExceeded)
	h.within(t, "the writers", func() {
		for range 3 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
	if !bytes.Equal(up, want) {
		t.Errorf("from the device: differ at %d", firstDifference(up, want))
	}
	if !bytes.Equal(down, want) {
		t.Errorf("to the device: differ at %d", firstDifference(down, want))
	}
}

// stalledPeer writes more than any buffer holds to a device that reads nothing.
// Close ends such a Write at once.
func stalledPeer(t *testing.T, h Harness) {
	_, port := h.plugged(t)
	result := make(chan error, 1)
	go func() {
		var err error
		for chunk := pattern(64 << 10); err == nil; {
			_, err = port.Write(chunk)
		}
		result <- err
	}()
	timer := time.NewTimer(200 * time.Millisecond)
	defer timer.Stop()
	select {
	case err := <-result:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Write to a device that takes nothing: %v", err)
		}
		return
	case <-timer.C:
	}
	took := h.within(t, "close with a write under way", func() { _ = port.Close() })
	if took > 2*atOnce {
		t.Errorf("Close took %v", took)
	}
	h.within(t, "the write", func() {
		if err := <-result; !errors.Is(err, os.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write ended by Close: %v, want os.ErrClosed", err)
		}
	})
}

func closeWakesRead(t *testing.T, h Harness) {
	_, port := h.plugged(t)
	result := make(chan error, 1)
	go func() { _, err := port.Read(make([]byte, 64)); result <- err }()
	timer := time.NewTimer(20 * time.Millisecond) // let it begin to wait; right in both orders
	<-timer.C
	took := h.within(t, "close with a read under way", func() {
		if err := port.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if took > 2*atOnce {
		t.Errorf("Close took %v", took)
	}
	h.within(t, "the read", func() {
		if err := <-result; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read ended by Close: %v, want os.ErrClosed", err)
		}
	})
	if err := port.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := port.Read(make([]byte, 8)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after Close: %v, want os.ErrClosed", err)
	}
	if err := port.SetReadDeadline(time.Now()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("SetReadDeadline after Close: %v, want os.ErrClosed", err)
	}
}

// writeAfterClose opens files that get the descriptors just freed; none of them
// may receive what is written to the closed port.
func writeAfterClose(t *testing.T, h Harness) {
	_, port := h.plugged(t)
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var canaries []string
	for i := range 32 {
		name := filepath.Join(dir, string(rune('a'+i%26))+string(rune('a'+i/26)))
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		canaries = append(canaries, name)
	}
	if n, err := port.Write([]byte("POLL\r\n")); n != 0 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close = %d, %v; want 0, os.ErrClosed", n, err)
	}
	for _, name := range canaries {
		if b, err := os.ReadFile(name); err != nil || len(b) > 0 {
			t.Errorf("a foreign file got %q, %v", b, err)
		}
	}
}

func unplugEndsRead(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	result := make(chan error, 1)
	go func() {
		_, err := port.Read(make([]byte, 64))
		result <- err
	}()
	if err := peer.Unplug(); err != nil {
		t.Fatal(err)
	}
	took := h.within(t, "read of a device that is gone", func() {
		if err := <-result; !errors.Is(err, h.Gone) {
			t.Errorf("Read: %v, want %v", err, h.Gone)
		}
	})
	if took > 2*atOnce {
		t.Errorf("noticed after %v", took)
	}
	h.within(t, "calls after the loss", func() {
		if n, err := port.Read(make([]byte, 64)); n != 0 || !errors.Is(err, h.Gone) {
			t.Errorf("Read after the loss = %d, %v", n, err)
		}
		if _, err := port.Write([]byte("x")); !errors.Is(err, h.Gone) {
			t.Errorf("Write after the loss: %v", err)
		}
	})
}

func unplugEndsWrite(t *testing.T, h Harness) {
	peer, port := h.plugged(t)
	result := make(chan error, 1)
	go func() {
		var err error
		for chunk := pattern(64 << 10); err == nil; {
			_, err = port.Write(chunk)
		}
		result <- err
	}()
	if _, err := io.ReadFull(peer, make([]byte, 512)); err != nil { // it is under way
		t.Fatal(err)
	}
	if err := peer.Unplug(); err != nil {
		t.Fatal(err)
	}
	h.within(t, "write to a device that is gone", func() {
		if err := <-result; !errors.Is(err, h.Gone) {
			t.Errorf("Write: %v, want %v", err, h.Gone)
		}
	})
}

func exclusive(t *testing.T, h Harness) {
	if h.Busy == nil {
		t.Skip("this port may be opened twice")
	}
	peer, port := h.plugged(t)
	second, err := h.Open(t.Context(), peer)
	if err == nil {
		_ = second.Close()
	}
	if !errors.Is(err, h.Busy) {
		t.Errorf("second Open: %v, want %v", err, h.Busy)
	}
	go func() { _, _ = peer.Write([]byte("ours")) }()
	if got := h.readFull(t, port, 4, time.Second, os.ErrDeadlineExceeded); string(got) != "ours" {
		t.Errorf("after the refused Open: %q", got)
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := h.Open(t.Context(), peer)
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// cycle plugs, opens, moves a message each way, unplugs and closes.
func (h Harness) cycle(t *testing.T, ctx context.Context) {
	t.Helper()
	peer := h.Plug(t)
	port, err := h.Open(ctx, peer)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	go func() { _, _ = peer.Write([]byte("hello")) }()
	if got := h.readFull(t, port, 5, time.Second, os.ErrDeadlineExceeded); string(got) != "hello" {
		t.Errorf("read %q", got)
	}
	if _, err := port.Write([]byte("there")); err != nil {
		t.Errorf("write: %v", err)
	}
	if err := peer.Unplug(); err != nil {
		t.Error(err)
	}
	h.within(t, "the loss", func() {
		_ = port.SetReadDeadline(time.Time{})
		if _, err := port.Read(make([]byte, 64)); !errors.Is(err, h.Gone) {
			t.Errorf("Read: %v, want %v", err, h.Gone)
		}
	})
	h.within(t, "close", func() {
		if err := port.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func comesBack(t *testing.T, h Harness) {
	for range h.Cycles {
		h.cycle(t, t.Context())
	}
}
