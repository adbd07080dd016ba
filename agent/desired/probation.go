package desired

import (
	"slices"
	"strings"
	"time"
)

// otherBroker reports whether a change may lead to another broker than the one that
// the back office is at. One without a back office, or from which nothing can come
// down, must not end a probation.
func otherBroker(changed []string) bool {
	return slices.ContainsFunc(changed, func(name string) bool {
		return strings.HasPrefix(name, "mqtt.") && name != "mqtt.keep_alive" && name != "mqtt.connect_timeout"
	})
}

// reachable reports whether the back office reaches the terminal in this run.
func (m *Machine) reachable() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reached && (m.peer || !m.needsPeer)
}

// charge takes the next step of a probation's time, and has it written before it is used.
func (m *Machine) charge() {
	next, step := m.state.Charged(probationStep)
	m.keep(next)
	m.after(step)
}

// confirm ends a probation: the terminal can be reached. What cannot be written now is
// tried again; until then the probation goes on.
func (m *Machine) confirm() {
	next := m.state.Confirmed()
	if m.write(next) != nil {
		m.after(probationStep)
		return
	}
	m.End()
	m.mu.Lock()
	m.state, m.inForce.Probation = next, false
	m.mu.Unlock()
	m.run.Log.Info("config.applied", "version", next.Version(), "digest", m.inForce.Digest)
	m.run.Agent.Wake()
}

// giveUp returns from a probation: to the version before, or to the terminal's own file.
func (m *Machine) giveUp(why string) {
	number := m.state.Probation.Number
	m.keep(m.state.Returned(why))
	m.resolve(m.inForce.File, m.state)
	m.run.Log.Error("config.reverted", "version", number, "to", m.inForce.Version, "why", why)
}

// whyNot returns what a probation that is over has waited for.
func (m *Machine) whyNot(within time.Duration) string {
	m.mu.Lock()
	reached := m.reached
	m.mu.Unlock()
	if reached {
		why := "the broker was reached, but nothing came from the back office there within " + within.String() +
			": the desired configuration has to be retained at that broker too"
		if host := m.inForce.Backoffice.Host; host != "" {
			why += ", or " + host + " be online there"
		}
		return why
	}
	refused, failed := m.run.Agent.BrokerFault()
	if refused != "" {
		return "nothing can come from the back office: " + refused
	}
	why := "the broker was not reached within " + within.String()
	if failed != "" {
		why += "; " + failed
	}
	return why
}
