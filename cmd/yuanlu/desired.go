package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/protocol/topics"
)

// bring notes something for the daemon's goroutine and wakes it.
func (g *governor) bring(note func()) {
	g.mu.Lock()
	note()
	g.mu.Unlock()
	select {
	case g.poke <- struct{}{}:
	default:
	}
}

// isReached is told by the reporter when the broker has taken a state, isReady by the
// agent when the store is open.
func (g *governor) isReached() { g.bring(func() { g.reached = true }) }
func (g *governor) isReady()   { g.bring(func() { g.ready = true }) }

// isHeard is told by the reporter when the back office has said that it is there.
func (g *governor) isHeard() { g.bring(func() { g.heard = true }) }

// take takes a desired configuration; the newest one that waits counts.
func (g *governor) take(d topics.DesiredConfig, signedBy string) {
	g.bring(func() {
		if g.message == nil || g.message.Version < d.Version {
			g.message = &signedMessage{d, signedBy}
		}
	})
}

// report is what up/config says; ok false while a trial has not been decided.
func (g *governor) report() (c topics.Config, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now.trial {
		return topics.Config{}, false
	}
	c = topics.Config{V: 1, Version: g.now.version, Origin: g.now.origin(), Newest: g.state.Newest, Digest: g.now.digest, Status: topics.ConfigApplied}
	refused := g.passing
	if refused == nil && g.state.Refused != nil && g.state.Refused.Number == g.state.Newest {
		refused = g.state.Refused
	}
	if refused != nil {
		c.Status, c.Desired = topics.ConfigRejected, refused.Number
		for _, one := range refused.Problems {
			c.Errors = append(c.Errors, topics.ConfigError(one))
		}
	}
	return c, true
}

// version is that of up/info.
func (g *governor) version() int64 { return g.current().version }

// decide answers a desired configuration.
func (g *governor) decide(m *signedMessage) {
	check := func(text string) []desired.Problem {
		if !g.now.file.Remote.Config {
			return []desired.Problem{{Path: "remote.config", Message: "this terminal takes no configuration from the back office"}}
		}
		c, err := readDesired(m.Version, text, g.now.file)
		if err != nil {
			return problemsOf(err)
		}
		if errs := c.KeyProblems(g.now.Backoffice.Keys, m.signedBy); len(errs) > 0 {
			return problemsOf(errs)
		}
		return nil
	}
	action, problems := desired.Decide(g.state, desired.Message{Version: m.Version, Expected: m.Expected, Text: m.Config}, check)
	switch action {
	case desired.Hold:
		return
	case desired.Refuse:
		g.refuse(m.Version, problems)
		g.decided = time.Now()
	case desired.Try:
		g.try(m)
		g.decided = time.Now()
	default:
		g.log.Debug("config.not_newer", "version", m.Version, "newest", g.state.Newest)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.message == m {
		g.message = nil
	}
}

// refuse says what is wrong with a version, and remembers it as spent.
func (g *governor) refuse(version int64, problems []desired.Problem) {
	g.keep(g.state.Refuse(version, problems))
	g.setPassing(nil)
	g.sayRefused(version, problems)
}

func (g *governor) sayRefused(version int64, problems []desired.Problem) {
	for _, one := range problems {
		g.log.Error("config.rejected", "version", version, "path", one.Path, "line", one.Line, "col", one.Col, "why", one.Message)
	}
	g.a.Event("config.rejected", "config", slog.Int64("version", version), slog.Int("errors", len(problems)), slog.String("first", problemText(problems)))
	g.a.Wake()
}

func (g *governor) setPassing(r *desired.Refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passing = r
}

// try brings a version into force, written down first. What changes nothing that
// reaches the broker needs no trial: it came over this very connection.
func (g *governor) try(m *signedMessage) {
	within := g.now.Remote.Trial
	if m.TrialS > 0 {
		within = time.Duration(m.TrialS) * time.Second
	}
	next := g.state.Tried(desired.Version{Number: m.Version, Text: m.Config, Came: g.a.Clock().Now()}, within, g.now.file.Sum())
	f, err := choose(g.now.file, next)
	if err != nil { // it was right a moment ago
		g.refuse(m.Version, problemsOf(err))
		return
	}
	changed := g.now.Changed(f.Config)
	if inPlace(changed) {
		next, f.trial = next.Confirmed(), false
	}
	if err := g.write(next); err != nil {
		g.dirty = true // the old state is written again: the new one may have been
		g.after(trialStep)
		problems := []desired.Problem{{Message: "it cannot be kept on this terminal: " + err.Error()}}
		g.setPassing(&desired.Refusal{Number: m.Version, Problems: problems})
		g.sayRefused(m.Version, problems)
		return
	}
	g.mu.Lock()
	g.state, g.now, g.passing = next, f, nil
	g.mu.Unlock()
	g.log.Info("config.accepted", "version", m.Version, "trial", f.trial, "within", within, "changed", strings.Join(changed, " "), "signed_by", m.signedBy)
}

// revert goes back to the terminal's own file.
func (g *governor) revert() revertAnswer {
	version := g.state.Version()
	if version == 0 {
		return revertAnswer{}
	}
	next := g.state.Reverted(whyTechnician)
	if err := g.write(next); err != nil {
		return revertAnswer{err: err}
	}
	g.end()
	g.resolve(g.now.file, next)
	return revertAnswer{Version: version}
}

// whyTechnician is told with config.local after config revert.
const whyTechnician = "config revert on the terminal"

// revertPatience is how long config revert waits for the daemon.
const revertPatience = 10 * time.Second

// verbs are what the control socket answers besides the agent's own.
func (g *governor) verbs() map[string]control.Handler {
	return map[string]control.Handler{
		"config-revert": func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
			answer := make(chan revertAnswer, 1)
			g.bring(func() { g.reverts = append(g.reverts, answer) })
			t := time.NewTimer(revertPatience)
			defer t.Stop()
			select {
			case r := <-answer:
				if r.err != nil {
					return &control.Error{Code: "unavailable", Message: r.err.Error()}
				}
				return send(r)
			case <-ctx.Done():
				return ctx.Err()
			case <-t.C:
				return &control.Error{Code: "unavailable", Message: "the store is not open"}
			}
		},
	}
}
