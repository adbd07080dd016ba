package terminal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"yuanlu/firmware-sim/wire"
)

// RecordsOptions are how records of a file are sent on a line.
type RecordsOptions struct {
	Wire   string
	Socket *wire.Socket
	Faults wire.Faults
	Seed   uint64
	Every  time.Duration // at least this long from frame to frame
	Wait   bool          // wait until somebody has the line open
	Found  func(place string)
}

// SendRecords encodes all records first, so that one the wire cannot carry (a *wire.CannotCarry, with the number of
// the record) sends nothing, and then sends them in their order.
func SendRecords(ctx context.Context, recs []wire.Record, o RecordsOptions) error {
	enc, err := wire.NewEncoder(o.Wire)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	var frames []wire.Frame
	for i := range recs {
		f, err := enc.Encode(&recs[i])
		if err != nil {
			return fmt.Errorf("record %d: %w", i+1, err)
		}
		frames = append(frames, f...)
	}
	p := &Player{o: PlayerOptions{Socket: o.Socket, Wait: o.Wait, Every: o.Every, Away: 200 * time.Millisecond,
		Found: o.Found}, rng: rand.New(rand.NewPCG(o.Seed, 3))}
	holds := wire.HoldsSTX
	if o.Wire == "smart" {
		holds = wire.HoldsSmart
	}
	p.faulty = wire.NewFaulty(o.Socket.Line(), o.Faults, rand.New(rand.NewPCG(o.Seed, 2)), time.Sleep, holds)
	o.Found(o.Socket.Place())
	defer context.AfterFunc(ctx, func() { _ = o.Socket.Close() })()
	if o.Wait {
		if err := p.reader(ctx); err != nil {
			return endOf(ctx, err)
		}
	}
	if o.Wire == "smart" {
		p.link = newSmartLink(p)
		p.link.start()
		defer p.link.stop()
		return endOf(ctx, p.link.frames(ctx, frames))
	}
	for _, f := range frames {
		if err := p.raw(ctx, f); err != nil {
			return endOf(ctx, err)
		}
	}
	err = endOf(ctx, p.faulty.Flush())
	if ctx.Err() == nil {
		o.Socket.Drain(5 * time.Second)
	}
	return err
}

// raw puts a frame on the line with the line's moments; a power cut has no journal to print from.
func (p *Player) raw(ctx context.Context, f wire.Frame) error {
	switch p.faulty.Moment() {
	case wire.MomentBaud:
		_, err := p.o.Socket.Line().Write(wire.Garble(f.Bytes))
		return err
	case wire.MomentUnplug, wire.MomentPower:
		return p.unplug(ctx, f)
	}
	if _, err := p.faulty.Send(f.Bytes); err != nil {
		return err
	}
	return p.rest(ctx, p.o.Every)
}
