package drivertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// An Op is the kind of an Event.
type Op string

// The kinds of events.
const (
	OpRead    Op = "read"    // bytes that came from the device
	OpWrite   Op = "write"   // bytes that went to it
	OpTimeout Op = "timeout" // a Read whose deadline passed
	OpError   Op = "error"   // a Read that failed; Err is how
)

// An Event is one thing that happened on a port.
type Event struct {
	Op   Op
	Data []byte
	Err  error
}

// A Recorder is a Port that passes everything through to Port and notes it. The
// note (Events) can be given to a Playback. Safe for concurrent use.
type Recorder struct {
	Port Port

	mu     sync.Mutex
	events []Event
}

// Read reads from the port and notes the bytes or the error.
func (r *Recorder) Read(p []byte) (int, error) {
	n, err := r.Port.Read(p)
	switch {
	case n > 0:
		r.note(Event{Op: OpRead, Data: bytes.Clone(p[:n])})
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.note(Event{Op: OpTimeout})
	case err != nil:
		r.note(Event{Op: OpError, Err: err})
	}
	return n, err
}

// Write writes to the port and notes the bytes that were taken.
func (r *Recorder) Write(p []byte) (int, error) {
	n, err := r.Port.Write(p)
	if n > 0 {
		r.note(Event{Op: OpWrite, Data: bytes.Clone(p[:n])})
	}
	return n, err
}

// SetReadDeadline passes through.
func (r *Recorder) SetReadDeadline(t time.Time) error { return r.Port.SetReadDeadline(t) }

// Close closes the port.
func (r *Recorder) Close() error { return r.Port.Close() }

// Events returns a copy of the note so far.
func (r *Recorder) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}

func (r *Recorder) note(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// A Playback is a Port that plays Events back in order: reads return the bytes of
// OpRead events (in pieces if the buffer is short), OpTimeout returns
// os.ErrDeadlineExceeded, OpError its error, and writes must be exactly those of
// the OpWrite events, in any pieces. A Read that meets an OpWrite event returns
// os.ErrDeadlineExceeded: the device waits for the write. After the last event
// Read returns io.EOF. Safe for concurrent use.
type Playback struct {
	Events []Event

	mu     sync.Mutex
	done   int // bytes of Events[0] already used
	closed bool
}

// ErrPlayback is the class of every disagreement with the script.
var ErrPlayback = errors.New("drivertest: playback")

// Read returns what the script has next.
func (p *Playback) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return 0, os.ErrClosed
	case len(b) == 0:
		return 0, io.ErrShortBuffer
	case len(p.Events) == 0:
		return 0, io.EOF
	}
	e := p.Events[0]
	switch e.Op {
	case OpRead:
		n := copy(b, e.Data[p.done:])
		p.use(n)
		return n, nil
	case OpError:
		p.use(len(e.Data))
		return 0, e.Err
	case OpTimeout:
		p.use(len(e.Data))
	}
	return 0, os.ErrDeadlineExceeded
}

// Write checks the bytes against the script.
func (p *Playback) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, os.ErrClosed
	}
	sent := 0
	for sent < len(b) {
		if len(p.Events) == 0 || p.Events[0].Op != OpWrite {
			return sent, fmt.Errorf("%w: %d bytes written that the script does not have", ErrPlayback, len(b)-sent)
		}
		want := p.Events[0].Data[p.done:]
		n := min(len(want), len(b)-sent)
		if !bytes.Equal(b[sent:sent+n], want[:n]) {
			return sent, fmt.Errorf("%w: written % x, want % x", ErrPlayback, b[sent:sent+n], want[:n])
		}
		p.use(n)
		sent += n
	}
	return sent, nil
}

// use takes n bytes of the first event, and the event when it is used up.
func (p *Playback) use(n int) {
	p.done += n
	if p.done >= len(p.Events[0].Data) {
		p.Events, p.done = p.Events[1:], 0
	}
}

// SetReadDeadline does nothing: the script has its own timeouts.
func (p *Playback) SetReadDeadline(time.Time) error { return nil }

// Close fails if the script was not played to its end.
func (p *Playback) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	if len(p.Events) > 0 {
		return fmt.Errorf("%w: closed with %d events left, the next a %s of %d bytes", ErrPlayback, len(p.Events), p.Events[0].Op, len(p.Events[0].Data))
	}
	return nil
}
