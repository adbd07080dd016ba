package main

import (
	"context"
	"slices"
	"strings"
	"time"
)

// otherBroker reports whether a change may lead to another broker than the one that
// the back office is at. One where nobody listens, or from which nothing can come
// down, must not end a trial.
func otherBroker(changed []string) bool {
	return slices.ContainsFunc(changed, func(name string) bool {
		return strings.HasPrefix(name, "mqtt.") && name != "mqtt.keep_alive" && name != "mqtt.connect_timeout"
	})
}

// arrived reports whether a trial has come where the back office reaches the terminal.
func (g *governor) arrived(reached, heard bool) bool { return reached && (heard || !g.wantWord) }

// whyNot says what a trial that is over has waited for.
func (g *governor) whyNot(reached bool, within time.Duration) string {
	if reached {
		why := "the broker was reached, but nothing came from the back office there within " + within.String() +
			": the desired configuration has to be retained at that broker too"
		if host := g.now.Backoffice.Host; host != "" {
			why += ", or " + host + " be online there"
		}
		return why
	}
	why := "the broker was not reached within " + within.String()
	s := g.a.Glance(context.Background())
	if s.MQTT == nil {
		return why
	}
	for _, one := range s.MQTT.Problems {
		if one.Code == "subscription_refused" {
			return "nothing can come from the back office: " + one.Text
		}
	}
	if s.MQTT.LastError != "" {
		why += "; " + s.MQTT.LastError
	}
	return why
}

// lookAgain reads what is written once the store is open, where nothing is known of
// it yet: its disk may have come later than the daemon. While that fails the file on
// the disk stays as it is, nothing is decided, and it is tried again.
func (g *governor) lookAgain() error {
	if g.looked {
		return nil
	}
	if g.state.Newest == 0 {
		g.dirty = false
		s, err := g.read(g.now.file)
		if err != nil {
			if g.unread != err.Error() {
				g.unread = err.Error()
				g.log.Error("config.unread", "err", err, "until", "it can be read: nothing is decided about configurations from the back office")
			}
			g.after(trialStep)
			return err
		}
		g.resolve(g.now.file, s)
	}
	if g.unread != "" {
		g.unread = ""
		g.log.Info("config.read", "version", g.now.version)
	}
	g.looked = true
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = true
	return nil
}
