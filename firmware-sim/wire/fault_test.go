package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

func testFrames(n int) [][]byte {
	var out [][]byte
	for i := range n {
		f, _ := AppendSTX(nil, bytes.Repeat([]byte{byte(i), 0x02, 0x03}, 20+i%50))
		out = append(out, f)
	}
	return out
}

func play(t *testing.T, f Faults, seed uint64, frames [][]byte) ([]byte, []Sent) {
	t.Helper()
	var line bytes.Buffer
	y := NewFaulty(&line, f, rand.New(rand.NewPCG(seed, 1)), nil, HoldsSTX)
	var sent []Sent
	for _, frame := range frames {
		s, err := y.Send(frame)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, s)
	}
	if err := y.Flush(); err != nil {
		t.Fatal(err)
	}
	return line.Bytes(), sent
}

func TestFaultsBySeed(t *testing.T) {
	f, err := ParseFaults([]string{"split=0.5,merge=0.2", "repeat=0.1", "flip=1e-3", "drop=1e-3", "stall=0.1:5ms"})
	if err != nil {
		t.Fatal(err)
	}
	frames := testFrames(200)
	a, _ := play(t, f, 1, frames)
	b, _ := play(t, f, 1, frames)
	c, _ := play(t, f, 2, frames)
	if !bytes.Equal(a, b) {
		t.Error("the same seed gave other bytes")
	}
	if bytes.Equal(a, c) {
		t.Error("another seed gave the same bytes")
	}
}

// TestFaultsAreReported: what is reported to stand whole on the line does, as often as reported.
func TestFaultsAreReported(t *testing.T) {
	frames := testFrames(300)
	for i := range frames { // make each one unlike the others
		frames[i], _ = AppendSTX(nil, append([]byte{byte(i >> 8), byte(i)}, frames[i]...))
	}
	line, sent := play(t, Faults{Split: 0.3, Merge: 0.3, Repeat: 0.2, Flip: 1e-3, Drop: 1e-4}, 7, frames)
	damaged := 0
	for i, frame := range frames {
		if got := bytes.Count(line, frame); got != sent[i].Whole {
			t.Errorf("frame %d stands %d times on the line, reported %d", i, got, sent[i].Whole)
		}
		if sent[i].Damaged {
			damaged++
		}
	}
	if damaged == 0 || damaged == len(frames) {
		t.Errorf("%d of %d frames damaged", damaged, len(frames))
	}
}

func TestFaultsNone(t *testing.T) {
	frames := testFrames(50)
	line, _ := play(t, Faults{Split: 1, Merge: 0.5}, 3, frames)
	if want := bytes.Join(frames, nil); !bytes.Equal(line, want) {
		t.Error("splitting and merging changed bytes")
	}
}

func TestMoments(t *testing.T) {
	f, err := ParseFaults([]string{"unplug@3", "power@5,baud@2"})
	if err != nil {
		t.Fatal(err)
	}
	y := NewFaulty(nil, f, rand.New(rand.NewPCG(1, 1)), nil, nil)
	want := []Moment{MomentNone, MomentBaud, MomentUnplug, MomentNone, MomentPower, MomentNone}
	for i, w := range want {
		if got := y.Moment(); got != w {
			t.Errorf("frame %d: %v, want %v", i+1, got, w)
		}
	}
}

func TestParseFaultsRefuses(t *testing.T) {
	for _, s := range []string{"split", "split=2", "flip=-1", "flip=NaN", "unplug@0", "unplug@x", "split@3", "fire=1", "flip=0.1:3s", "stall=1:x"} {
		t.Run(s, func(t *testing.T) {
			if _, err := ParseFaults([]string{s}); err == nil {
				t.Errorf("%q was taken", s)
			}
		})
	}
}

func TestGarble(t *testing.T) {
	frame := testFrames(1)[0]
	if g := Garble(frame); len(g) < len(frame) || HoldsSTX(g) {
		t.Errorf("%d bytes became %d", len(frame), len(g))
	}
	if FaultsPause := NewFaulty(nil, Faults{}, nil, nil, nil).f.StallFor; FaultsPause != 300*time.Millisecond {
		t.Error(FaultsPause)
	}
}
