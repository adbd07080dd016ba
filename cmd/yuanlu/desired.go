package main

import (
	"context"
	"encoding/json"
	"fmt"
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

// isReached is told by the reporter when the broker has taken a state and the
// subscription, isReady by the agent when the store is open.
func (g *governor) isReached() { g.bring(func() { g.reached = true }) }
func (g *governor) isReady()   { g.bring(func() { g.ready = true }) }

// isHeard is told by the reporter when something came from the back office, or when it
// has said that it is there.
func (g *governor) isHeard() { g.bring(func() { g.heard = true }) }

// take takes a desired configuration; the newest one that waits counts, but one that
// is too far ahead keeps no other from being heard.
func (g *governor) take(d topics.DesiredConfig, signedBy string) {
	g.bring(func() {
		waits := g.message
		if waits == nil || waits.Version <= d.Version && !g.state.TooFar(d.Version) || g.state.TooFar(waits.Version) {
			g.message = &signedMessage{d, signedBy}
		}
	})
}

// report is what up/config says; ok false while a trial has not been decided, or
// nothing is known.
func (g *governor) report() (c topics.Config, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now.trial || !g.known {
		return topics.Config{}, false
	}
	c = topics.Config{V: 1, Version: g.now.version, Origin: g.now.origin(), Newest: g.state.Newest, Digest: g.now.digest, Status: topics.ConfigApplied}
	refused := g.passing
	if refused == nil {
		refused = g.state.Answer()
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
	action, problems := desired.Decide(g.state, m.message(), check)
	switch action {
	case desired.Hold:
		return
	case desired.Decline:
		g.decline(m.Version, problems)
		g.decided = time.Now()
	case desired.Refuse:
		g.refuse(m.message(), problems)
		g.decided = time.Now()
	case desired.Try:
		g.try(m)
		g.decided = time.Now()
	default:
		g.ignore(m)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.message == m {
		g.message = nil
	}
}

// ignore says that a version does nothing, once, if that is not plain.
func (g *governor) ignore(m *signedMessage) {
	if now := m.message(); g.state.Met(now) || g.ignored == now {
		g.log.Debug("config.not_newer", "version", m.Version, "newest", g.state.Newest)
		return
	}
	g.ignored, g.decided = m.message(), time.Now()
	g.mu.Lock()
	refused := g.refused
	g.mu.Unlock()
	if refused != nil {
		refused("version", fmt.Errorf("version %d of a configuration does nothing: only one greater than the newest, %d, acts", m.Version, g.state.Newest))
	}
}

// decline says why a version is not used as things are: it may come again and act. The
// same answer is given once.
func (g *governor) decline(version int64, problems []desired.Problem) {
	if g.state.Answered(version, problems) {
		return
	}
	g.keep(g.state.Declined(version, problems))
	g.setPassing(nil)
	g.sayRefused(version, problems)
}

// refuse says what is wrong with a version, and remembers it as spent.
func (g *governor) refuse(m desired.Message, problems []desired.Problem) {
	g.keep(g.state.Refuse(m, problems))
	g.setPassing(nil)
	g.sayRefused(m.Version, problems)
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
		g.refuse(m.message(), problemsOf(err))
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
	next, done := reverted(g.state)
	if done == (revertAnswer{}) {
		return done
	}
	if err := g.write(next); err != nil {
		return revertAnswer{err: err}
	}
	g.end()
	g.resolve(g.now.file, next)
	g.a.Wake()
	return done
}

// reverted is a state after config revert, and what that has changed.
func reverted(s desired.State) (desired.State, revertAnswer) {
	next := s.Reverted(whyTechnician).Recounted()
	return next, revertAnswer{Version: s.Version(), Anew: next.Newest != s.Newest}
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
