package probe

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"yuanlu/firmware-sim/terminal"
)

// The usual speeds come first with eight bits and no parity; where bytes came but no
// frame, parity is tried before the next speed; at the end it begins again.
func TestPlanOfProbing(t *testing.T) {
	p := newPlan(true)
	var got []string
	var last *Traffic
	for range 13 {
		now := Traffic{Setting: p.take(last)}
		got = append(got, now.Setting.Framing())
		switch now.Baud {
		case 9600:
			now.Bytes = 100 // no frame
		case 115200:
			now.Bytes, now.Frames = 100, 2 // frames, but no message yet
		}
		last = &now
	}
	want := []string{"8N1", "8E1", "8O1", "8N1", "8N1", "8N1", "8N1", "8N1", "8N1", "8N1", "8N1", "8E1", "8O1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := newPlan(false).take(nil); got != (Setting{}) || got.Framing() != "" {
		t.Errorf("USB has a line: %+v", got)
	}
}

// framesOn returns every frame of some days on a wire.
func framesOn(t *testing.T, model, wireName string) [][]byte {
	t.Helper()
	term, err := terminal.New(terminal.Options{Model: model, Wire: wireName, Seed: 91, Wrong: 0.3})
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := terminal.NewSpeaker(model, wireName)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for range 300 {
		es, err := term.Next()
		if err != nil {
			t.Fatal(err)
		}
		for i := range es {
			frames, err := speaker.Frames(&es[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames {
				all = append(all, f.Bytes)
			}
		}
	}
	return all
}

// withParity is what a receiver of eight data bits without parity makes of a line of
// seven with parity: the parity bit is the eighth.
func withParity(frame []byte, odd int) []byte {
	out := make([]byte, len(frame))
	for i, b := range frame {
		b &= 0x7f
		ones := odd
		for c := b; c != 0; c &= c - 1 {
			ones++
		}
		out[i] = b | byte(ones&1)<<7
	}
	return out
}

// No message of any wire can be sent in seven bits, so a line of seven bits is found
// by its parity and answered with advice, and is never a setting that fits.
func TestNoWireFitsInSevenBits(t *testing.T) {
	for wireName, model := range map[string]string{"mispos": "e-sign", "cup8583": "traditional", "smart": "smart"} {
		frames := framesOn(t, model, wireName)
		eight, err := newListener()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			seven := true
			for _, b := range f {
				seven = seven && b < 0x80
			}
			if seven {
				t.Fatalf("%s: a frame of %d bytes has no eighth bit", wireName, len(f))
			}
			if eight.take(f, time.Now()); eight.sevenBits() != "" {
				t.Fatalf("%s: taken for %s parity", wireName, eight.sevenBits())
			}
		}
		for odd, want := range []string{"even", "odd"} {
			e, err := newListener()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames {
				if wire := e.take(withParity(f, odd), time.Now()); wire != "" {
					t.Fatalf("%s in seven bits was understood as %s", wireName, wire)
				}
			}
			if got := e.sevenBits(); got != want {
				t.Errorf("%s with %s parity: %q", wireName, want, got)
			}
		}
	}
}

// A talker is a port that sends the same over and over, or nothing.
type talker struct {
	sends []byte
	end   time.Time
}

func (k *talker) Read(p []byte) (int, error) {
	if len(k.sends) == 0 {
		<-time.After(time.Until(k.end))
		return 0, os.ErrDeadlineExceeded
	}
	<-time.After(10 * time.Millisecond)
	return copy(p, k.sends), nil
}
func (k *talker) Write([]byte) (int, error)         { return 0, errors.New("a probe sends nothing") }
func (k *talker) SetReadDeadline(t time.Time) error { k.end = t; return nil }
func (k *talker) Close() error                      { return nil }

// However a port behaves, a turn has an end.
func TestAProbesTurnEnds(t *testing.T) {
	for name, c := range map[string]struct {
		sends  []byte
		longer time.Duration
	}{
		"silence":         {nil, turnTime},
		"endless garbage": {[]byte("ABC"), turnTime},
		"endless frames":  {[]byte{2, 0, 1, 'x', 3, 0 ^ 1 ^ 'x' ^ 3}, stayTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, err := newListener()
				if err != nil {
					t.Fatal(err)
				}
				begin, now := time.Now(), Traffic{}
				if err := listen(t.Context(), &talker{sends: c.sends}, e, &Result{}, &now); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took < c.longer || took > c.longer+time.Second {
					t.Errorf("took %v, want %v", took, c.longer)
				}
				if (now.Frames > 0) != (name == "endless frames") {
					t.Errorf("%d frames", now.Frames)
				}
			})
		})
	}
}
