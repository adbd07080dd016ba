package main

import (
	"yuanlu/agent/config"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

// newJudge makes the judge with all rules there are.
func newJudge(s refund.Settings) *refund.Judge { return refund.NewJudge(s, rules.All()) }

// settingsOf takes from the configuration what verdicts depend on.
func settingsOf(c *config.Config) refund.Settings {
	s := refund.Settings{Windows: map[refund.Channel]int{}}
	for channel, days := range c.Window.Map() {
		s.Windows[refund.Channel(channel)] = days
	}
	return s
}

// severityOf reads a severity that the configuration has checked.
func severityOf(name string) refund.Severity {
	for _, s := range []refund.Severity{refund.Info, refund.Low, refund.Medium, refund.High, refund.Critical} {
		if s.String() == name {
			return s
		}
	}
	return refund.Medium
}
