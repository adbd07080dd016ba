package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/protocol/topics"
)

// configFiles returns what reads the configuration whose own file is at path.
func (p *program) configFiles(path string) desired.Files {
	return desired.Files{Path: path, Read: p.readConfig, Options: configOptions(), Profile: func(wire, path string) error {
		_, err := readProfile(wire, path)
		return err
	}}
}

// configInForce returns the configuration that counts, and a note for people.
func (p *program) configInForce(path string) (f desired.InForce, note string, err error) {
	f, text, err := p.configFiles(path).InForce()
	return f, p.lang.Text(text), err
}

// runningAgent is an agent as desired.Machine sees it.
type runningAgent struct{ *agent.Agent }

// BrokerFault implements desired.Agent.
func (a runningAgent) BrokerFault() (refused, failed string) {
	return a.Glance(context.Background()).MQTT.Fault()
}

// remoteConfig is the configuration in force as the reporter sees it.
type remoteConfig struct{ *desired.Machine }

// Report implements report.Configuration.
func (m remoteConfig) Report() (topics.Config, bool) {
	r, ok := m.Machine.Report()
	c := topics.Config{V: 1, Version: r.Version, Origin: r.Origin, Newest: r.Newest, Digest: r.Digest, Status: topics.ConfigApplied}
	if r.Refused != nil {
		c.Status, c.Desired = topics.ConfigRejected, r.Refused.Number
		for _, one := range r.Refused.Problems {
			c.Errors = append(c.Errors, topics.ConfigError(one))
		}
	}
	return c, ok
}

// Version implements report.Configuration.
func (m remoteConfig) Version() int64 { return m.InForce().Version }

// Take implements report.Configuration.
func (m remoteConfig) Take(d topics.DesiredConfig, signedBy string) {
	m.Machine.Take(desired.Request{Message: desired.Message{Version: d.Version, Expected: d.Expected, Text: d.Config},
		Within: max(0, time.Duration(d.TrialS)*time.Second), SignedBy: signedBy})
}

// revertVerb answers config revert on the control socket.
func revertVerb(m *desired.Machine) map[string]control.Handler {
	return map[string]control.Handler{
		"config-revert": func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
			done, err := m.Revert(ctx)
			switch {
			case err == nil:
				return send(done)
			case errors.Is(err, ctx.Err()):
				return err
			}
			return &control.Error{Code: "unavailable", Message: err.Error()}
		},
	}
}

// askClock returns what reports whether the clock is right; nil: the kernel is asked.
func askClock(c *config.Config) func() (bool, time.Duration) {
	if c.Time.Trust != config.TrustAlways {
		return nil
	}
	return func() (bool, time.Duration) { return true, 0 }
}
