package frame

import "bytes"

// Stats counts what a Scanner has seen since it was made.
type Stats struct {
	Frames uint64 // good ones
	// BadFrames counts heads with a valid length whose frame turned out damaged or
	// unfinished. Heads inside such a frame are not counted again.
	BadFrames    uint64
	SkippedBytes uint64 // that belong to no good frame
}

// Scanner finds the good frames in a stream that arrives in pieces. At every byte:
// if a good frame begins here, it is taken and the scan goes on after it; else it
// goes on with the next byte (wires.md, Frame scan). While what begins
// here is not yet whole, it waits for more bytes, or for GiveUp.
//
// The work is linear in the bytes pushed, whatever they are: the check byte of a
// candidate is known from running XORs. After Next has returned false, the
// Scanner holds less than one longest frame. It is not safe for concurrent use.
type Scanner struct {
	framing framing
	buf     []byte // pushed bytes from some place on
	xor     []byte // xor[i] = XOR of buf[:i+1], of all bytes since the buffer was empty
	at      int    // in buf: where the scan stands
	base    int64  // offset of buf[0] in the stream
	badTo   int64  // heads before this offset are inside a frame already counted as bad
	stats   Stats
}

// NewSTX makes a scanner for STX frames (wires mispos and cup8583).
func NewSTX() *Scanner { return &Scanner{framing: stx()} }

// NewSmart makes a scanner for smart frames.
func NewSmart() *Scanner { return &Scanner{framing: smart()} }

// Push takes bytes of the stream, in any pieces. It copies them. Call Next until
// it returns false before pushing more, or the buffer grows.
func (s *Scanner) Push(p []byte) {
	s.makeRoom(len(p))
	var x byte
	if n := len(s.xor); n > 0 {
		x = s.xor[n-1]
	}
	s.buf = append(s.buf, p...)
	n := len(s.xor)
	s.xor = s.xor[:len(s.buf)]
	for i, c := range p {
		x ^= c
		s.xor[n+i] = x
	}
}

// makeRoom lets n more bytes fit. What was scanned is dropped only when the room
// is needed, so that moving the rest costs little per byte.
func (s *Scanner) makeRoom(n int) {
	if s.at == len(s.buf) {
		s.base += int64(s.at)
		s.buf, s.xor, s.at = s.buf[:0], s.xor[:0], 0
	}
	if len(s.buf)+n <= cap(s.buf) && len(s.buf)+n <= cap(s.xor) {
		return
	}
	rest := len(s.buf) - s.at
	buf, xor := s.buf[:0], s.xor[:0]
	// Half of the buffer must be free after the move, or pieces of one byte would
	// each move all of it.
	if need := 2 * (rest + n); need > cap(buf) || need > cap(xor) {
		need = max(need, 1024)
		buf, xor = make([]byte, 0, need), make([]byte, 0, need)
	}
	buf, xor = buf[:rest], xor[:rest]
	copy(buf, s.buf[s.at:])
	copy(xor, s.xor[s.at:])
	s.base += int64(s.at)
	s.buf, s.xor, s.at = buf, xor, 0
}

// Next returns the next good frame in what was pushed. false: there is none, or what
// may be one is not yet whole (Pending).
func (s *Scanner) Next() (Frame, bool) {
	for s.seek() {
		b := s.buf[s.at:]
		size, bad := s.framing.measure(b)
		switch {
		case bad:
			s.skip(1)
		case size == 0 || size > len(b):
			return Frame{}, false
		case !s.good(size):
			s.reject(size)
		default:
			return s.take(size), true
		}
	}
	return Frame{}, false
}

// seek moves on to the next byte that a frame can begin with.
func (s *Scanner) seek() bool {
	i := bytes.IndexByte(s.buf[s.at:], s.framing.first)
	if i < 0 {
		i = len(s.buf) - s.at
	}
	if i > 0 {
		s.skip(i)
	}
	return s.at < len(s.buf)
}

func (s *Scanner) skip(n int) {
	s.at += n
	s.stats.SkippedBytes += uint64(n)
}

// good reports whether the frame of the given size at s.at ends as it should and
// has the right check byte.
func (s *Scanner) good(size int) bool {
	check := s.at + size - s.framing.check
	return s.framing.ends(s.buf[s.at:s.at+size]) &&
		s.xor[s.at+s.framing.from-1]^s.xor[check-1] == s.buf[check]
}

func (s *Scanner) take(size int) Frame {
	raw := s.buf[s.at : s.at+size : s.at+size]
	f := Frame{Raw: raw, Data: raw[s.framing.head : size-s.framing.tail], Offset: s.offset()}
	if s.framing.numbered {
		f.Type, f.Ack, f.ID = raw[2], raw[3], raw[4]
	}
	s.at += size
	s.stats.Frames++
	s.badTo = s.offset()
	return f
}

// reject goes on after the first byte of a frame that is none; size is what its
// head states, 0 if the head is not whole.
func (s *Scanner) reject(size int) {
	if from := s.offset(); size > 0 && from >= s.badTo {
		s.stats.BadFrames++
		s.badTo = from + int64(size)
	}
	s.skip(1)
}

func (s *Scanner) offset() int64 { return s.base + int64(s.at) }

// Pending reports whether an unfinished frame waits for more bytes. It is
// meaningful once Next has returned false.
func (s *Scanner) Pending() bool { return s.at < len(s.buf) }

// GiveUp gives up the unfinished frame that Next has stopped at, because no more
// bytes came in time or the stream has ended. The bytes after its first one are
// scanned again by Next, which may find frames in them or stop at the next
// unfinished one: call both until Pending is false.
func (s *Scanner) GiveUp() {
	if !s.Pending() {
		return
	}
	size, _ := s.framing.measure(s.buf[s.at:])
	s.reject(size)
}

// Reset drops what waits, because the stream was interrupted (port reopened); the
// dropped bytes count as skipped. Offsets and Stats go on.
func (s *Scanner) Reset() {
	if size, _ := s.framing.measure(s.buf[s.at:]); s.Pending() {
		s.reject(size)
	}
	s.skip(len(s.buf) - s.at)
	s.badTo = s.offset()
}

// Stats returns the counts so far.
func (s *Scanner) Stats() Stats { return s.stats }
