package ingest

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Shape is what bytes that are not understood look like, without what they are: how many
// came when, and of which classes they are. A digit, a letter and a packed digit of an
// account look like any other of their class.
type Shape struct {
	Link    string         `json:"link"`
	Wire    string         `json:"wire"`
	Bytes   int            `json:"bytes"`
	Classes map[string]int `json:"classes"` // how many bytes of each
	Even    int            `json:"even_parity"`
	Chunks  []ShapeChunk   `json:"chunks"` // the newest, in order
}

// ShapeChunk is one read of the port. Pattern is its bytes by class, each with its count:
// "C1 D12 H3". C: below 20 hex and 7f; D: ASCII digits; L: ASCII letters; P: other ASCII;
// H: 80 hex and above.
type ShapeChunk struct {
	Chunk
	Pattern string `json:"pattern"`
}

const (
	shapeChunks = 64          // that are described
	shapeEvery  = time.Second // between two descriptions
	shapeText   = 200         // bytes of a pattern
)

// shapeOf describes the sample.
func (e *evidence) shapeOf() *Shape {
	s := &Shape{Bytes: len(e.sample), Classes: map[string]int{}}
	for _, b := range e.sample {
		s.Classes[string(classOf(b))]++
		if bits.OnesCount8(b)%2 == 0 {
			s.Even++
		}
	}
	at := 0
	for _, c := range e.chunks {
		s.Chunks = append(s.Chunks, ShapeChunk{c, patternOf(e.sample[at : at+c.Bytes])})
		at += c.Bytes
	}
	s.Chunks = slices.Clone(s.Chunks[max(0, len(s.Chunks)-shapeChunks):])
	return s
}

func classOf(b byte) byte {
	switch {
	case b < ' ' || b == 0x7f:
		return 'C'
	case b >= 0x80:
		return 'H'
	case b >= '0' && b <= '9':
		return 'D'
	case b|0x20 >= 'a' && b|0x20 <= 'z':
		return 'L'
	}
	return 'P'
}

// patternOf writes the classes of bytes with their counts.
func patternOf(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		n := 1
		for n < len(b) && classOf(b[n]) == classOf(b[0]) {
			n++
		}
		if out.Len() > shapeText {
			out.WriteString(" …")
			break
		}
		if out.Len() > 0 {
			out.WriteByte(' ')
		}
		out.WriteByte(classOf(b[0]))
		out.WriteString(strconv.Itoa(n))
		b = b[n:]
	}
	return out.String()
}

// describe keeps the shape of what is not understood, once a second at most.
func (w *Worker) describe() {
	now := time.Now()
	if now.Sub(w.evidence.shaped) < shapeEvery {
		return
	}
	w.evidence.shaped = now
	s := w.evidence.shapeOf()
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Link, s.Wire = w.health.Name, w.health.Wire
	w.shape = s
}

// Shape returns what the last bytes that were not understood look like, nil where all are.
// It is safe for concurrent use.
func (w *Worker) Shape() *Shape {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shape
}
