package frame_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"yuanlu/protocol/frame"
	"yuanlu/protocol/wiretest"
)

// found is a frame as the tests compare it.
type found struct {
	Type, Ack, ID byte
	Data          string
	Offset        int64
}

// drain takes what the scanner has; all of it, with unfinished frames given up,
// if the stream ends here.
func drain(s *frame.Scanner, end bool) []found {
	var out []found
	for {
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			out = append(out, found{f.Type, f.Ack, f.ID, string(f.Data), f.Offset})
		}
		if !end || !s.Pending() {
			return out
		}
		s.GiveUp()
	}
}

// naiveSTX is the scan as wires.md describes it: at every byte, if a
// frame with a valid LEN, 03 in its place and a right LRC begins here, take it and
// go on after it; else go on with the next byte.
func naiveSTX(b []byte) []found {
	var out []found
	for i := 0; i < len(b); {
		n := naiveSTXAt(b[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(out, found{Data: string(b[i+3 : i+n-2]), Offset: int64(i)})
		i += n
	}
	return out
}

func naiveSTXAt(b []byte) int {
	if len(b) < 6 || b[0] != 2 {
		return 0
	}
	var n int
	if _, err := fmt.Sscanf(hex.EncodeToString(b[1:3]), "%04d", &n); err != nil || fmt.Sprintf("%04d", n) != hex.EncodeToString(b[1:3]) {
		return 0
	}
	if n == 0 || len(b) < n+5 || b[n+3] != 3 {
		return 0
	}
	lrc := byte(0)
	for _, c := range b[1 : n+4] {
		lrc ^= c
	}
	if lrc != b[n+4] {
		return 0
	}
	return n + 5
}

func naiveSmart(b []byte) []found {
	var out []found
	for i := 0; i < len(b); {
		n := naiveSmartAt(b[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(out, found{b[i+2], b[i+3], b[i+4], string(b[i+7 : i+n-3]), int64(i)})
		i += n
	}
	return out
}

func naiveSmartAt(b []byte) int {
	if len(b) < 10 || b[0] != 0x55 || b[1] != 0xAA {
		return 0
	}
	n := int(b[5])*256 + int(b[6])
	if n > 16384 || len(b) < n+10 || b[n+8] != 0xCC || b[n+9] != 0x33 {
		return 0
	}
	x := byte(0)
	for _, c := range b[2 : n+7] {
		x ^= c
	}
	if x != b[n+7] {
		return 0
	}
	return n + 10
}

// A kind of framing, with its scanner and the naive one.
type kind struct {
	name   string
	make   func() *frame.Scanner
	naive  func([]byte) []found
	append func(t testing.TB, dst, data []byte) []byte
	max    int
}

func kinds() []kind {
	return []kind{
		{"stx", frame.NewSTX, naiveSTX, func(t testing.TB, dst, data []byte) []byte {
			t.Helper()
			b, err := wiretest.AppendSTX(dst, data)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}, frame.MaxSTX},
		{"smart", frame.NewSmart, naiveSmart, func(t testing.TB, dst, data []byte) []byte {
			t.Helper()
			b, err := frame.AppendSmart(dst, frame.Frame{Type: 0, ID: 7, Data: data})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}, frame.MaxSmart},
	}
}

func same(t testing.TB, what string, got, want []found) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: found %d frames, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: frame %d: got %d bytes at %d, want %d at %d", what, i, len(got[i].Data), got[i].Offset, len(want[i].Data), want[i].Offset)
		}
	}
}

func TestGoldenBytes(t *testing.T) {
	got, err := wiretest.AppendSTX(nil, []byte("\x9f\x01\x00\x01\x02"))
	if want := "0200059f01000102039b"; hex.EncodeToString(got) != want || err != nil {
		t.Errorf("got %x, %v, want %s", got, err, want)
	}
	// The three sample frames of the codepay serial protocol.
	for want, f := range map[string]frame.Frame{
		"55aa010000000001cc33": {Type: frame.SmartHandshake},
		"55aa020000000002cc33": {Type: frame.SmartConfirm},
		"55aa000000000000cc33": {Type: frame.SmartData},
	} {
		t.Run(want, func(t *testing.T) {
			got, err := frame.AppendSmart(nil, f)
			if hex.EncodeToString(got) != want || err != nil {
				t.Errorf("got %x, %v, want %s", got, err, want)
			}
			s := frame.NewSmart()
			s.Push(got)
			back, ok := s.Next()
			if !ok || back.Type != f.Type || back.ID != 0 || back.Ack != 0 || len(back.Data) != 0 || !bytes.Equal(back.Raw, got) {
				t.Errorf("%s is read as %+v, %t", want, back, ok)
			}
		})
	}
}

func TestLengthsOfData(t *testing.T) {
	if _, err := frame.AppendSmart(nil, frame.Frame{Data: make([]byte, frame.MaxSmart+1)}); !errors.Is(err, frame.ErrLength) {
		t.Errorf("%d bytes: %v", frame.MaxSmart+1, err)
	}
	for _, k := range kinds() {
		for _, n := range []int{1, 2, 98, 99, 100, 255, 256, 1000, k.max} {
			data := bytes.Repeat([]byte{0x02, 0x03, 0x55}, n)[:n]
			s := k.make()
			s.Push(k.append(t, nil, data))
			f, ok := s.Next()
			if !ok || !bytes.Equal(f.Data, data) || s.Pending() {
				t.Errorf("%s: %d bytes do not come back", k.name, n)
			}
		}
	}
}

// noise makes bytes that look as much like heads and ends as they can.
func noise(r *rand.Rand, n int) []byte {
	alphabet := []byte{0x02, 0x02, 0x00, 0x01, 0x12, 0x99, 0x03, 0x03, 0x55, 0x55, 0xAA, 0xAA, 0xCC, 0x33, 0x40, 0x0A}
	b := make([]byte, n)
	for i := range b {
		if r.IntN(8) == 0 {
			b[i] = byte(r.Uint32())
		} else {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
	}
	return b
}

// stream makes good frames with noise, cut frames and flipped bits between.
func stream(t testing.TB, k kind, r *rand.Rand, frames int) []byte {
	var b []byte
	for range frames {
		f := k.append(t, nil, noise(r, 1+r.IntN(300)))
		switch r.IntN(6) {
		case 0:
			b = append(b, noise(r, r.IntN(60))...)
		case 1:
			b = append(b, f[:r.IntN(len(f))]...)
		case 2:
			g := bytes.Clone(f)
			g[r.IntN(len(g))] ^= 1 << r.IntN(8)
			b = append(b, g...)
		}
		b = append(b, f...)
	}
	return b
}

func TestScanIsTheNaiveScan(t *testing.T) {
	for _, k := range kinds() {
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(seed, 1))
			b := stream(t, k, r, 30)
			what := fmt.Sprintf("%s seed %d", k.name, seed)
			want := k.naive(b)
			s := k.make()
			s.Push(b)
			same(t, what+" at once", drain(s, true), want)
			checkStats(t, what, s.Stats(), b, want)

			s = k.make()
			var got []found
			for rest := b; len(rest) > 0; {
				n := 1 + r.IntN(min(len(rest), 1<<r.IntN(10)))
				s.Push(rest[:n])
				rest = rest[n:]
				got = append(got, drain(s, false)...)
			}
			got = append(got, drain(s, true)...)
			same(t, what+" in pieces", got, want)
			checkStats(t, what, s.Stats(), b, want)
		}
	}
}

func checkStats(t testing.TB, what string, st frame.Stats, b []byte, frames []found) {
	t.Helper()
	rest := uint64(len(b))
	overhead := 5
	if len(frames) > 0 && b[frames[0].Offset] == 0x55 {
		overhead = 10
	}
	for _, f := range frames {
		rest -= uint64(len(f.Data) + overhead)
	}
	if st.Frames != uint64(len(frames)) || st.SkippedBytes != rest || st.BadFrames > rest {
		t.Fatalf("%s: counts %+v, want %d frames and %d skipped bytes", what, st, len(frames), rest)
	}
}

// A pause longer than the frame timeout ends what is unfinished: each part of the
// stream between pauses is scanned for itself.
func TestGiveUpInMidStream(t *testing.T) {
	for _, k := range kinds() {
		for seed := range uint64(40) {
			r := rand.New(rand.NewPCG(seed, 2))
			s := k.make()
			base := int64(0)
			for range 12 {
				b := stream(t, k, r, 1+r.IntN(4))
				b = b[:len(b)-r.IntN(len(b)/2+1)]
				want := k.naive(b)
				for i := range want {
					want[i].Offset += base
				}
				s.Push(b)
				got := drain(s, false)
				same(t, fmt.Sprintf("%s seed %d", k.name, seed), append(got, drain(s, true)...), want)
				base += int64(len(b))
			}
		}
	}
}

func TestBadFramesAreCountedOnce(t *testing.T) {
	good, _ := wiretest.AppendSTX(nil, []byte("\x9f\x14\x00\x0200 and \x02\x00\x04 in it"))
	flipped := bytes.Clone(good)
	flipped[10] ^= 1
	for _, c := range []struct {
		name    string
		in      []byte
		frames  uint64
		bad     uint64
		skipped int
	}{
		{"good", good, 1, 0, 0},
		{"garbage without a head", []byte("\x06\x15\x03\xffxyz"), 0, 0, 7},
		{"a lone STX", []byte{2}, 0, 0, 1},
		{"a length of 0", []byte("\x02\x00\x00\x03\x03"), 0, 0, 5},
		{"a length that is no BCD", []byte("\x02\x1a\x00"), 0, 0, 3},
		{"flipped bit", flipped, 0, 1, len(flipped)},
		{"two flipped", bytes.Repeat(flipped, 2), 0, 2, 2 * len(flipped)},
		{"cut, then good", append(bytes.Clone(good[:15]), good...), 1, 1, 15},
		{"good after a long false start", append([]byte("\x02\x90\x00"), good...), 1, 1, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := frame.NewSTX()
			s.Push(c.in)
			drain(s, true)
			if got, want := s.Stats(), (frame.Stats{Frames: c.frames, BadFrames: c.bad, SkippedBytes: uint64(c.skipped)}); got != want {
				t.Errorf("%s: got %+v, want %+v", c.name, got, want)
			}
		})
	}
}

func TestWaitsForTheRest(t *testing.T) {
	for _, k := range kinds() {
		whole := k.append(t, nil, []byte("hello"))
		s := k.make()
		for i, c := range whole {
			if s.Push([]byte{c}); i < len(whole)-1 {
				if _, ok := s.Next(); ok || !s.Pending() {
					t.Fatalf("%s: after %d bytes: frame %t, pending %t", k.name, i+1, ok, s.Pending())
				}
			}
		}
		if f, ok := s.Next(); !ok || string(f.Data) != "hello" || s.Pending() {
			t.Errorf("%s: the whole frame is not found", k.name)
		}
		s.GiveUp() // nothing waits: nothing happens
		if st := s.Stats(); st.SkippedBytes != 0 || st.Frames != 1 {
			t.Errorf("%s: %+v", k.name, st)
		}
	}
}

func TestResetStartsAnew(t *testing.T) {
	for _, k := range kinds() {
		whole := k.append(t, nil, []byte("hello"))
		s := k.make()
		s.Push(whole[:9])
		drain(s, false)
		s.Reset()
		if st := s.Stats(); s.Pending() || st.SkippedBytes != 9 || st.BadFrames != 1 {
			t.Errorf("%s: after Reset: pending %t, %+v", k.name, s.Pending(), st)
		}
		s.Push(whole[9:])
		s.Push(whole)
		got := drain(s, true)
		same(t, k.name, got, []found{{ID: got[0].ID, Data: "hello", Offset: int64(len(whole))}})
	}
}

func TestHoldsLessThanOneFrame(t *testing.T) {
	for _, k := range kinds() {
		s := k.make()
		r := rand.New(rand.NewPCG(3, 3))
		for range 300 {
			s.Push(noise(r, 4096))
			drain(s, false)
		}
		st := s.Stats()
		drain(s, true)
		if kept := s.Stats().SkippedBytes - st.SkippedBytes; kept >= uint64(k.max+10) {
			t.Errorf("%s: kept %d bytes", k.name, kept)
		}
	}
}

// Every bit of a frame flipped, one at a time: the frame is not taken, and the one
// after it is.
func TestFlippedBits(t *testing.T) {
	for _, k := range kinds() {
		whole := k.append(t, nil, []byte("an amount of 000000001000"))
		for i := range 8 * len(whole) {
			b := bytes.Clone(whole)
			b[i/8] ^= 1 << (i % 8)
			b = append(b, whole...)
			s := k.make()
			s.Push(b)
			got := drain(s, true)
			if len(got) != 1 || got[0].Offset != int64(len(whole)) {
				t.Errorf("%s: bit %d: %d frames", k.name, i, len(got))
			}
		}
	}
}
