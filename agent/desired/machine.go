package desired

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"yuanlu/agent/config"
)

// probationStep is how much of a probation's time is charged at once, in advance: that
// much a power cut costs at most, and that often the state is written.
const probationStep = 15 * time.Second

// decideEvery is the least time between two decisions: many versions in a row must not
// wear out the flash.
const decideEvery = time.Second

// Agent is what a Machine needs of the agent that runs.
type Agent interface {
	// Wake makes the agent publish what has changed.
	Wake()
	// SetDigest notes the digest of the configuration in force.
	SetDigest(digest string)
	// Event queues an event for the back office.
	Event(name, subject string, attrs ...slog.Attr)
	// BrokerFault returns the subscription that the broker refused, or else why the last
	// connection failed; both "" where neither is known.
	BrokerFault() (refused, failed string)
}

// Run is one run of the agent, as a Machine needs it.
type Run struct {
	Agent    Agent
	Log      *slog.Logger
	SetLevel func(level string) // sets the level of the log
}

// Machine decides which configuration is in force, from one run of the agent to the next.
// Begin, Turn, Tick, Reload, Failed, End and Close belong to one goroutine, which asks for
// the time of the next Tick with Next and calls Turn whenever Brought delivers; they take
// the time and start no timer. All other methods are safe for concurrent use.
type Machine struct {
	files   Files
	store   *Store
	brought chan struct{} // of size 1

	// Of the one goroutine.
	run        Run
	needsPeer  bool      // in this run: a probation ends only when something has come from the back office
	loaded     bool      // in this run: the file was read again
	unread     string    // why the file could not be read, as last logged; "" if it could
	unwritten  bool      // state is newer than the file
	now        time.Time // of the call that is under way
	next       time.Time // when Tick is due; zero: never
	decided    time.Time // when a version was last taken, refused or ignored
	lastIgnore Message   // the last one that was published as ignored

	mu      sync.Mutex // guards all below
	state   State
	inForce InForce
	known   bool     // the file was read: until then nothing is decided or published
	failed  *Refusal // a version that could not be written: it is not spent
	inbox
}

// inbox is what other goroutines have brought.
type inbox struct {
	request  *Request                     // the newest that waits
	reverts  []chan<- revertResult        // that wait for an answer
	ready    bool                         // in this run: the store is open
	reached  bool                         // in this run: the broker has taken a state and the subscription
	peer     bool                         // in this run: something came from the back office
	onIgnore func(code string, why error) // publishes that a version does nothing; nil: there is no broker
}

// NewMachine reads the terminal's own file and what came from the back office. Errors:
// those of Files.Read.
func NewMachine(files Files) (*Machine, error) {
	file, err := files.Read(files.Path)
	if err != nil {
		return nil, err
	}
	m := &Machine{files: files, store: NewStore(file.Store.Dir), brought: make(chan struct{}, 1)}
	s, err := m.read(file)
	m.resolve(file, s)
	m.known = err == nil
	return m, nil
}

// read returns what is written. Only a damaged file is given up, and replaced: any other
// error says nothing about what is written, and may pass.
func (m *Machine) read(file *config.Config) (State, error) {
	s, err := Read(file.Store.Dir)
	if errors.Is(err, ErrDamaged) {
		m.unwritten = true
		return State{}.withEvent(Event{Name: "config.state_lost", Why: err.Error()}), nil
	}
	return s, err
}

// resolve decides what is in force with a file and a state, and notes what that does
// to the state.
func (m *Machine) resolve(file *config.Config, s State) {
	next := s.FileChanged(file.Sum())
	f, err := m.files.choose(file, next)
	if err != nil { // it was right when it came: a file beside it or this program has changed
		why := "it is not right any more: " + problemText(problemsOf(err))
		if next.Probation != nil {
			next = next.Returned(why)
		} else {
			next = next.Reverted(why)
		}
		f, err = m.files.choose(file, next)
		if err != nil {
			next = next.Reverted(why)
			f = ownFile(file)
		}
	}
	m.unwritten = m.unwritten || len(next.Unreported) != len(s.Unreported) || next.Version() != s.Version()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state, m.inForce = next, f
}

// Begin starts a run of the agent with what is in force; the time of a probation runs
// from now.
func (m *Machine) Begin(now time.Time, run Run) {
	m.now, m.run, m.loaded, m.needsPeer = now, run, false, false
	m.mu.Lock()
	m.reached, m.peer, m.ready = false, false, false
	f := m.inForce
	m.mu.Unlock()
	run.Log.Info("config.in_force", "origin", f.Origin(), "version", f.Version, "trial", f.Probation, "digest", f.Digest, "file", f.File.File)
	if f.Probation {
		before := m.state
		before.Probation = nil
		was, _ := m.files.choose(f.File, before)
		m.needsPeer = otherBroker(was.Changed(f.Config))
		m.charge()
	}
}

// End stops the clock of a run.
func (m *Machine) End() { m.next = time.Time{} }

// Close gives up the lock on the file.
func (m *Machine) Close() error { return m.store.Close() }

// Next returns when Tick is due; zero: never.
func (m *Machine) Next() time.Time { return m.next }

// Brought delivers when something was brought that Turn is for.
func (m *Machine) Brought() <-chan struct{} { return m.brought }

func (m *Machine) after(d time.Duration) { m.next = m.now.Add(d) }

// keep puts a state into force whether it can be written or not; if not, that is tried
// again.
func (m *Machine) keep(next State) {
	m.unwritten = m.write(next) != nil
	m.mu.Lock()
	m.state = next
	m.mu.Unlock()
	if m.unwritten && m.next.IsZero() {
		m.after(probationStep)
	}
}

// write writes a state, and logs if that fails.
func (m *Machine) write(next State) error {
	err := m.store.Write(next)
	if err != nil && !errors.Is(err, ErrLocked) {
		m.run.Log.Error("config.unwritten", "err", err)
	}
	return err
}

// Tick does what is due at Next. It reports whether another run of the agent is needed.
func (m *Machine) Tick(now time.Time) (another bool) {
	m.now, m.next = now, time.Time{}
	switch p := m.state.Probation; {
	case p == nil || m.reachable():
		return m.turn() // something could not be written, or read
	case p.Left > 0:
		m.charge()
		return false
	default:
		m.giveUp(m.whyNot(p.Within))
		return true
	}
}

// Failed answers an agent that cannot even be made: it reports whether a version was on
// probation, which is given up. Anything else ends the process.
func (m *Machine) Failed(now time.Time, err error, log *slog.Logger) bool {
	if !m.inForce.Probation {
		return false
	}
	m.now, m.run = now, Run{Log: log}
	m.giveUp("the agent does not start with it: " + err.Error())
	return true
}

// Turn works off what was brought. It reports whether another run of the agent is needed.
func (m *Machine) Turn(now time.Time) (another bool) {
	m.now = now
	return m.turn()
}

func (m *Machine) turn() (another bool) {
	m.mu.Lock()
	ready, request, reverts := m.ready, m.request, m.reverts
	if ready {
		m.reverts = nil
	}
	m.mu.Unlock()
	if !ready {
		return false // nothing is written before the store's own place is proved
	}
	before := m.inForce
	if err := m.load(); err != nil {
		for _, answer := range reverts {
			answer <- revertResult{err: err}
		}
		return false
	}
	if m.state.Probation != nil && m.reachable() {
		m.confirm()
	}
	for _, answer := range reverts {
		answer <- m.revert()
	}
	if request != nil && m.inForce.Version == before.Version {
		if wait := decideEvery - m.now.Sub(m.decided); wait > 0 && m.state.Probation == nil {
			m.after(wait)
		} else {
			m.decide(request)
		}
	}
	if m.unwritten {
		m.keep(m.state)
	}
	if m.follow(before) {
		return true // the next run reports: this one may not get round to it
	}
	m.report()
	return false
}

// load reads the file again once the store is open, where nothing is known of it yet: its
// disk may have come later than the daemon. While that fails the file on the disk stays as
// it is, nothing is decided, and it is tried again.
func (m *Machine) load() error {
	if m.loaded {
		return nil
	}
	if m.state.Newest == 0 {
		m.unwritten = false
		s, err := m.read(m.inForce.File)
		if err != nil {
			if m.unread != err.Error() {
				m.unread = err.Error()
				m.run.Log.Error("config.unread", "err", err, "until", "it can be read: nothing is decided about configurations from the back office")
			}
			m.after(probationStep)
			return err
		}
		m.resolve(m.inForce.File, s)
	}
	if m.unread != "" {
		m.unread = ""
		m.run.Log.Info("config.read", "version", m.inForce.Version)
	}
	m.loaded = true
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = true
	return nil
}

// report queues the events that the back office has not got.
func (m *Machine) report() {
	if len(m.state.Unreported) == 0 {
		return
	}
	for _, e := range m.state.Unreported {
		m.run.Log.Warn(e.Name, "version", e.Version, "to", e.To, "why", e.Why)
		m.run.Agent.Event(e.Name, "config", slog.Int64("version", e.Version), slog.Int64("to", e.To), slog.String("why", e.Why))
	}
	m.keep(m.state.Reported())
}

// inPlace reports whether all that changes does so without another run.
func inPlace(changed []string) bool {
	return !slices.ContainsFunc(changed, func(name string) bool { return name != "log.level" && name != "remote.trial" })
}

// follow applies what is in force now as far as this run can. It reports whether another
// one is needed.
func (m *Machine) follow(before InForce) bool {
	changed := before.Changed(m.inForce.Config)
	if !inPlace(changed) {
		return true
	}
	if slices.Contains(changed, "log.level") {
		m.run.SetLevel(m.inForce.Log.Level)
	}
	if before.Version != m.inForce.Version || len(changed) > 0 {
		m.run.Agent.SetDigest(m.inForce.Digest)
	}
	return false
}

// Reload reads the terminal's own file again. A wrong one is logged and changes nothing.
// It reports whether another run of the agent is needed.
func (m *Machine) Reload(now time.Time) (another bool) {
	m.now = now
	file, err := m.files.Read(m.files.Path)
	if err != nil {
		var problems config.Errors
		if !errors.As(err, &problems) {
			problems = config.Errors{{File: m.files.Path, Message: err.Error()}}
		}
		for _, one := range problems {
			m.run.Log.Error("config.rejected", "file", one.File, "line", one.Line, "col", one.Col, "why", one.Message)
		}
		m.run.Agent.Event("config.rejected", "config", slog.Int("errors", len(problems)), slog.String("first", problems[0].String()))
		return false
	}
	before := m.inForce
	m.resolve(file, m.state)
	m.run.Log.Info("config.reloaded", "changed", strings.Join(before.Changed(m.inForce.Config), " "), "digest", m.inForce.Digest,
		"origin", m.inForce.Origin(), "version", m.inForce.Version)
	if before.Probation && !m.inForce.Probation {
		m.End()
	}
	return m.follow(before) || m.turn()
}
