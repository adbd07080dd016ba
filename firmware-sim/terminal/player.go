package terminal

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// PlayerOptions are how a terminal is played on a line.
type PlayerOptions struct {
	Terminal *Terminal
	Model    string
	Source   *Source
	Socket   *wire.Socket
	Journal  *Journal // may be nil: nothing survives
	Faults   wire.Faults
	Seed     uint64 // of the faults; they have their own randomness, so they change no entry

	Speed float64       // virtual seconds per second; 0: no waiting
	Every time.Duration // at least this long from frame to frame; 0: no limit
	Count int           // entries to play, 0: no limit
	Until time.Time     // virtual time to end at; zero: no end
	Away  time.Duration // how long an unplugged line or a terminal without power stays away; 200 ms if zero
	Wait  bool          // before the first frame, wait until somebody has the line open
	Hold  bool          // before every frame

	Resend <-chan struct{}                    // each value prints the open batch again
	Found  func(place string)                 // called with each new name of the line
	Sent   func(e *scenario.Entry, s Outcome) // called after an entry was sent; may be nil
}

// Outcome is what became of an entry on the line.
type Outcome struct {
	Whole     int           // how many times its last frame stands whole on the line
	Confirmed bool          // smart: the agent confirmed it
	Unread    bool          // no program had the line open
	Took      time.Duration // the longest that one of its frames took from first byte to last
}

// Player plays one terminal on one line.
type Player struct {
	o      PlayerOptions
	speak  *Speaker
	faulty *wire.Faulty
	rng    *rand.Rand
	virt   time.Time // virtual time of the entry that was sent last
	link   *smartLink
}

// NewPlayer returns a player. The line is plugged in already.
func NewPlayer(o PlayerOptions) (*Player, error) {
	speak, err := NewSpeaker(o.Model, o.Terminal.Wire())
	if err != nil {
		return nil, err
	}
	if o.Away == 0 {
		o.Away = 200 * time.Millisecond
	}
	if o.Found == nil {
		o.Found = func(string) {}
	}
	if o.Sent == nil {
		o.Sent = func(*scenario.Entry, Outcome) {}
	}
	holds := wire.HoldsSTX
	if o.Terminal.Wire() == "smart" {
		holds = wire.HoldsSmart
	}
	p := &Player{o: o, speak: speak, rng: rand.New(rand.NewPCG(o.Seed, 3))}
	p.faulty = wire.NewFaulty(o.Socket.Line(), o.Faults, rand.New(rand.NewPCG(o.Seed, 2)), time.Sleep, holds)
	if o.Terminal.Wire() == "smart" {
		p.link = newSmartLink(p)
	}
	return p, nil
}

// Run plays until the source, the count or the days end, or ctx is done (which is no error).
func (p *Player) Run(ctx context.Context) error {
	p.o.Found(p.o.Socket.Place())
	// A write waits as long as somebody holds the line open and does not read; the end must not.
	defer context.AfterFunc(ctx, func() { _ = p.o.Socket.Close() })()
	if p.link != nil {
		p.o.Terminal.asksBy(ctx, p.link)
		p.link.start()
		defer p.link.stop()
	}
	if err := p.start(ctx); err != nil {
		return endOf(ctx, err)
	}
	err := endOf(ctx, p.play(ctx))
	if ctx.Err() == nil {
		p.o.Socket.Drain(5 * time.Second)
	}
	return err
}

func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// start waits for a reader, and prints the open batch again if the journal is that of an earlier run.
func (p *Player) start(ctx context.Context) error {
	var had []scenario.Entry
	if p.o.Journal != nil {
		had = p.o.Journal.Had()
	}
	if err := p.o.Source.Resume(had); err != nil {
		return err
	}
	p.virt = p.o.Terminal.Now()
	if p.o.Wait {
		if err := p.reader(ctx); err != nil {
			return err
		}
	}
	if len(had) > 0 {
		return p.resend(ctx)
	}
	return nil
}

func (p *Player) play(ctx context.Context) error {
	played := 0
	for {
		if p.o.Count > 0 && played >= p.o.Count || !p.o.Until.IsZero() && !p.o.Terminal.Now().Before(p.o.Until) {
			return p.flush()
		}
		entries, err := p.o.Source.Next()
		if err != nil {
			return errors.Join(p.flush(), err)
		}
		for i := range entries {
			if err := p.one(ctx, &entries[i]); err != nil {
				return err
			}
			played++
		}
	}
}

// one journals an entry and sends it.
func (p *Player) one(ctx context.Context, e *scenario.Entry) error {
	if p.o.Journal != nil && !printedAgain(e) {
		if err := p.o.Journal.Add(e); err != nil {
			return err
		}
	}
	if err := p.pace(ctx, e.Record.At); err != nil {
		return err
	}
	return p.utter(ctx, e)
}

// printedAgain reports whether an entry is an earlier one printed once more, which is nothing that happened.
func printedAgain(e *scenario.Entry) bool {
	return e.Record.Copy == "reprint" || e.Record.Copy == "upload"
}

// utter sends an entry on the line, whatever happens to the line meanwhile.
func (p *Player) utter(ctx context.Context, e *scenario.Entry) error {
	if p.link != nil {
		return p.link.deliver(ctx, e)
	}
	frames, err := p.speak.Frames(e)
	if err != nil {
		return err
	}
	var out Outcome
	for _, f := range frames {
		if p.o.Hold {
			if err := p.reader(ctx); err != nil {
				return err
			}
		}
		out.Unread = !p.listened()
		sent, again, err := p.frame(ctx, f)
		if err != nil || again {
			return err
		}
		out.Whole, out.Took = sent.Whole, max(out.Took, sent.Took)
		if err := p.rest(ctx, p.o.Every); err != nil {
			return err
		}
	}
	p.o.Sent(e, out)
	return nil
}

// frame puts one frame on the line; again is true if the power went and the open batch was printed again instead.
func (p *Player) frame(ctx context.Context, f wire.Frame) (sent wire.Sent, again bool, err error) {
	switch p.faulty.Moment() {
	case wire.MomentBaud:
		_, err := p.o.Socket.Line().Write(wire.Garble(f.Bytes))
		return wire.Sent{Damaged: true}, false, err
	case wire.MomentUnplug:
		return wire.Sent{Damaged: true}, false, p.unplug(ctx, f)
	case wire.MomentPower:
		if err := p.unplug(ctx, f); err != nil {
			return wire.Sent{}, true, err
		}
		return wire.Sent{}, true, p.resend(ctx)
	}
	sent, err = p.faulty.Send(f.Bytes)
	return sent, false, err
}

// unplug takes the line away in the middle of a frame and brings it back. What was sent before has arrived by then: a
// kernel throws away what was not read when a line hangs up, and no terminal could distinguish that from a loss.
func (p *Player) unplug(ctx context.Context, f wire.Frame) error {
	if err := p.faulty.Flush(); err != nil {
		return err
	}
	p.o.Socket.Drain(2 * time.Second)
	if err := p.faulty.Part(f.Bytes); err != nil {
		return err
	}
	if err := p.o.Socket.Replug(p.o.Away); err != nil {
		return err
	}
	p.faulty.Rewire(p.o.Socket.Line())
	p.o.Found(p.o.Socket.Place())
	if p.o.Wait {
		return p.reader(ctx)
	}
	return nil
}

// resend prints the open batch again, or for the smart terminal what was not confirmed.
func (p *Player) resend(ctx context.Context) error {
	if p.link != nil {
		return p.link.resend(ctx)
	}
	entries, err := p.o.Terminal.Do(scenario.Step{Do: "reprint"})
	if err != nil {
		return err
	}
	for i := range entries {
		if err := p.utter(ctx, &entries[i]); err != nil {
			return err
		}
	}
	return p.faulty.Flush()
}

// pace waits as long as the virtual time that has passed asks for, and prints again when asked.
func (p *Player) pace(ctx context.Context, at time.Time) error {
	var gap time.Duration
	if p.o.Speed > 0 && !at.IsZero() {
		gap = time.Duration(float64(at.Sub(p.virt)) / p.o.Speed)
		p.virt = at
	}
	return p.rest(ctx, max(gap, 0))
}

// rest waits, printing the open batch again when asked to.
func (p *Player) rest(ctx context.Context, d time.Duration) error {
	var timer <-chan time.Time
	if d > 0 {
		if err := p.flush(); err != nil {
			return err
		}
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.o.Resend:
			if err := p.resend(ctx); err != nil {
				return err
			}
			continue
		default:
		}
		if timer == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer:
			return nil
		case <-p.o.Resend:
			if err := p.resend(ctx); err != nil {
				return err
			}
		}
	}
}

// flush writes what waits to be merged with a next frame.
func (p *Player) flush() error {
	if p.link != nil {
		p.link.writing.Lock()
		defer p.link.writing.Unlock()
	}
	return p.faulty.Flush()
}

// listened reports whether a program has the line open, as far as that can be known.
func (p *Player) listened() bool { return p.o.Socket.Open() }

// reader waits until somebody has the line open.
func (p *Player) reader(ctx context.Context) error {
	for !p.listened() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
