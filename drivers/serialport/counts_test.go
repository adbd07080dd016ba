package serialport

import (
	"encoding/binary"
	"testing"
)

// TestCountsOfAPTYAreUnknown: a driver that does not count is no driver that counted none.
func TestCountsOfAPTYAreUnknown(t *testing.T) {
	far := openPTY(t)
	p, err := Open(t.Context(), Config{Port: far.slave, Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := p.Counts(); ok {
		t.Errorf("a pty counts %+v", c)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Counts(); ok {
		t.Error("a closed port counts")
	}
}

// TestDecodeCounts: the members of struct serial_icounter_struct stand in this order:
// cts dsr rng dcd rx tx frame overrun parity brk buf_overrun.
func TestDecodeCounts(t *testing.T) {
	var raw [icountSize]byte
	for i := range 11 {
		binary.NativeEndian.PutUint32(raw[4*i:], uint32(100+i))
	}
	if got, want := decodeCounts(&raw), (Counts{Frame: 106, Overrun: 107, Parity: 108, Break: 109, BufOverrun: 110}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
