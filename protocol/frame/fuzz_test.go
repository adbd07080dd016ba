package frame_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/protocol/frame"
	"yuanlu/protocol/wiretest"
)

// FuzzScanner: in pieces of any size, with pauses or without, the scanner finds
// what the naive scan finds; and what it finds is framed to the same bytes again.
func FuzzScanner(f *testing.F) {
	good, _ := wiretest.AppendSTX(nil, []byte("\x9f\x01\x00\x01\x02"))
	smart, _ := frame.AppendSmart(nil, frame.Frame{ID: 1, Data: []byte(`{"v":1}`)})
	f.Add(good, byte(1), false)
	f.Add(append([]byte("\x06\x03\x15\x02\x02\x99\x02\x02"), good...), byte(3), false)
	f.Add(append([]byte("\x02\x90\x00"), good...), byte(200), false)
	f.Add(append(bytes.Clone(good[:7]), good...), byte(5), false)
	f.Add(bytes.Repeat([]byte("\x02\x99\x96\x03"), 40), byte(7), false)
	f.Add(smart, byte(2), true)
	f.Add(append([]byte("\x55\x55\xaa\x00"), smart...), byte(4), true)
	for _, damaged := range captures(f, "*-damage.*.hex") {
		f.Add(damaged, byte(6), false)
		f.Add(damaged, byte(9), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, piece byte, isSmart bool) {
		k := kinds()[0]
		if isSmart {
			k = kinds()[1]
		}
		want := k.naive(b)
		s := k.make()
		var got []found
		for rest := b; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			s.Push(rest[:n])
			rest = rest[n:]
			got = append(got, drain(s, false)...)
		}
		got = append(got, drain(s, true)...)
		same(t, k.name, got, want)
		checkStats(t, k.name, s.Stats(), b, want)
		for _, g := range got {
			var again []byte
			var err error
			if isSmart {
				again, err = frame.AppendSmart(nil, frame.Frame{Type: g.Type, Ack: g.Ack, ID: g.ID, Data: []byte(g.Data)})
			} else {
				again, err = wiretest.AppendSTX(nil, []byte(g.Data))
			}
			if err != nil || !bytes.Equal(again, b[g.Offset:g.Offset+int64(len(again))]) {
				t.Fatalf("%d bytes at %d are framed otherwise: %v", len(g.Data), g.Offset, err)
			}
		}
	})
}

// captures returns the bytes of the contract's vectors.
func captures(t testing.TB, pattern string) (out [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "agent", "ingest", "testdata", "vectors", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var digits strings.Builder
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			digits.WriteString(strings.Join(strings.Fields(line), ""))
		}
		b, err := hex.DecodeString(digits.String())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func BenchmarkScan(b *testing.B) {
	one, _ := wiretest.AppendSTX(nil, bytes.Repeat([]byte("x"), 150))
	in := bytes.Repeat(one, 26)
	s := frame.NewSTX()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		s.Push(in)
		n := 0
		for _, ok := s.Next(); ok; _, ok = s.Next() {
			n++
		}
		if n != 26 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/26, "ns/frame")
}

// BenchmarkScanWorst scans bytes that every fourth byte look like a long frame with
// its end in place.
func BenchmarkScanWorst(b *testing.B) {
	in := bytes.Repeat([]byte("\x02\x99\x92\x03"), 1024)
	s := frame.NewSTX()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		s.Push(in)
		if _, ok := s.Next(); ok {
			b.Fatal("a frame in noise")
		}
	}
}
