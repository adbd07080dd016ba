package main

import (
	"log/slog"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/logbook"
	"yuanlu/agent/report/mqtt"
)

func attrInt(key string, n int) slog.Attr { return slog.Int(key, n) }
func attrText(key, text string) slog.Attr { return slog.String(key, text) }

// reporterOf gives what makes the reporter, nil where no broker is configured.
func (p *program) reporterOf(c *config.Config, book *logbook.Book) func(*agent.Agent) (agent.Reporter, error) {
	return nil
}

// certEnds gives what tells when the terminal's certificate ends, nil without one.
func certEnds(c *config.Config) func() (time.Time, bool) {
	if c.MQTT.CertFile == "" {
		return nil
	}
	return func() (time.Time, bool) {
		end, err := mqtt.CertificateExpiry(c.MQTT.CertFile)
		return end, err == nil
	}
}
