package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestShape: sizes, times and classes are there; no two bytes of one class differ, so that
// no account can be read from it, in ASCII or packed.
func TestShape(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	describe := func(first, second string) *Shape {
		var e evidence
		e.took([]byte(first), int64(len(first)), Clock{Now: at}, at)
		e.took([]byte(second), int64(len(first)+len(second)), Clock{Now: at.Add(time.Second)}, at)
		return e.shapeOf()
	}
	s := describe("\x026222021234567890123\x03", "OK\x96\x22")
	want := []ShapeChunk{{Chunk{at, 21}, "C1 D19 C1"}, {Chunk{at.Add(time.Second), 4}, "L2 H1 P1"}}
	if d := cmp.Diff(want, s.Chunks); d != "" || s.Bytes != 25 || s.Classes["D"] != 19 {
		t.Errorf("%+v: %s", s, d)
	}
	if other := describe("\x036222029876543210987\x01", "AB\x81\x2a"); !cmp.Equal(s.Chunks, other.Chunks) {
		t.Errorf("the classes tell accounts apart: %v", other.Chunks)
	}
	long := strings.Repeat("a1", 3000)
	if s := describe(long, long); s.Bytes != sampleSize || len(s.Chunks) != 1 || len(s.Chunks[0].Pattern) > shapeText+10 {
		t.Errorf("%d bytes, %d chunks", s.Bytes, len(s.Chunks))
	}
}
