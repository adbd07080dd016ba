package health

import (
	"context"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/protocol/printable"
)

// Levels of a Checkup. Only Warning and Error change what a doctor ends with.
const (
	Fine    = "ok" // Note, too: worth knowing, or not known; nothing is amiss, and it is not green
	Warning = "warning"
	Error   = "error"
)

// Checkup is one line of a selftest or of the doctor, in one language.
type Checkup struct {
	Name   string `json:"name"` // what was looked at, or the code of a problem
	Level  string `json:"level"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Worst returns the worst level of the lines.
func Worst(lines []Checkup) string {
	worst := Fine
	for _, l := range lines {
		if l.Level == Error || l.Level == Warning && worst == Fine {
			worst = l.Level
		}
	}
	return worst
}

// check is one thing that is looked at: look adds a line for each of its problems, and
// lines about what is no problem.
type check struct {
	step string // in the progress of a selftest, and for Measure
	look func(*Examination)
}

// checks are all of them, in the order of a selftest. The last one has the problems that
// no other has.
func checks() []check {
	return []check{
		{"daemon", lookAtDaemon}, {"config", lookAtConfig}, {"store", lookAtStore}, {"disk", lookAtDisk}, {"links", lookAtLinks}, {"guard", lookAtGuard},
		{"clock", lookAtClock}, {"broker", lookAtBroker}, {"backoffice", lookAtBackoffice}, {StepEcho, lookAtEcho}, {"certificate", lookAtCertificate}, {"settings", lookAtSettings}, {"rest", lookAtRest},
	}
}

// Examination is one look at a terminal. It is used once, by one goroutine.
type Examination struct {
	Config   *config.Config
	Chinese  bool
	Snapshot *Snapshot // nil: no daemon has made one
	Brief    bool      // every text is one line, of at most 500 bytes
	// Measure fills in what the check of a step needs beyond the snapshot; nil: nothing.
	Measure func(ctx context.Context, step string, s *Snapshot, m *Measured)

	m     Measured
	shown map[int]bool // problems of Snapshot that have a line
	lines []Checkup
}

// Measured is what the caller has looked at, for one step after the other. What it did
// not look at stays zero.
type Measured struct {
	Obstacles []Obstacle // daemon, or store where no daemon is asked: in the way of its files
	Unasked   *Unasked   // daemon: why a daemon that runs cannot be asked; nil: it does not run
	Exposed   []Exposed  // config
	OnDisk    string     // config: the digest of what a start would read
	OnDiskErr error      // what is wrong with it
	Store     *OpenStore // store: of the daemon; nil: it is not open
	Folder    *Folder    // store: where no daemon has opened it
	Devices   []Device   // links, where no daemon has opened them
	Guarding  *Guarding  // guard, where there is no snapshot; nil: no link has one
	Synced    bool       // clock, where there is no snapshot
	Contact   *Contact   // broker, of a connection made for the examination; nil: no broker is configured
	// EchoTook is how long the broker took to acknowledge a message of the daemon (step
	// broker), EchoErr why it did not.
	EchoTook time.Duration
	EchoErr  error
	Answer   *Answer // step StepEcho; nil: the back office was not asked
}

// Progress is what became of one step.
type Progress struct {
	Step  int    `json:"step"` // from 1
	Steps int    `json:"steps"`
	What  string `json:"what"`
	Level string `json:"level"`
	Text  string `json:"text,omitempty"` // of the first line of that level
}

// Run goes through the checks of these steps in their order, all of them but StepEcho
// where none is named, and returns their lines; after each step it calls progress, unless that is nil.
// It ends early with ctx.
func (e *Examination) Run(ctx context.Context, progress func(Progress), steps ...string) []Checkup {
	e.shown = map[int]bool{}
	all := slices.DeleteFunc(checks(), func(c check) bool { return c.step == StepEcho && len(steps) == 0 })
	if len(steps) > 0 {
		named := make([]check, 0, len(steps))
		for _, step := range steps {
			named = append(named, all[slices.IndexFunc(all, func(c check) bool { return c.step == step })])
		}
		all = named
	}
	for i, c := range all {
		before := len(e.lines)
		if e.Measure != nil {
			e.Measure(ctx, c.step, e.Snapshot, &e.m)
		}
		c.look(e)
		if progress != nil {
			progress(progressOf(i+1, len(all), c.step, e.lines[before:]))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return e.lines
}

func progressOf(step, steps int, what string, found []Checkup) Progress {
	p := Progress{Step: step, Steps: steps, What: what, Level: Worst(found)}
	if i := slices.IndexFunc(found, func(l Checkup) bool { return l.Level == p.Level || p.Level == Fine && l.Level == Note }); i >= 0 {
		p.Text = found[i].Text
	}
	return p
}

// add adds a line.
func (e *Examination) add(level string, name, text, remedy config.Text) {
	line := Checkup{name.In(e.Chinese), level, text.In(e.Chinese), remedy.In(e.Chinese)}
	if e.Brief {
		line.Name, line.Text, line.Remedy = printable.Clip(line.Name, 60), brief(line.Text), brief(line.Remedy)
	}
	e.lines = append(e.lines, line)
}

// fine adds a line about something that is as it should be.
func (e *Examination) fine(name, text config.Text) { e.add(Fine, name, text, config.Text{}) }

// brief makes one line of a text.
func brief(text string) string { return printable.Clip(strings.Join(strings.Fields(text), " "), 500) }

// problems adds the problems whose codes begin like that and that have no line yet, and
// reports whether there were any.
func (e *Examination) problems(codes ...string) bool {
	any := false
	if e.Snapshot == nil {
		return false
	}
	for i, p := range e.Snapshot.Problems {
		if e.shown[i] || !slices.ContainsFunc(codes, func(code string) bool { return strings.HasPrefix(p.Code, code) }) {
			continue
		}
		level := Warning
		switch {
		case p.Level == Failing:
			level = Error
		case p.Code == "commands_unsigned": // so it is with every set-up at first
			level = Note
		}
		e.shown[i], any = true, true
		e.add(level, same(p.Code), p.Text, p.Remedy)
	}
	return any
}

// clockTime writes a time in the zone of the configuration.
func (e *Examination) clockTime(at time.Time) string {
	return at.In(e.Config.Time.Location()).Format("2006-01-02 15:04:05")
}
