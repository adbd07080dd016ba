package command

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"yuanlu/agent/bundle"
	"yuanlu/agent/control"
	"yuanlu/agent/machine"
)

// Bundle returns the command support-bundle, which makes a bundle that stays on the
// terminal; program is its name and version.
func (s *Set) Bundle(source bundle.Source, program string) Func {
	one := make(chan struct{}, 1)
	return func(ctx context.Context, args json.RawMessage, progress func(any)) (any, error) {
		var q struct {
			Captures bool `json:"captures"`
		}
		if err := Arguments(args, &q); err != nil {
			return nil, err
		}
		select {
		case one <- struct{}{}:
			defer func() { <-one }()
		default:
			return nil, &control.Error{Code: "busy", Message: "a bundle is being made"}
		}
		f := s.o.InForce()
		dir := bundle.Dir(f.Store.Dir)
		if err := errors.Join(bundle.Prune(dir), os.MkdirAll(dir, 0o700)); err != nil {
			return nil, &control.Error{Code: "unavailable", Message: err.Error()}
		}
		now := s.o.Now()
		r, err := bundle.Make(ctx, bundle.Order{Source: source, InForce: f, Captures: q.Captures, File: bundle.File(dir, f.Terminal.ID, now), Program: program, Now: now,
			Low: func() bool { return machine.DiskLow(f.Store.Dir) },
			Progress: func(step, steps int, what string) {
				progress(map[string]any{"step": step, "steps": steps, "what": what})
			}})
		if errors.Is(err, bundle.ErrLow) {
			return nil, &control.Error{Code: "disk_low", Message: bundle.ErrLow.Error()}
		}
		if err != nil && ctx.Err() == nil {
			return nil, &control.Error{Code: "unavailable", Message: err.Error()}
		}
		return r, err
	}
}
