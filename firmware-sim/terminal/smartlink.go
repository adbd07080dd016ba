package terminal

import (
	"context"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/wire"
)

// smartLink is the smart terminal's side of its link.
type smartLink struct{ p *Player }

func newSmartLink(p *Player) *smartLink { return &smartLink{p} }

func (l *smartLink) start()                                               { _ = l.p }
func (l *smartLink) stop()                                                {}
func (l *smartLink) deliver(ctx context.Context, e *scenario.Entry) error { return ctx.Err() }
func (l *smartLink) resend(ctx context.Context) error                     { return ctx.Err() }

func (l *smartLink) frames(ctx context.Context, f []wire.Frame) error { return ctx.Err() }
