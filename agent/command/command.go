package command

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/capture"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/guard"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/report"
	"yuanlu/agent/sanitise"
	"yuanlu/protocol/printable"
)

// Func does one command. args is a JSON object; progress may be called while it goes on.
// The result marshals to an object of less than a message. Errors that are the sender's
// are *control.Error.
type Func func(ctx context.Context, args json.RawMessage, progress func(any)) (any, error)

// Funcs are commands by their names in topics.md.
type Funcs map[string]Func

// Names lists them, sorted.
func (f Funcs) Names() []string { return slices.Sorted(maps.Keys(f)) }

// Do does a command that the reporter has checked. Errors: report.ErrUnknownCommand,
// *report.CommandError.
func (f Funcs) Do(ctx context.Context, c report.Command) (any, error) {
	do, ok := f[c.Name]
	if !ok {
		return nil, report.ErrUnknownCommand
	}
	data, err := do(ctx, c.Args, c.Progress)
	return data, reported(err)
}

// reported turns an error into what the back office reads.
func reported(err error) error {
	var refused *control.Error
	switch {
	case errors.As(err, &refused) && refused.About != "":
		return &report.CommandError{Code: "args", Message: "args." + refused.About + ": " + refused.Message, Rejected: true}
	case errors.As(err, &refused) && refused.Code == "bad_request":
		return &report.CommandError{Code: "args", Message: refused.Message, Rejected: true}
	case errors.As(err, &refused):
		return &report.CommandError{Code: refused.Code, Message: refused.Message}
	case errors.Is(err, context.Canceled):
		return &report.CommandError{Code: "stopped", Message: "the agent is stopping"}
	}
	return err
}

// Agent is what commands act on.
type Agent interface {
	// Link returns a link that is in use, nil for any other name.
	Link(name string) Link
	// Store returns the store, nil while it is not open.
	Store() *ledger.DB
	// Digest returns the digest of the configuration in force.
	Digest() string
	// Wake makes the reporter look at the outbox.
	Wake()
}

// Link is a link in use; *ingest.Worker is one.
type Link interface {
	Health() ingest.LinkHealth
	Reopen()
	SetTap(t ingest.Tap)
	Sanitiser() *sanitise.Sanitiser
}

// Options are what a Set works with; all but Office are needed.
type Options struct {
	Agent    Agent
	Config   *config.Config         // of this run of the agent
	InForce  func() desired.InForce // the configuration that counts now
	Book     *logbook.Book
	Now      func() time.Time
	Selftest Func
	// Office returns what the back office may order of the guard, nil while there is none; nil:
	// there is never one.
	Office func() guard.Office
}

// Set is the commands of one agent. It is safe for concurrent use.
type Set struct {
	o        Options
	log      *slog.Logger
	captures captures
}

// New returns the commands of an agent.
func New(o Options) *Set { return &Set{o: o, log: o.Book.Logger()} }

// Funcs returns the commands that act on the agent alone.
func (s *Set) Funcs() Funcs {
	return Funcs{
		"capture-start": s.captureStartCommand, "capture-stop": s.captureStopCommand, "config-get": s.configGet,
		"day-resend": s.dayResend, "evidence": s.evidence, "hold-cancel": s.holdCancel, "hold-release": s.holdRelease, "link-reopen": s.linkReopen, "log-level": s.logLevel, "log-tail": s.logTail, "selftest": s.o.Selftest,
	}
}

// MostData bounds the data of an answer: a message has 32 KiB, and quotes its data.
const MostData = 24 << 10

// Arguments reads a command's arguments. Those that came over MQTT have passed their
// schema before.
func Arguments(args json.RawMessage, to any) error {
	if len(args) == 0 {
		return nil
	}
	if err := json.Unmarshal(args, to); err != nil {
		return &control.Error{Code: "bad_request", Message: "arguments do not fit"}
	}
	return nil
}

// noLink returns why a link is not in use, or which links there are.
func (s *Set) noLink(name string) error {
	var names []string
	for _, l := range s.o.Config.Links {
		switch {
		case l.Name == name && !l.Enabled:
			return &control.Error{Code: "unavailable", Message: "link " + name + " is not in use: enabled = false"}
		case l.Name == name:
			return &control.Error{Code: "unavailable", Message: "link " + name + " is not in use yet"}
		}
		names = append(names, l.Name)
	}
	return &control.Error{Code: "not_found", About: "link", Message: "no such link, want one of " + strings.Join(names, ", ")}
}

// isLink reports whether the configuration has a link of this name.
func (s *Set) isLink(name string) bool {
	return slices.ContainsFunc(s.o.Config.Links, func(l config.Link) bool { return l.Name == name })
}

func (s *Set) linkReopen(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Link string `json:"link"`
	}
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	link := s.o.Agent.Link(q.Link)
	if link == nil {
		return nil, s.noLink(q.Link)
	}
	state := link.Health().State
	link.Reopen()
	s.log.Info("link.reopen_asked", "link", q.Link)
	return map[string]string{"link": q.Link, "state": state}, nil
}

func (s *Set) captureStartCommand(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Link     string `json:"link"`
		MaxBytes int64  `json:"max_bytes"`
		ForS     int64  `json:"for_s"`
	}
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	return s.startCapture(CaptureArgs{Link: q.Link, MaxBytes: q.MaxBytes, For: time.Duration(q.ForS) * time.Second})
}

func (s *Set) captureStopCommand(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Link string `json:"link"`
	}
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	stopped, err := s.stopCaptures(q.Link)
	if err != nil {
		return nil, err
	}
	return map[string][]capture.Info{"captures": stopped}, nil
}

// levelFor is how long a changed log level lasts where for_s is not stated.
const levelFor = 10 * time.Minute

func (s *Set) logLevel(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Level string `json:"level"`
		ForS  int64  `json:"for_s"`
	}
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	level, known := logbook.ParseLevel(q.Level)
	if !known || q.ForS < 0 || q.ForS > 4*3600 {
		return nil, &control.Error{Code: "bad_request", Message: "want level debug, info, warn or error, for at most 14400 seconds"}
	}
	long := time.Duration(q.ForS) * time.Second
	if long == 0 {
		long = levelFor
	}
	// Before it is done, so that a log that is silenced shows by which command.
	s.log.Warn("log.level_changed", "level", q.Level, "for", long)
	usual, until := s.o.Book.SetLevelFor(level, long)
	return struct {
		Level      string    `json:"level"`
		Configured string    `json:"configured"`
		Until      time.Time `json:"until,omitzero"`
	}{q.Level, logbook.LevelName(usual), until}, nil
}

// tailLine is a log line in an answer.
type tailLine struct {
	Time   time.Time `json:"time"`
	Level  string    `json:"level"`
	Code   string    `json:"code"`
	Fields string    `json:"fields"`
	Repeat int       `json:"repeat,omitempty"`
}

const (
	tailLines = 100     // unless stated
	tailMost  = 500     // lines
	tailField = 4 << 10 // bytes of one line's fields
)

func (s *Set) logTail(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Lines int    `json:"lines"`
		Level string `json:"level"`
		Link  string `json:"link"`
		Cases bool   `json:"cases"`
	}
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	want := logbook.Query{Lines: q.Lines, Level: slog.LevelInfo, Link: q.Link, Cases: q.Cases}
	if q.Level != "" {
		want.Level, _ = logbook.ParseLevel(q.Level)
	}
	if q.Link != "" && !s.isLink(q.Link) {
		return nil, s.noLink(q.Link)
	}
	if want.Lines <= 0 {
		want.Lines = tailLines
	}
	n := min(want.Lines, tailMost)
	if !want.Cases {
		return fitLines(s.o.Book.Last(n, want.Wants))
	}
	last, err := s.o.Book.Cases(n, want.Wants)
	if err != nil && len(last) == 0 {
		return nil, err
	}
	return fitLines(last)
}

// fitLines keeps the newest lines that an answer holds.
func fitLines(last []logbook.Line) (any, error) {
	room, lines := MostData-64, make([]tailLine, 0, len(last))
	left := 0
	for i := len(last) - 1; i >= 0; i-- {
		l := last[i]
		one := tailLine{l.Time, logbook.LevelName(l.Level), l.Code, printable.Clip(l.Fields, tailField), l.Repeat}
		raw, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		if room -= len(raw) + 1; room < 0 {
			left = i + 1
			break
		}
		lines = append(lines, one)
	}
	for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	return struct {
		Lines   []tailLine `json:"lines"`
		LeftOut int        `json:"left_out"`
	}{lines, left}, nil
}

// setting is one setting in an answer.
type setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default bool   `json:"default"`
}

// settingsAnswer is what config-get returns.
type settingsAnswer struct {
	Digest  string    `json:"digest"`
	Version int64     `json:"version"`
	Origin  string    `json:"origin"`
	All     []setting `json:"settings"`
	LeftOut bool      `json:"defaults_left_out"`
}

// configGet returns the settings in force. None of them holds a secret: passwords and
// private keys are named by their file (config.Entry).
func (s *Set) configGet(context.Context, json.RawMessage, func(any)) (any, error) {
	now := s.o.InForce()
	return fitSettings(settingsAnswer{Digest: s.o.Agent.Digest(), Version: now.Version, Origin: now.Origin()}, now.Effective())
}

// fitSettings puts the settings into an answer, without the defaults where they do not
// fit.
func fitSettings(answer settingsAnswer, all []config.Entry) (settingsAnswer, error) {
	for _, withDefaults := range []bool{true, false} {
		answer.All, answer.LeftOut = []setting{}, !withDefaults
		for _, e := range all {
			if withDefaults || !e.Default {
				answer.All = append(answer.All, setting{e.Name, e.Value, e.Default})
			}
		}
		raw, err := json.Marshal(answer)
		if err != nil {
			return answer, err
		}
		if len(raw) <= MostData {
			return answer, nil
		}
	}
	return answer, &control.Error{Code: "too_large", Message: "the settings do not fit into one answer; yuanlu support-bundle has them"}
}
