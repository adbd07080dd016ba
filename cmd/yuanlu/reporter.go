package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/command"
	"yuanlu/agent/config"
	"yuanlu/agent/logbook"
	"yuanlu/agent/machine"
	"yuanlu/agent/report"
	"yuanlu/protocol/evidence"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

// reporterOf returns what makes the reporter, nil where no broker is configured.
func (s *service) reporterOf(c *config.Config, book *logbook.Book) func(*agent.Agent) (agent.Reporter, error) {
	if len(c.MQTT.URLs) == 0 {
		return nil
	}
	return func(a *agent.Agent) (agent.Reporter, error) {
		names, err := topics.NewNames(c.MQTT.Root, c.Terminal.ID)
		if err != nil {
			return nil, err
		}
		keys, err := backofficeKeys(c)
		if err != nil {
			return nil, err
		}
		source := "kernel"
		if c.Time.Trust == config.TrustAlways {
			source = "configuration"
		}
		r, err := report.New(report.Options{
			Terminal: a, Dial: dialer(c, a.Clock()), Names: names, Info: infoOf(c, a.Began()),
			AckMode: report.AckMode(c.Delivery.Ack), AckTimeout: c.Delivery.AckTimeout, HostID: c.Backoffice.Host, Keys: keys, Cosigner: cosignerOf(c),
			Commands: s.commandsOf(c, book, a), Memory: command.Taken{Agent: a}, Config: remoteConfig{s.config},
			HealthEvery: c.Health.Interval, Clock: a.Clock(), ClockFrom: source, Log: book.Logger(), Book: book,
		})
		if err != nil {
			return nil, err
		}
		s.config.OnIgnored(func(code string, why error) { r.Refused(names.DesiredConfig(), code, why) })
		return r, nil
	}
}

// cosignerOf returns the only co-signer that is believed, nil: any is.
func cosignerOf(c *config.Config) *evidence.Key {
	k, err := evidence.ParseKey(c.Evidence.Cosigner, evidence.KeyCosign)
	if err != nil {
		return nil // none is configured: what is there was checked
	}
	return &k
}

func backofficeKeys(c *config.Config) ([]topics.Key, error) {
	var keys []topics.Key
	for _, k := range c.Backoffice.Keys {
		raw, err := base64.StdEncoding.DecodeString(k.PublicKey)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: key %s of the back office", config.ErrConfig, k.ID)
		}
		keys = append(keys, topics.Key{ID: k.ID, Public: raw})
	}
	return keys, nil
}

// dialer returns what makes one connection. Password and certificates are read again
// each time, so renewing them needs no restart.
func dialer(c *config.Config, clock *agent.Clock) func(context.Context, string, []byte) (report.Broker, error) {
	return dialTo(c, clock, mqtt.NewRoute(c.MQTT.URLs))
}

// dialTo is dialer over a way that is known: every call takes its next address.
func dialTo(c *config.Config, clock *agent.Clock, route *mqtt.Route) func(context.Context, string, []byte) (report.Broker, error) {
	return func(ctx context.Context, willTopic string, will []byte) (report.Broker, error) {
		o := mqttOptions(c, clock)
		o.WillTopic, o.WillPayload = willTopic, will
		if c.MQTT.PasswordFile != "" {
			var err error
			if o.Password, err = mqtt.ReadPassword(c.MQTT.PasswordFile); err != nil {
				return nil, err // it has its place
			}
		}
		conn, err := route.Dial(ctx, o)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}

func mqttOptions(c *config.Config, clock *agent.Clock) mqtt.Options {
	m := c.MQTT
	return mqtt.Options{
		ClientID: m.ClientID, Username: m.Username, CAFile: m.CAFile, CertFile: m.CertFile, KeyFile: m.KeyFile,
		ServerName: m.ServerName, AllowPlaintext: m.AllowPlaintext, KeepAlive: m.KeepAlive, ConnectTimeout: m.ConnectTimeout,
		Now: clock.CertTime, ClockSynced: clock.Synced,
	}
}

// certEnds returns what reads when the terminal's certificate ends, nil without one.
func certEnds(c *config.Config) func() (time.Time, bool) {
	if c.MQTT.CertFile == "" {
		return nil
	}
	return func() (time.Time, bool) {
		end, err := mqtt.CertificateExpiry(c.MQTT.CertFile)
		return end, err == nil
	}
}

// infoOf returns what up/info publishes that does not change while an agent runs.
func infoOf(c *config.Config, started time.Time) topics.Info {
	b := buildInfo()
	info := topics.Info{Program: "yuanlu", Version: b.Version, Commit: b.Commit, Go: b.Go, OS: b.OS, Arch: b.Arch,
		Platform: machine.Platform(), Merchant: c.Terminal.MerchantID, Started: topics.At(started)}
	for _, l := range c.Links {
		info.Links = append(info.Links, topics.InfoLink{Name: l.Name, Wire: l.Wire, Port: l.Port})
	}
	return info
}
