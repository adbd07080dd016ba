package logbook

import (
	"io"
	"sync/atomic"
)

// queueLines is how many lines may wait for a slow way out, before lines are
// given up and counted.
const queueLines = 256

// sink is one way out with a queue and a goroutine of its own.
type sink struct {
	lines   chan []byte   // closed by Book.Close
	done    chan struct{} // closed when the goroutine has ended
	dropped atomic.Int64  // lines given up since the last one that got through
	out     io.Writer
}

func startSink(out io.Writer) *sink {
	s := &sink{lines: make(chan []byte, queueLines), done: make(chan struct{}), out: out}
	go s.run()
	return s
}

// put never waits. The caller holds the Book's mutex, so the channel is open.
func (s *sink) put(line []byte) {
	select {
	case s.lines <- line:
	default:
		s.dropped.Add(1)
	}
}

func (s *sink) run() {
	defer close(s.done)
	for line := range s.lines {
		if _, err := s.out.Write(line); err != nil {
			s.dropped.Add(1)
		}
	}
}
