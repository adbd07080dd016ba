package main

import (
	"context"
	"encoding/json"
	"errors"

	"yuanlu/agent"
	"yuanlu/agent/bundle"
	"yuanlu/agent/command"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/logbook"
	"yuanlu/agent/machine"
)

// commandsOf returns what the back office may order of the daemon, beyond what the
// reporter answers itself.
func (p *program) commandsOf(m *desired.Machine, book *logbook.Book, a *agent.Agent) command.Funcs {
	all := a.Commands().Funcs()
	all["support-bundle"] = p.bundleCommand(m, book, a)
	all["restart"] = p.restart.Command(a.Began(), m.OnDisk, func() {
		book.Logger().Warn("agent.restart", "by", "command")
		p.notifier(book.Logger())("RELOADING=1")
	})
	return all
}

// bundleCommand makes a support bundle that stays on the terminal.
func (p *program) bundleCommand(m *desired.Machine, book *logbook.Book, a *agent.Agent) command.Func {
	one := make(chan struct{}, 1)
	return func(ctx context.Context, args json.RawMessage, progress func(any)) (any, error) {
		var q struct {
			Captures bool `json:"captures"`
		}
		if err := json.Unmarshal(args, &q); err != nil {
			return nil, &control.Error{Code: "bad_request", Message: "arguments do not fit"}
		}
		c := m.InForce().Config
		select {
		case one <- struct{}{}:
			defer func() { <-one }()
		default:
			return nil, &control.Error{Code: "busy", Message: "a bundle is being made"}
		}
		order := bundleOrder{f: m.InForce(), captures: q.Captures, file: bundleFile(bundleDir(c.Store.Dir), c, p.now()), source: bundleSource{
			status: func(ctx context.Context) (any, error) { return a.Snapshot(ctx), nil },
			doctor: func(ctx context.Context) []health.Checkup { return a.Examine(ctx, false, nil) },
			log:    func(context.Context) ([]logbook.Line, error) { return book.Last(bundleLines, nil), nil },
		}}
		order.low = func() bool { return machine.DiskLow(c.Store.Dir) }
		order.progress = func(step, steps int, what string) {
			progress(map[string]any{"step": step, "steps": steps, "what": what})
		}
		if err := pruneBundles(bundleDir(c.Store.Dir)); err != nil {
			return nil, &control.Error{Code: "unavailable", Message: err.Error()}
		}
		r, err := p.makeBundle(ctx, order)
		if errors.Is(err, bundle.ErrLow) {
			return nil, &control.Error{Code: "disk_low", Message: bundle.ErrLow.Error()}
		}
		if err != nil && ctx.Err() == nil {
			return nil, &control.Error{Code: "unavailable", Message: err.Error()}
		}
		return r, err
	}
}
