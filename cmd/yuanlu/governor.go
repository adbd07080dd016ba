package main

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/desired"
	"yuanlu/agent/logbook"
	"yuanlu/protocol/topics"
)

// trialStep is how much of a trial's time is charged at once, in advance: that much a
// power cut costs at most, and that often the state is written.
const trialStep = 15 * time.Second

// decideEvery is the least time between two decisions: whoever floods the topic must
// not wear out the flash.
const decideEvery = time.Second

// governor decides which configuration is in force, life after life. The daemon's
// goroutine owns it; what the agent's goroutines ask and bring goes through mu.
type governor struct {
	p     *program
	path  string
	store *desired.Store
	poke  chan struct{} // of size 1: something was brought

	// Of the daemon's goroutine alone.
	a        *agent.Agent // of this life
	log      *slog.Logger // likewise
	setLevel func(slog.Level)
	wantWord bool            // likewise: to end the trial the back office must be heard too
	looked   bool            // likewise: what is written was read again
	unread   string          // why what is written could not be read, as last said; "": it was
	dirty    bool            // the state is newer than what is written
	decided  time.Time       // when a version was last taken, refused or ignored
	ignored  desired.Message // that was last said to be ignored
	step     *time.Timer     // the charged part of a trial, or the next try to write; nil: neither

	mu      sync.Mutex // guards all below
	state   desired.State
	known   bool // what is written was read: until then nothing is decided or told
	now     inForce
	passing *desired.Refusal             // of a version that could not be written down: it is not spent
	message *signedMessage               // the newest that waits
	reached bool                         // in this life: the broker has taken a state and the subscription
	heard   bool                         // in this life: something came from the back office
	ready   bool                         // in this life: the store is open
	refused func(code string, why error) // in this life: tells the back office that a configuration does nothing; nil: there is no broker
	reverts []chan<- revertAnswer
}

// signedMessage is a desired configuration with the key that signed it.
type signedMessage struct {
	topics.DesiredConfig
	signedBy string
}

func (m *signedMessage) message() desired.Message {
	return desired.Message{Version: m.Version, Expected: m.Expected, Text: m.Config}
}

// revertAnswer tells what config revert has done.
type revertAnswer struct {
	Version int64 `json:"version"`                // that does not count any more; 0: none did
	Anew    bool  `json:"counted_anew,omitempty"` // the next version may be a small one again
	err     error
}

// newGovernor reads the terminal's own file and what came from the back office.
func (p *program) newGovernor(path string) (*governor, error) {
	file, err := p.readConfig(path)
	if err != nil {
		return nil, err
	}
	g := &governor{p: p, path: path, store: desired.NewStore(file.Store.Dir), poke: make(chan struct{}, 1)}
	s, err := g.read(file)
	g.resolve(file, s)
	g.known = err == nil
	return g, nil
}

// read returns what is written. Only a damaged one is given up, and replaced: any other
// error says nothing about what is written, and may pass.
func (g *governor) read(file *config.Config) (desired.State, error) {
	s, err := desired.Read(file.Store.Dir)
	if errors.Is(err, desired.ErrDamaged) {
		g.dirty = true
		return desired.State{Untold: []desired.Event{{Name: "config.state_lost", Why: err.Error()}}}, nil
	}
	return s, err
}

// resolve decides what is in force with a file and a state, and notes what that does
// to the state.
func (g *governor) resolve(file *config.Config, s desired.State) {
	next := s.FileChanged(file.Sum())
	f, err := choose(file, next)
	if err != nil { // it was right when it came: a file beside it or this program has changed
		why := "it is not right any more: " + problemText(problemsOf(err))
		if next.Trial != nil {
			next = next.Returned(why)
		} else {
			next = next.Reverted(why)
		}
		f, err = choose(file, next)
		if err != nil {
			next = next.Reverted(why)
			f = ownFile(file)
		}
	}
	g.dirty = g.dirty || len(next.Untold) != len(s.Untold) || next.Version() != s.Version()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state, g.now = next, f
}

// current returns what is in force.
func (g *governor) current() inForce {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

// begin starts a life with what is in force; a trial's time runs from here.
func (g *governor) begin(a *agent.Agent, book *logbook.Book) {
	g.use(a, book)
	g.mu.Lock()
	g.reached, g.heard, g.ready = false, false, false
	f := g.now
	g.mu.Unlock()
	g.looked = false
	g.log.Info("config.in_force", "origin", f.origin(), "version", f.version, "trial", f.trial, "digest", f.digest, "file", f.file.File)
	g.wantWord = false
	if f.trial {
		before := g.state
		before.Trial = nil
		was, _ := choose(f.file, before)
		g.wantWord = otherBroker(was.Changed(f.Config))
		g.charge()
	}
}

func (g *governor) use(a *agent.Agent, book *logbook.Book) {
	g.a, g.log, g.setLevel = a, book.Logger(), book.SetLevel
}

// end stops the clock of a life.
func (g *governor) end() {
	if g.step != nil {
		g.step.Stop()
		g.step = nil
	}
}

// close gives up what the writing took.
func (g *governor) close() error {
	g.end()
	return g.store.Close()
}

// clock returns what tells that it is time for tick; nil: it never is.
func (g *governor) clock() <-chan time.Time {
	if g.step == nil {
		return nil
	}
	return g.step.C
}

func (g *governor) after(d time.Duration) {
	g.end()
	g.step = time.NewTimer(d)
}

// charge takes the next step of a trial's time, and has it written down before it
// is used.
func (g *governor) charge() {
	next, step := g.state.Charged(trialStep)
	g.keep(next)
	g.after(step)
}

// keep puts a state into force whether it can be written down or not; if not, that
// is tried again.
func (g *governor) keep(next desired.State) {
	err := g.write(next)
	g.dirty = err != nil
	g.mu.Lock()
	g.state = next
	g.mu.Unlock()
	if g.dirty && g.step == nil {
		g.after(trialStep)
	}
}

// write writes a state down, and says if that fails.
func (g *governor) write(next desired.State) error {
	err := g.store.Write(next)
	if err != nil && !errors.Is(err, desired.ErrLocked) {
		g.log.Error("config.unwritten", "err", err)
	}
	return err
}

// tick is the end of a step. It reports whether another life is needed.
func (g *governor) tick() bool {
	g.step = nil
	g.mu.Lock()
	reached, heard := g.reached, g.heard
	g.mu.Unlock()
	switch trial := g.state.Trial; {
	case trial == nil || g.arrived(reached, heard):
		return g.turn() // something could not be written down, or read
	case trial.Left > 0:
		g.charge()
		return false
	default:
		return g.giveUp(g.whyNot(reached, trial.Within))
	}
}

// giveUp returns from a trial: to the version before, or to the terminal's own file.
func (g *governor) giveUp(why string) bool {
	number := g.state.Trial.Number
	g.keep(g.state.Returned(why))
	g.resolve(g.now.file, g.state)
	g.log.Error("config.reverted", "version", number, "to", g.now.version, "why", why)
	return true
}

// unfit answers an agent that cannot even be made: what is on trial returns, anything
// else ends the process.
func (g *governor) unfit(err error, book *logbook.Book) (again bool, _ error) {
	if !g.now.trial {
		return false, err
	}
	g.use(nil, book)
	return g.giveUp("the agent does not start with it: " + err.Error()), nil
}

// turn works off what was brought. It reports whether another life is needed.
func (g *governor) turn() (another bool) {
	g.mu.Lock()
	arrived, ready, message, reverts := g.arrived(g.reached, g.heard), g.ready, g.message, g.reverts
	if ready {
		g.reverts = nil
	}
	g.mu.Unlock()
	if !ready {
		return false // nothing is written before the store's own place is proved
	}
	before := g.now
	if err := g.lookAgain(); err != nil {
		for _, answer := range reverts {
			answer <- revertAnswer{err: err}
		}
		return false
	}
	if arrived && g.state.Trial != nil {
		g.confirm()
	}
	for _, answer := range reverts {
		answer <- g.revert()
	}
	if message != nil && g.now.version == before.version {
		if wait := decideEvery - time.Since(g.decided); wait > 0 && g.state.Trial == nil {
			g.after(wait)
		} else {
			g.decide(message)
		}
	}
	if g.dirty {
		g.keep(g.state)
	}
	if g.follow(before) {
		return true // the next life tells: this one may not get round to it
	}
	g.tell()
	return false
}

// confirm ends a trial: the terminal can be reached. What cannot be written down now is
// tried again; until then the trial goes on.
func (g *governor) confirm() {
	next := g.state.Confirmed()
	if g.write(next) != nil {
		g.after(trialStep)
		return
	}
	g.end()
	g.mu.Lock()
	g.state, g.now.trial = next, false
	g.mu.Unlock()
	g.log.Info("config.applied", "version", next.Version(), "digest", g.now.digest)
	g.a.Wake()
}

// tell queues what the back office has not been told.
func (g *governor) tell() {
	if len(g.state.Untold) == 0 {
		return
	}
	for _, e := range g.state.Untold {
		g.log.Warn(e.Name, "version", e.Version, "to", e.To, "why", e.Why)
		g.a.Event(e.Name, "config", slog.Int64("version", e.Version), slog.Int64("to", e.To), slog.String("why", e.Why))
	}
	g.keep(g.state.Told())
}

// inPlace lists what changes without another life.
func inPlace(changed []string) bool {
	return !slices.ContainsFunc(changed, func(name string) bool { return name != "log.level" && name != "remote.trial" })
}

// follow applies what is in force now as far as this life can. It reports whether
// another life is needed.
func (g *governor) follow(before inForce) bool {
	changed := before.Changed(g.now.Config)
	if !inPlace(changed) {
		return true
	}
	if slices.Contains(changed, "log.level") {
		level, _ := logbook.ParseLevel(g.now.Log.Level)
		g.setLevel(level)
	}
	if before.version != g.now.version || len(changed) > 0 {
		g.a.SetDigest(g.now.digest)
	}
	return false
}

// reload reads the terminal's own file again. A wrong one is said and changes
// nothing. It reports whether another life is needed.
func (g *governor) reload() bool {
	file, err := g.p.readConfig(g.path)
	if err != nil {
		var problems config.Errors
		if !errors.As(err, &problems) {
			problems = config.Errors{{File: g.path, Message: err.Error()}}
		}
		for _, one := range problems {
			g.log.Error("config.rejected", "file", one.File, "line", one.Line, "col", one.Col, "why", one.Message)
		}
		g.a.Event("config.rejected", "config", slog.Int("errors", len(problems)), slog.String("first", problems[0].String()))
		return false
	}
	before := g.now
	g.resolve(file, g.state)
	g.log.Info("config.reloaded", "changed", strings.Join(before.Changed(g.now.Config), " "), "digest", g.now.digest,
		"origin", g.now.origin(), "version", g.now.version)
	if before.trial && !g.now.trial {
		g.end()
	}
	if g.follow(before) {
		return true
	}
	return g.turn()
}
