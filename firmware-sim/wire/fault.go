package wire

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Faults are how bad a line is. Rates are probabilities from 0 to 1: per frame for Split, Merge, Repeat and Stall,
// per bit for Flip, per byte for Drop. Moments count frames from 1.
type Faults struct {
	Split, Merge, Repeat, Stall float64
	Flip, Drop                  float64
	StallFor                    time.Duration // a silence in the middle of a frame; 300 ms if zero
	UnplugRate, PowerRate       float64
	BaudRate                    float64
	Unplug, Power, Baud         []uint64 // before these frames
}

// Moment is what happens to the line or the terminal before a frame.
type Moment int

// Moments, from nothing to the worst.
const (
	MomentNone   Moment = iota
	MomentBaud          // the next frame is sent at another speed than the line has
	MomentUnplug        // the plug is pulled in the middle of the frame and comes back under another name
	MomentPower         // the terminal loses power in the middle of the frame; its journal survives
)

// ParseFaults reads fault settings, each "name=rate" (split=0.3, flip=1e-5, stall=0.01) or "name@frame" (unplug@200,
// power@50, baud@9), several with commas between. stall takes a length: stall=0.01:250ms.
func ParseFaults(list []string) (Faults, error) {
	var f Faults
	for _, arg := range list {
		for _, one := range strings.Split(arg, ",") {
			if one = strings.TrimSpace(one); one == "" {
				continue
			}
			if err := f.set(one); err != nil {
				return Faults{}, err
			}
		}
	}
	return f, nil
}

func (f *Faults) set(one string) error {
	if name, moment, ok := strings.Cut(one, "@"); ok {
		n, err := strconv.ParseUint(moment, 10, 63)
		list := map[string]*[]uint64{"unplug": &f.Unplug, "power": &f.Power, "baud": &f.Baud}[name]
		if err != nil || n == 0 || list == nil {
			return fmt.Errorf("fault %q: unplug, power and baud take a frame number from 1, unplug@200 for example", one)
		}
		*list = append(*list, n)
		return nil
	}
	name, value, ok := strings.Cut(one, "=")
	rate, long, timed := strings.Cut(value, ":")
	where := map[string]*float64{"split": &f.Split, "merge": &f.Merge, "repeat": &f.Repeat, "stall": &f.Stall,
		"flip": &f.Flip, "drop": &f.Drop, "unplug": &f.UnplugRate, "power": &f.PowerRate, "baud": &f.BaudRate}[name]
	p, err := strconv.ParseFloat(rate, 64)
	if !ok || where == nil || err != nil || !(p >= 0 && p <= 1) {
		return fmt.Errorf("fault %q: split, merge, flip, drop, repeat, stall, unplug, baud or power with a rate from 0 to 1", one)
	}
	*where = p
	if timed {
		d, err := time.ParseDuration(long)
		if name != "stall" || err != nil || d < 0 {
			return fmt.Errorf("fault %q: only stall takes a length, stall=0.01:250ms for example", one)
		}
		f.StallFor = d
	}
	return nil
}

// Sent is what became of one frame on the line.
type Sent struct {
	Whole   int           // how many times the frame stands on the line undamaged
	Damaged bool          // it stands there damaged at least once
	Waits   bool          // it waits to be written together with the next one
	Took    time.Duration // from its first byte to its last: a reader gives up what is silent for too long
}

// Faulty writes frames to a line as a bad line would carry them. It is seeded: the same seed, faults and frames make
// the same bytes. Not safe for concurrent use.
type Faulty struct {
	w     io.Writer
	f     Faults
	rng   *rand.Rand
	pause func(time.Duration)
	holds func([]byte) bool
	kept  []byte
	count uint64
}

// NewFaulty returns a writer with faults. rng belongs to it alone. pause waits between the pieces of a frame; nil
// means that pieces follow each other at once. holds recognises a whole frame (HoldsSTX, HoldsSmart): damage which
// leaves one is drawn again, since no reader could distinguish it from a frame; nil never does.
func NewFaulty(w io.Writer, f Faults, rng *rand.Rand, pause func(time.Duration), holds func([]byte) bool) *Faulty {
	if pause == nil {
		pause = func(time.Duration) {}
	}
	if f.StallFor == 0 {
		f.StallFor = 300 * time.Millisecond
	}
	return &Faulty{w: w, f: f, rng: rng, pause: pause, holds: holds}
}

// Rewire goes on writing to another line: the plug came back. What was kept is lost with the old line.
func (y *Faulty) Rewire(w io.Writer) { y.w, y.kept = w, nil }

// Moment returns what happens before the next frame, and counts that frame.
func (y *Faulty) Moment() Moment {
	y.count++
	at := MomentNone
	draw := func(rate float64, list []uint64, m Moment) {
		hit := rate > 0 && y.rng.Float64() < rate
		for _, n := range list {
			hit = hit || n == y.count
		}
		if hit {
			at = m
		}
	}
	draw(y.f.BaudRate, y.f.Baud, MomentBaud)
	draw(y.f.UnplugRate, y.f.Unplug, MomentUnplug)
	draw(y.f.PowerRate, y.f.Power, MomentPower)
	return at
}

// Send sends one frame and returns what became of it.
func (y *Faulty) Send(frame []byte) (Sent, error) {
	var s Sent
	times := 1
	if y.hit(y.f.Repeat) {
		times = 2
	}
	var out []byte
	for range times {
		damaged := y.damage(frame)
		if string(damaged) == string(frame) {
			s.Whole++
		} else {
			s.Damaged = true
		}
		out = append(out, damaged...)
	}
	if y.hit(y.f.Merge) {
		y.kept = append(y.kept, out...)
		s.Waits = true
		return s, nil
	}
	out = append(y.kept, out...)
	y.kept = nil
	begin := time.Now()
	err := y.pieces(out)
	s.Took = time.Since(begin)
	return s, err
}

// Flush writes what was kept to be merged with a next frame that does not come.
func (y *Faulty) Flush() error {
	out := y.kept
	y.kept = nil
	return y.put(out)
}

// Part writes the first bytes of a frame and no more: the line goes away in its middle.
func (y *Faulty) Part(frame []byte) error {
	err := y.Flush()
	if err != nil {
		return err
	}
	return y.put(frame[:y.rng.IntN(len(frame))])
}

func (y *Faulty) hit(rate float64) bool { return rate > 0 && y.rng.Float64() < rate }

// damage returns the frame as it stands on the line after bits were turned and bytes lost.
func (y *Faulty) damage(frame []byte) []byte {
	for range 100 {
		out := make([]byte, 0, len(frame))
		for _, b := range frame {
			if y.hit(y.f.Drop) {
				continue
			}
			if y.f.Flip > 0 {
				for bit := range 8 {
					if y.rng.Float64() < y.f.Flip {
						b ^= 1 << bit
					}
				}
			}
			out = append(out, b)
		}
		if string(out) == string(frame) || y.holds == nil || !y.holds(out) {
			return out
		}
	}
	return append([]byte(nil), frame...)
}

// pieces writes out in one go, in a few pieces, or with a silence in it.
func (y *Faulty) pieces(out []byte) error {
	if y.hit(y.f.Split) {
		for len(out) > 1 {
			n := 1 + y.rng.IntN(len(out))
			if err := y.put(out[:n]); err != nil {
				return err
			}
			out = out[n:]
			y.pause(time.Duration(1+y.rng.IntN(5)) * time.Millisecond)
		}
	}
	if len(out) > 1 && y.hit(y.f.Stall) {
		n := 1 + y.rng.IntN(len(out)-1)
		if err := y.put(out[:n]); err != nil {
			return err
		}
		y.pause(y.f.StallFor)
		out = out[n:]
	}
	return y.put(out)
}

func (y *Faulty) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := y.w.Write(b)
	return err
}

// Garble returns the bytes a reader takes from a frame that is sent at another speed than it listens at: the bits of
// each sent byte, start and stop included, seen twice as long and cut into bytes again.
func Garble(frame []byte) []byte {
	var bits []byte
	for _, b := range frame {
		bits = append(bits, 0, 0)
		for i := range 8 {
			v := b >> i & 1
			bits = append(bits, v, v)
		}
		bits = append(bits, 1, 1)
	}
	var out []byte
	for i := 0; i+10 <= len(bits); {
		if bits[i] != 0 {
			i++
			continue
		}
		var b byte
		for k := range 8 {
			b |= bits[i+1+k] << k
		}
		out = append(out, b)
		i += 10
	}
	return out
}
