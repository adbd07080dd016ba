package desired

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Request is a desired configuration as the back office asks for it.
type Request struct {
	Message
	Within   time.Duration // of its probation; 0: as the configuration in force states
	SignedBy string        // id of the key; "": it is not signed
}

// bring notes something for the one goroutine and wakes it.
func (m *Machine) bring(note func(*inbox)) {
	m.mu.Lock()
	note(&m.inbox)
	m.mu.Unlock()
	select {
	case m.brought <- struct{}{}:
	default:
	}
}

// StoreReady is called when the store of this run is open.
func (m *Machine) StoreReady() { m.bring(func(in *inbox) { in.ready = true }) }

// BrokerReached is called when the broker has taken a state and the subscription.
func (m *Machine) BrokerReached() { m.bring(func(in *inbox) { in.reached = true }) }

// BackOfficeReached is called when something came from the back office, or when it has
// announced that it is online.
func (m *Machine) BackOfficeReached() { m.bring(func(in *inbox) { in.peer = true }) }

// OnIgnored sets what publishes that a version does nothing.
func (m *Machine) OnIgnored(publish func(code string, why error)) {
	m.bring(func(in *inbox) { in.onIgnore = publish })
}

// Take takes a desired configuration. The newest one that waits counts, but one that is
// too far ahead keeps no other from being decided.
func (m *Machine) Take(r Request) {
	m.bring(func(in *inbox) {
		waits := in.request
		if waits == nil || waits.Version <= r.Version && !m.state.TooFar(r.Version) || m.state.TooFar(waits.Version) {
			in.request = &r
		}
	})
}

// InForce returns what is in force.
func (m *Machine) InForce() InForce {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inForce
}

// OnDisk returns the digest of the configuration that a start would use. Errors: those of
// Files.InForce.
func (m *Machine) OnDisk() (digest string, err error) {
	f, _, err := m.files.InForce()
	return f.Digest, err
}

// Report is what the back office may know of the configuration.
type Report struct {
	Version int64 // in force; 0: the terminal's own file
	Origin  string
	Newest  int64 // greatest version decided on
	Digest  string
	Refused *Refusal // a version that is not used; nil: none
}

// Report returns what up/config publishes; ok false while a probation is under way or
// nothing is known.
func (m *Machine) Report() (r Report, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inForce.Probation || !m.known {
		return Report{}, false
	}
	r = Report{Version: m.inForce.Version, Origin: m.inForce.Origin(), Newest: m.state.Newest, Digest: m.inForce.Digest, Refused: m.failed}
	if r.Refused == nil {
		r.Refused = m.state.Answer()
	}
	return r, true
}

// decide answers a desired configuration.
func (m *Machine) decide(r *Request) {
	check := func(text string) []Problem {
		if !m.inForce.File.Remote.Config {
			return []Problem{{Path: "remote.config", Message: "this terminal takes no configuration from the back office"}}
		}
		c, err := m.files.check(r.Version, text, m.inForce.File)
		if err != nil {
			return problemsOf(err)
		}
		if errs := c.KeyProblems(m.inForce.Backoffice.Keys, r.SignedBy); len(errs) > 0 {
			return problemsOf(errs)
		}
		return nil
	}
	switch action, problems := Decide(m.state, r.Message, check); action {
	case Wait:
		return
	case Decline:
		m.decline(r.Version, problems)
		m.decided = m.now
	case Refuse:
		m.refuse(r.Message, problems)
		m.decided = m.now
	case Try:
		m.try(r)
		m.decided = m.now
	default:
		m.ignore(r.Message)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.request == r {
		m.request = nil
	}
}

// ignore publishes that a version does nothing, once, if that is not plain.
func (m *Machine) ignore(msg Message) {
	if m.state.Met(msg) || m.lastIgnore == msg {
		m.run.Log.Debug("config.not_newer", "version", msg.Version, "newest", m.state.Newest)
		return
	}
	m.lastIgnore, m.decided = msg, m.now
	m.mu.Lock()
	publish := m.onIgnore
	m.mu.Unlock()
	if publish != nil {
		publish("version", fmt.Errorf("version %d of a configuration does nothing: only one greater than the newest, %d, acts", msg.Version, m.state.Newest))
	}
}

// decline publishes why a version is not used as things are: it may come again and act.
// The same answer is published once.
func (m *Machine) decline(version int64, problems []Problem) {
	if m.state.Answered(version, problems) {
		return
	}
	m.keep(m.state.Declined(version, problems))
	m.publishRefused(nil, version, problems)
}

// refuse publishes what is wrong with a version, and keeps it as spent.
func (m *Machine) refuse(msg Message, problems []Problem) {
	m.keep(m.state.Refuse(msg, problems))
	m.publishRefused(nil, msg.Version, problems)
}

// publishRefused logs and publishes why a version is not used; failed is not nil where
// that is because it could not be written.
func (m *Machine) publishRefused(failed *Refusal, version int64, problems []Problem) {
	m.mu.Lock()
	m.failed = failed
	m.mu.Unlock()
	for _, one := range problems {
		m.run.Log.Error("config.rejected", "version", version, "path", one.Path, "line", one.Line, "col", one.Col, "why", one.Message)
	}
	m.run.Agent.Event("config.rejected", "config", slog.Int64("version", version), slog.Int("errors", len(problems)), slog.String("first", problemText(problems)))
	m.run.Agent.Wake()
}

// try brings a version into force, written first. What changes nothing that reaches the
// broker needs no probation: it came over this very connection.
func (m *Machine) try(r *Request) {
	within := m.inForce.Remote.Trial
	if r.Within > 0 {
		within = r.Within
	}
	next := m.state.Tried(Version{Number: r.Version, Text: r.Text, Came: m.now}, within, m.inForce.File.Sum())
	f, err := m.files.choose(m.inForce.File, next)
	if err != nil { // it was right a moment ago
		m.refuse(r.Message, problemsOf(err))
		return
	}
	changed := m.inForce.Changed(f.Config)
	if inPlace(changed) {
		next, f.Probation = next.Confirmed(), false
	}
	if err := m.write(next); err != nil {
		m.unwritten = true // the old state is written again: the new one may have been
		m.after(probationStep)
		problems := []Problem{{Message: "it cannot be kept on this terminal: " + err.Error()}}
		m.publishRefused(&Refusal{Number: r.Version, Problems: problems}, r.Version, problems)
		return
	}
	m.mu.Lock()
	m.state, m.inForce, m.failed = next, f, nil
	m.mu.Unlock()
	m.run.Log.Info("config.accepted", "version", r.Version, "trial", f.Probation, "within", within, "changed", strings.Join(changed, " "), "signed_by", r.SignedBy)
}
