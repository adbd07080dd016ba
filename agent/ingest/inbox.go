package ingest

import (
	"context"
	"sync"
	"time"
)

// mark is something that happened between two bytes.
type mark uint8

const (
	markNone    mark = iota
	markSilence      // no byte for the frame timeout
	markLost         // the port was closed; what follows is from another opening
)

// placedMark stands before the byte at position at, counted from the first byte ever.
type placedMark struct {
	at   int64
	mark mark
}

// inbox is the bounded buffer between the goroutine that reads a port and the one
// that decodes: bytes, and marks between them, in order. While it is full the reader
// waits, so that the kernel buffers, and then the device.
type inbox struct {
	ready chan struct{} // cap 1: there is something to take
	room  chan struct{} // cap 1: there is room again

	mu    sync.Mutex // guards the rest
	limit int
	buf   []byte
	from  int   // of the first byte not yet taken, in buf
	taken int64 // bytes ever taken
	marks []placedMark
}

func newInbox(limit int) *inbox {
	return &inbox{ready: make(chan struct{}, 1), room: make(chan struct{}, 1), limit: limit}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// setLimit changes how many bytes may wait.
func (b *inbox) setLimit(limit int) {
	b.mu.Lock()
	more := limit > b.limit
	b.limit = limit
	b.mu.Unlock()
	if more {
		signal(b.room)
	}
}

// put adds bytes, waiting for room; when ctx is done it adds them all the same, so
// that nothing read is lost and the buffer exceeds its limit by one read at most. Once
// the wait has lasted for long, late is called, and again each time it has.
func (b *inbox) put(ctx context.Context, p []byte, long time.Duration, late func()) {
	timer := time.NewTicker(long)
	defer timer.Stop()
	for !b.add(p, ctx.Err() != nil) {
		select {
		case <-b.room:
		case <-timer.C:
			late()
		case <-ctx.Done():
		}
	}
	signal(b.ready)
}

// tryPut adds bytes if there is room.
func (b *inbox) tryPut(p []byte) bool {
	ok := b.add(p, false)
	if ok {
		signal(b.ready)
	}
	return ok
}

func (b *inbox) add(p []byte, force bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := len(b.buf) - b.from; held > 0 && held+len(p) > b.limit && !force {
		return false
	}
	if b.from > 0 && len(b.buf)+len(p) > cap(b.buf) {
		b.buf = append(b.buf[:0], b.buf[b.from:]...)
		b.from = 0
	}
	b.buf = append(b.buf, p...)
	return true
}

// mark adds a mark behind the bytes put so far.
func (b *inbox) mark(m mark) {
	b.mu.Lock()
	end := b.taken + int64(len(b.buf)-b.from)
	b.marks = append(b.marks, placedMark{end, m})
	b.mu.Unlock()
	signal(b.ready)
}

// take copies bytes up to the next mark into p, or returns the mark if it is next. more
// reports that there is something left.
func (b *inbox) take(p []byte) (n int, m mark, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.marks) > 0 && b.marks[0].at == b.taken {
		m = b.marks[0].mark
		b.marks = b.marks[:copy(b.marks, b.marks[1:])]
	} else {
		rest := b.buf[b.from:]
		if len(b.marks) > 0 {
			rest = rest[:min(int64(len(rest)), b.marks[0].at-b.taken)]
		}
		n = copy(p, rest)
		b.from += n
		b.taken += int64(n)
		if b.from == len(b.buf) {
			b.buf, b.from = b.buf[:0], 0
		}
		signal(b.room)
	}
	return n, m, len(b.buf) > b.from || len(b.marks) > 0
}
