package drivertest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

var errUnplugged = errors.New("unplugged")

// pipePort is a port over an in-memory pipe: it keeps the rules, so the wrappers
// can be tried on it. It has no notion of unplugging.
type pipePort struct{ net.Conn }

func pair(t *testing.T) (Port, net.Conn) {
	a, b := net.Pipe()
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return pipePort{a}, b
}

func TestWhatARecorderNotesPlaysBack(t *testing.T) {
	port, far := pair(t)
	rec := &Recorder{Port: port}
	go func() {
		buf := make([]byte, 3)
		_, _ = io.ReadFull(far, buf)
		_, _ = far.Write([]byte("answer"))
	}()
	if _, err := rec.Write([]byte("ask")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := rec.Read(buf); n != 6 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	if err := rec.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := rec.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	events := rec.Events()
	if len(events) != 3 {
		t.Fatalf("%d events, want write, read, timeout", len(events))
	}

	play := &Playback{Events: events}
	if _, err := play.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read before the write: %v", err)
	}
	for _, piece := range []string{"a", "sk"} {
		t.Run(piece, func(t *testing.T) {
			if n, err := play.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Errorf("Write(%q) = %d, %v", piece, n, err)
			}
		})
	}
	n, err := play.Read(buf[:4])
	if string(buf[:n]) != "answ" || err != nil {
		t.Errorf("first piece: %q, %v", buf[:n], err)
	}
	if n, err = play.Read(buf); string(buf[:n]) != "er" || err != nil {
		t.Errorf("second piece: %q, %v", buf[:n], err)
	}
	if _, err := play.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the timeout: %v", err)
	}
	if _, err := play.Read(buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if err := play.Close(); err != nil {
		t.Errorf("Close of a script played to its end: %v", err)
	}
}

func TestPlaybackInsists(t *testing.T) {
	script := func() *Playback {
		return &Playback{Events: []Event{{Op: OpWrite, Data: []byte("abc")}, {Op: OpError, Err: errUnplugged}}}
	}
	p := script()
	if n, err := p.Write([]byte("abX")); n != 0 || !errors.Is(err, ErrPlayback) {
		t.Errorf("wrong bytes: %d, %v", n, err)
	}
	if err := p.Close(); !errors.Is(err, ErrPlayback) {
		t.Errorf("Close with events left: %v", err)
	}
	p = script()
	if n, err := p.Write([]byte("abcd")); n != 3 || !errors.Is(err, ErrPlayback) {
		t.Errorf("too many bytes: %d, %v", n, err)
	}
	if _, err := p.Read(make([]byte, 4)); !errors.Is(err, errUnplugged) {
		t.Errorf("the script's error: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}

// Splits and stalls change when bytes come, never which.
func TestFaultyLosesNothing(t *testing.T) {
	want := pattern(20_000)
	port, far := pair(t)
	f := NewFaulty(port, Faults{Seed: 7, Split: 0.5, Stall: 0.3, ReadError: 0.1, CutError: errUnplugged})
	go func() { _, _ = far.Write(want); _ = far.Close() }()
	var got []byte
	stalls, failures := 0, 0
	for buf := make([]byte, 256); ; {
		n, err := f.Read(buf)
		got = append(got, buf[:n]...)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			stalls++
		case errors.Is(err, errUnplugged):
			failures++
		case err == io.EOF:
			if !bytes.Equal(got, want) {
				t.Errorf("differ at %d of %d, want %d bytes", firstDifference(got, want), len(got), len(want))
			}
			if stalls == 0 || failures == 0 {
				t.Errorf("%d stalls, %d failures: the faults did nothing", stalls, failures)
			}
			return
		case err != nil || n == 0:
			t.Fatalf("Read = %d, %v", n, err)
		}
	}
}

func TestFaultyCutsAtTheByte(t *testing.T) {
	port, far := pair(t)
	f := NewFaulty(port, Faults{Seed: 1, CutAfter: 1000, CutError: errUnplugged})
	go func() { _, _ = far.Write(pattern(5000)) }()
	total := 0
	for buf := make([]byte, 300); ; {
		n, err := f.Read(buf)
		total += n
		if err != nil {
			if !errors.Is(err, errUnplugged) || total != 1000 {
				t.Errorf("cut after %d bytes with %v", total, err)
			}
			break
		}
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, errUnplugged) {
		t.Errorf("Write after the cut: %v", err)
	}
}

func TestFaultyFlipsBySeed(t *testing.T) {
	run := func(seed uint64) []byte {
		port, far := pair(t)
		f := NewFaulty(port, Faults{Seed: seed, Flip: 0.2})
		go func() {
			for b := range slices.Chunk(pattern(4000), 100) {
				_, _ = far.Write(b)
			}
		}()
		var got []byte
		for buf := make([]byte, 100); len(got) < 4000; {
			n, err := f.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
		}
		return got
	}
	a, b, other := run(3), run(3), run(4)
	if !bytes.Equal(a, b) {
		t.Error("one seed, two outcomes")
	}
	if bytes.Equal(a, other) || bytes.Equal(a, pattern(4000)) {
		t.Error("flips do not depend on the seed")
	}
}
