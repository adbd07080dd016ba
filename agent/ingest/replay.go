package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"yuanlu/protocol/frame"
)

// RefusedError is a message that was refused in a good frame.
type RefusedError struct {
	Offset int64 // of the frame, in the bytes of the link or file
	Err    error // field, offset in the message, got and want
}

// Error gives the place and what was wrong, never bytes of the message.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("frame at byte %d: %v", e.Offset, e.Err)
}

// Unwrap gives ErrRefused and the wire's own error.
func (e *RefusedError) Unwrap() []error { return []error{ErrRefused, e.Err} }

// Replay reads a capture to its end and calls emit for every record, in the order in
// which they become known, and refuse (with a *RefusedError) for every refused
// message. No time passes inside a capture: an unfinished frame is given up, and what
// waits for an answer ends, only at its end (contract/wires.md, Common). clock is the
// time of reception of all of it. It stops at an error of r or emit and when ctx is
// done, and returns that error; the counts are of what was read until then.
func Replay(ctx context.Context, r io.Reader, w Wire, clock Clock, emit func(Decoded) error, refuse func(error)) (frame.Stats, error) {
	s := w.Scanner()
	p := replayer{wire: w, scanner: s, clock: clock, emit: emit, refuse: refuse}
	buf := make([]byte, 32<<10)
	for {
		if err := ctx.Err(); err != nil {
			return s.Stats(), err
		}
		n, err := r.Read(buf)
		s.Push(buf[:n])
		if e := p.frames(); e != nil {
			return s.Stats(), e
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s.Stats(), err
		}
	}
	for s.Pending() {
		s.GiveUp()
		if err := p.frames(); err != nil {
			return s.Stats(), err
		}
	}
	return s.Stats(), p.records(w.End(clock))
}

type replayer struct {
	wire    Wire
	scanner *frame.Scanner
	clock   Clock
	emit    func(Decoded) error
	refuse  func(error)
}

func (p *replayer) frames() error {
	for f, ok := p.scanner.Next(); ok; f, ok = p.scanner.Next() {
		step, err := p.wire.Frame(f, p.clock)
		if err != nil {
			p.refuse(&RefusedError{f.Offset, err})
		}
		if err := p.records(step); err != nil {
			return err
		}
	}
	return nil
}

func (p *replayer) records(s Step) error {
	for _, d := range s.Records {
		if err := p.emit(d); err != nil {
			return err
		}
	}
	return nil
}
