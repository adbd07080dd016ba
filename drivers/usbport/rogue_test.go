package usbport

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// A liar is a device whose transfers claim what is not so.
type liar struct {
	*wire
	in, out func(asked int) int // what a transfer claims; nil: the truth
}

func (l *liar) read(ctx context.Context, p []byte) (int, error) {
	if l.in != nil {
		return l.in(len(p)), nil
	}
	return l.wire.read(ctx, p)
}

func (l *liar) write(ctx context.Context, p []byte) (int, error) {
	if l.out != nil {
		return l.out(len(p)), nil
	}
	return l.wire.write(ctx, p)
}

// More bytes than there was room for, or fewer than none: the port is gone, in this
// process and with the library in another one.
func TestATransferThatLiesEndsThePort(t *testing.T) {
	more, less := func(n int) int { return n + 1 }, func(int) int { return -1 }
	for name, c := range map[string]struct{ in, out func(int) int }{
		"in, more": {more, nil}, "in, less than nothing": {less, nil},
		"out, more": {nil, more}, "out, less than nothing": {nil, less},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			p := newPort("usb:test", testChannel, &liar{w, c.in, c.out}, io.NopCloser(nil), w.present)
			if c.out != nil {
				if n, err := p.Write([]byte("hello")); n > 5 || !errors.Is(err, ErrGone) {
					t.Errorf("Write = %d, %v, want ErrGone", n, err)
				}
			}
			_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := p.Read(make([]byte, 64)); !errors.Is(err, ErrGone) {
				t.Errorf("Read: %v, want ErrGone", err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A device that takes a message in small pieces gets all of it; one that takes
// nothing and reports success ends the port, and does not keep a processor busy.
func TestShortWrites(t *testing.T) {
	w := newWire(t)
	p := newPort("usb:test", testChannel, &liar{w, nil, func(asked int) int { return min(asked, 3) }}, io.NopCloser(nil), w.present)
	if n, err := p.Write(make([]byte, 100)); n != 100 || err != nil {
		t.Errorf("in pieces of 3: %d, %v", n, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	calls := 0
	p = newPort("usb:test", testChannel, &liar{newWire(t), nil, func(int) int { calls++; return 0 }}, io.NopCloser(nil), func() bool { return true })
	n, err := p.Write(make([]byte, 100))
	if n != 0 || !errors.Is(err, ErrGone) && !errors.Is(err, os.ErrDeadlineExceeded) || calls > maxFailures {
		t.Errorf("nothing taken: %d, %v after %d transfers", n, err, calls)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// interfaces returns a configuration of n interfaces, each with the terminal's class
// and two bulk endpoints.
func interfaces(n int) []byte {
	b := []byte{9, 2, 0, 0, byte(n), 1, 0, 0x80, 50}
	for i := range n {
		b = append(b, 9, 4, byte(i), 0, 2, 0xff, 0x50, 0x53, 0)
		b = append(b, 7, 5, 0x80|byte(i%7*2+1), 2, 64, 0, 0, 7, 5, byte(i%7*2+2), 2, 64, 0, 0)
	}
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// Descriptors of every size and shape: parsed to their end or refused, in no time.
func TestRogueDescriptors(t *testing.T) {
	device := raw(t, goodDevice)
	filler := append([]byte{255, 0x24}, make([]byte, 253)...) // of no type we know
	huge := interfaces(1)
	for len(huge)+len(filler) <= 0xffff {
		huge = append(huge, filler...)
	}
	binary.LittleEndian.PutUint16(huge[2:], uint16(len(huge)))
	lies := append([]byte(nil), huge...)
	binary.LittleEndian.PutUint16(lies[2:], 0xffff)
	for name, c := range map[string]struct {
		config   []byte
		refused  string // "" parsed
		terminal bool
	}{
		"64 KiB of unknown descriptors":      {huge, "", true},
		"64 KiB said, not there":             {lies, "configuration of 65535 bytes", false},
		"32 interfaces, all terminals":       {interfaces(32), "", true},
		"255 interfaces":                     {interfaces(255), "255 interfaces, at most 32", false},
		"no endpoints":                       {raw(t, "0902120001010080320904000000ff505300"), "", false},
		"no endpoints, two said":             {raw(t, "0902120001010080320904000002ff505300"), "", false},
		"no interfaces":                      {raw(t, "090209000001008032"), "", false},
		"no interfaces, one said":            {raw(t, "090209000101008032"), "0 interfaces, the configuration says 1", false},
		"an endpoint longer than the rest":   {raw(t, "0902190001010080320904000002ff505300ff058102400000"), "a descriptor without room", false},
		"a descriptor of length one":         {raw(t, "0902130001010080320904000002ff50530001"), "a descriptor without room", false},
		"an interface inside its own body":   {raw(t, "0902120001010080320804000002ff505300"), "an interface descriptor of 8 bytes", false},
		"a configuration inside the other":   {append(interfaces(1), raw(t, "090209000001008032")...), "2 configurations, the device says 1", false},
		"a hub's interface and a terminal's": {raw(t, "090230000201008032 090400000109000000 0705810301000c 0904010002ff505300 07058202400000 07050302400000"), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := parseDescriptors(append(append([]byte(nil), device...), c.config...))
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v, want %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := terminalChannel(settings, 1); ok != c.terminal {
				t.Errorf("a terminal: %v", ok)
			}
		})
	}
}
