package drivertest

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Faults are how a Faulty port misbehaves. Rates are 0 to 1, per call. The zero
// value has none.
type Faults struct {
	Seed uint64 // same seed, same calls: same faults

	Split float64 // a Read returns fewer bytes than there are
	Stall float64 // a Read returns that its deadline has passed though bytes are there; none is lost
	Flip  float64 // one bit of what a Read returns is changed

	// CutAfter ends the port after so many bytes were read: CutError from then on.
	// 0: never.
	CutAfter int
	// CutError is the error of a port that was cut, and of ReadError and WriteError.
	CutError error

	ReadError  float64 // a Read fails with CutError once; no byte is lost
	WriteError float64 // a Write takes half its bytes and fails with CutError
}

// A Faulty is a Port that passes through to another with seeded faults. Safe for
// one reader and one writer.
type Faulty struct {
	port   Port
	faults Faults

	cut atomic.Bool // CutAfter bytes were read

	reading sync.Mutex // guards what follows; locked while the port reads
	rand    *rand.Rand
	read    int    // bytes given so far
	pending []byte // read from the port, kept back by Split or Stall

	writing sync.Mutex // guards what follows
	wrand   *rand.Rand
}

// NewFaulty wraps a port.
func NewFaulty(port Port, f Faults) *Faulty {
	return &Faulty{port: port, faults: f, rand: rand.New(rand.NewPCG(f.Seed, 1)), wrand: rand.New(rand.NewPCG(f.Seed, 2))}
}

// Read reads with faults.
func (f *Faulty) Read(p []byte) (int, error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	if f.cut.Load() {
		return 0, f.faults.CutError
	}
	if hits(f.rand, f.faults.ReadError) {
		return 0, f.faults.CutError
	}
	if len(f.pending) == 0 {
		buf := make([]byte, max(len(p), 1))
		n, err := f.port.Read(buf)
		if n == 0 {
			return 0, err
		}
		f.pending = buf[:n]
	}
	if hits(f.rand, f.faults.Stall) {
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(p), len(f.pending))
	if n > 1 && hits(f.rand, f.faults.Split) {
		n = 1 + f.rand.IntN(n-1)
	}
	if f.faults.CutAfter > 0 {
		n = min(n, f.faults.CutAfter-f.read)
	}
	copy(p, f.pending[:n])
	f.pending = f.pending[n:]
	f.read += n
	if f.faults.CutAfter > 0 && f.read >= f.faults.CutAfter {
		f.cut.Store(true)
	}
	if n > 0 && hits(f.rand, f.faults.Flip) {
		p[f.rand.IntN(n)] ^= 1 << f.rand.IntN(8)
	}
	return n, nil
}

// Write writes with faults.
func (f *Faulty) Write(p []byte) (int, error) {
	f.writing.Lock()
	fail := hits(f.wrand, f.faults.WriteError)
	f.writing.Unlock()
	switch {
	case f.cut.Load():
		return 0, f.faults.CutError
	case fail:
		n, err := f.port.Write(p[:len(p)/2])
		if err == nil {
			err = f.faults.CutError
		}
		return n, err
	}
	return f.port.Write(p)
}

// SetReadDeadline passes through.
func (f *Faulty) SetReadDeadline(t time.Time) error { return f.port.SetReadDeadline(t) }

// Close closes the port.
func (f *Faulty) Close() error { return f.port.Close() }

func hits(r *rand.Rand, rate float64) bool { return rate > 0 && r.Float64() < rate }
