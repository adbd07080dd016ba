package ingest

import (
	"errors"
	"os"
	"time"
)

// What is read of a line without confirms when the worker stops ends where a frame does: the
// kernel keeps what follows for the next run of the program, which has to begin with a whole
// frame. Bytes of a wire with confirms come again.
const (
	readOnQuiet = 100 * time.Millisecond // without a byte: the line rests
	// readOnFor is how long a line that does not rest is read on. Behind it each byte is read
	// alone until a frame has ended, as long again at most.
	readOnFor = time.Second
)

// readOn reads what a frame that has begun still lacks; last is when the last byte came.
func (w *Worker) readOn(port Port, last time.Time) {
	if Confirms(w.opt.Wire) || time.Since(last) >= readOnQuiet && !w.inFrame() {
		return
	}
	buf := make([]byte, readSize)
	for begin := time.Now(); time.Since(begin) < 2*readOnFor; {
		size := readSize
		if time.Since(begin) >= readOnFor {
			if size = 1; !w.inFrame() {
				return
			}
		}
		if port.SetReadDeadline(time.Now().Add(readOnQuiet)) != nil {
			return
		}
		n, err := port.Read(buf[:size])
		if n > 0 {
			w.tapBytes(buf[:n])
			w.inbox.add(buf[:n], true)
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !w.inFrame() {
			return
		}
	}
}

// inFrame reports whether what was read ends within a frame. It asks the decoder; true if that
// does not answer for readOnQuiet.
func (w *Worker) inFrame() bool {
	answer := make(chan bool, 1)
	patience := time.NewTimer(readOnQuiet)
	defer patience.Stop()
	select {
	case w.frameAsked <- answer:
		return <-answer
	case <-patience.C:
		return true
	}
}

// decodeOn decodes what the reader still reads, as far as there is room for it, and answers
// inFrame, until the reader has ended.
func (w *Worker) decodeOn(ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case answer := <-w.frameAsked:
			more := true
			for more && w.mayDecode() {
				more = w.receive()
			}
			answer <- more || w.scanner.Pending()
		case s := <-w.stored:
			w.settle(s)
			w.dispatch()
		}
	}
}

// mayDecode reports whether there is room for what the next bytes bring.
func (w *Worker) mayDecode() bool { return w.stuck == nil && len(w.waiting) < w.mayWait() }
