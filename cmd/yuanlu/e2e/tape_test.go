package e2e

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// saying is one frame that the firmware said, and what it was about.
type saying struct {
	entry   *scenario.Entry
	request bool // it only asks: the answer tells what happened
}

// tape is a line that turns bits, and keeps everything that stood on it: the truth
// about what a reader could have seen.
type tape struct {
	fw     *firmware
	bytes  []byte
	faulty *wire.Faulty
	rng    uint64
	sent   map[string]saying // by the bytes of the frame
	told   []*scenario.Entry // in their order
	parts  []part
}

// part is what was said at one bit-error rate.
type part struct {
	bits          float64
	from          int // on the tape
	entries, said int
}

// Write is the line itself: below the faults, above the pseudo terminal.
func (p *tape) Write(b []byte) (int, error) {
	p.bytes = append(p.bytes, b...)
	return p.fw.socket.Line().Write(b)
}

func newTape(fw *firmware) *tape {
	p := &tape{fw: fw, sent: map[string]saying{}}
	p.rate(0)
	return p
}

// rate makes the line as bad as one with this bit-error rate. Damage that happens to
// have a right check byte is let through: it is on the tape.
func (p *tape) rate(bits float64) {
	p.flush()
	p.rng++
	faults := wire.Faults{Flip: bits, Split: 0.1, Merge: 0.1, Repeat: 0.01}
	p.faulty = wire.NewFaulty(p, faults, rand.New(rand.NewPCG(77, p.rng)), nil, nil)
}

func (p *tape) flush() {
	if p.faulty == nil {
		return
	}
	if err := p.faulty.Flush(); err != nil {
		p.fw.t.Error(err)
	}
}

// frames returns the frames of an entry, noted as said.
func (p *tape) frames(e *scenario.Entry) []wire.Frame {
	p.fw.t.Helper()
	frames, err := p.fw.speaker.Frames(e)
	if err != nil {
		p.fw.t.Fatal(err)
	}
	for i, f := range frames {
		p.sent[string(f.Bytes)] = saying{e, i < len(frames)-1}
	}
	if len(frames) > 0 {
		p.told = append(p.told, e)
	}
	return frames
}

// say puts an entry on the line.
func (p *tape) say(e *scenario.Entry) {
	p.fw.t.Helper()
	for _, f := range p.frames(e) {
		p.send(f.Bytes)
	}
}

func (p *tape) send(frame []byte) {
	p.fw.t.Helper()
	s, err := p.faulty.Send(frame)
	if err != nil {
		p.fw.t.Fatal(err)
	}
	if len(p.parts) > 0 {
		p.parts[len(p.parts)-1].said++
		if s.Whole > 1 || s.Whole == 1 && s.Damaged {
			p.parts[len(p.parts)-1].said++ // the line said it twice
		}
	}
}

// month plays the seeded customers at each bit-error rate: 250 transactions, or 10 000.
func (p *tape) month(say func(*scenario.Entry)) {
	p.fw.t.Helper()
	n := 250
	if os.Getenv("YUANLU_SOAK") != "" {
		n = 10_000
	}
	for _, bits := range []float64{1e-6, 1e-5, 1e-4, 1e-3} {
		p.rate(bits)
		p.parts = append(p.parts, part{bits: bits, from: len(p.bytes)})
		for now := &p.parts[len(p.parts)-1]; now.entries < n; {
			es := p.fw.next()
			for i := range es {
				say(&es[i])
			}
			now.entries += len(es)
		}
	}
}

// quiet ends the tape with more of nothing than any frame is long, so that what looks
// like the beginning of one is known to be none.
func (p *tape) quiet() {
	p.fw.t.Helper()
	p.flush()
	if _, err := p.Write(make([]byte, 2*wire.MaxSmart)); err != nil {
		p.fw.t.Fatal(err)
	}
}

// arrival is one frame with a right check byte that stood on the line; without a
// saying it is damage that the check byte does not see.
type arrival struct {
	raw string
	at  int // on the tape
	of  *saying
}

// arrivals reads the tape by the rule of wires.md, Frame scan, in its own
// words: at every byte, a frame that begins here and is right, else the next byte.
func (p *tape) arrivals(frameAt func([]byte) int) []arrival {
	var all []arrival
	for b := p.bytes; len(b) > 0; {
		n := frameAt(b)
		if n == 0 {
			b = b[1:]
			continue
		}
		a := arrival{raw: string(b[:n]), at: len(p.bytes) - len(b)}
		if s, ok := p.sent[a.raw]; ok {
			a.of = &s
		}
		all = append(all, a)
		b = b[n:]
	}
	return all
}

func xor(b []byte) (check byte) {
	for _, c := range b {
		check ^= c
	}
	return check
}

// stxAt returns the length of the STX frame that begins here, 0: there is none.
func stxAt(b []byte) int {
	if len(b) < 6 || b[0] != 0x02 {
		return 0
	}
	n := 0
	for _, d := range []byte{b[1] >> 4, b[1] & 15, b[2] >> 4, b[2] & 15} {
		if d > 9 {
			return 0
		}
		n = 10*n + int(d)
	}
	if n == 0 || len(b) < n+5 || b[n+3] != 0x03 || xor(b[1:n+4]) != b[n+4] {
		return 0
	}
	return n + 5
}

// smartAt is stxAt for the smart wire.
func smartAt(b []byte) int {
	if len(b) < 10 || b[0] != 0x55 || b[1] != 0xAA {
		return 0
	}
	n := 10 + int(binary.BigEndian.Uint16(b[5:]))
	if n > 10+wire.MaxSmart || len(b) < n || b[n-2] != 0xCC || b[n-1] != 0x33 || xor(b[2:n-3]) != b[n-3] {
		return 0
	}
	return n
}

// damagedOf finds the saying whose frame a damaged one was: same length, few bytes
// other.
func (p *tape) damagedOf(raw string) (saying, bool) {
	const few = 12
	for frame, s := range p.sent {
		if len(frame) != len(raw) {
			continue
		}
		other := 0
		for i := 0; i < len(raw) && other <= few; i++ {
			if raw[i] != frame[i] {
				other++
			}
		}
		if other <= few {
			return s, true
		}
	}
	return saying{}, false
}

// listener collects the confirms that come back on a line.
type listener struct{ ids chan byte }

func listen(t testing.TB, line io.Reader) *listener {
	t.Helper()
	l := &listener{ids: make(chan byte, 4096)}
	done := make(chan struct{})
	go func() { // ends when the line is closed
		defer close(done)
		var in wire.Confirms
		buf := make([]byte, 4096)
		for {
			n, err := line.Read(buf)
			for _, id := range in.Push(buf[:n]) {
				l.ids <- id
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}
