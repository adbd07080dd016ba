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

// Error returns the place and what was wrong, never bytes of the message.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("frame at byte %d: %v", e.Offset, e.Err)
}

// Unwrap returns ErrRefused and the wire's own error.
func (e *RefusedError) Unwrap() []error { return []error{ErrRefused, e.Err} }

// Replay reads a capture to its end and calls emit for every record, in the order in
// which they become known, and refuse (with a *RefusedError) for every refused
// message. No time passes inside a capture: an unfinished frame is given up, and what
// waits for an answer ends, only at its end (wires.md, Common). clock is the
// time of reception of all of it. It stops at an error of r or emit and when ctx is
// done, and returns that error; the counts are of what was read until then.
func Replay(ctx context.Context, r io.Reader, w Wire, clock Clock, emit func(Decoded) error, refuse func(error)) (Replayed, error) {
	p := replayer{wire: w, scanner: w.Scanner(), clock: clock, emit: emit, refuse: refuse, leftOut: leftOutTally{},
		message: func(frame.Frame, Step, error) error { return nil }}
	return p.replay(ctx, r)
}

func (p *replayer) replay(ctx context.Context, r io.Reader) (Replayed, error) {
	err := p.read(ctx, r)
	got := Replayed{Stats: p.scanner.Stats()}
	if got.SkippedBytes > 0 {
		p.leftOut[leftOutBytes] = got.SkippedBytes
	}
	got.LeftOut = p.leftOut.counts()
	return got, err
}

// Replayed is what a replay has read.
type Replayed struct {
	frame.Stats
	LeftOut []LeftOutCount // what made no record and is no fault, in byte order
}

// read reads r to its end.
func (p *replayer) read(ctx context.Context, r io.Reader) error {
	s := p.scanner
	buf := make([]byte, 32<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		s.Push(buf[:n])
		if e := p.frames(); e != nil {
			return e
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for s.Pending() {
		s.GiveUp()
		if err := p.frames(); err != nil {
			return err
		}
	}
	last := p.wire.End(p.clock)
	if len(last.Records)+len(last.LeftOut) > 0 {
		if err := p.message(frame.Frame{Offset: -1}, last, nil); err != nil {
			return err
		}
	}
	return p.step(last)
}

type replayer struct {
	wire    Wire
	scanner *frame.Scanner
	clock   Clock
	emit    func(Decoded) error
	refuse  func(error)
	leftOut leftOutTally
	message func(f frame.Frame, s Step, err error) error // called for every frame, and at the end (Offset -1)
}

func (p *replayer) frames() error {
	for f, ok := p.scanner.Next(); ok; f, ok = p.scanner.Next() {
		step, err := p.wire.Frame(f, p.clock)
		if err != nil {
			p.refuse(&RefusedError{f.Offset, err})
		}
		if err := p.message(f, step, err); err != nil {
			return err
		}
		if err := p.step(step); err != nil {
			return err
		}
	}
	return nil
}

// step takes what a frame, or the end, has brought.
func (p *replayer) step(s Step) error {
	p.leftOut.add(s.LeftOut)
	for _, d := range s.Records {
		if err := p.emit(d); err != nil {
			return err
		}
	}
	return nil
}
