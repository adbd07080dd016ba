package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"yuanlu/agent"
	"yuanlu/agent/bundle"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/logbook"
	"yuanlu/agent/machine"
	"yuanlu/agent/report"
)

// commandsOf returns what the back office may ask of the daemon, beyond what the
// reporter answers itself.
func (p *program) commandsOf(m *desired.Machine, book *logbook.Book, a *agent.Agent) map[string]agent.Command {
	all := a.Commands()
	all["support-bundle"] = p.bundleCommand(m, book, a)
	all["restart"] = p.restartCommand(m.OnDisk, book, a)
	return all
}

// commandNames lists them for up/info.
func commandNames(all map[string]agent.Command) []string { return slices.Sorted(maps.Keys(all)) }

// onCommand does a command that has passed all checks.
func onCommand(all map[string]agent.Command) func(context.Context, report.Command) (any, error) {
	return func(ctx context.Context, cmd report.Command) (any, error) {
		do, ok := all[cmd.Name]
		if !ok {
			return nil, report.ErrUnknownCommand
		}
		data, err := do(ctx, cmd.Args, cmd.Progress)
		return data, commandError(err)
	}
}

// commandError says an error as the back office shall read it.
func commandError(err error) error {
	var refused *control.Error
	switch {
	case errors.As(err, &refused) && refused.About != "":
		return &report.CommandError{Code: "args", Message: "args." + refused.About + ": " + refused.Message, Rejected: true}
	case errors.As(err, &refused) && refused.Code == "bad_request":
		return &report.CommandError{Code: "args", Message: refused.Message, Rejected: true}
	case errors.As(err, &refused):
		return &report.CommandError{Code: refused.Code, Message: refused.Message}
	case errors.Is(err, context.Canceled):
		return &report.CommandError{Code: "stopped", Message: "the agent is stopping"}
	}
	return err
}

// bundleCommand makes a support bundle that stays on the terminal.
func (p *program) bundleCommand(m *desired.Machine, book *logbook.Book, a *agent.Agent) agent.Command {
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
