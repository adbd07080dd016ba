package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"yuanlu/agent/capture"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/logbook"
)

// Command does one thing that the back office (dn/cmd) or the technician (the control
// socket) asks for. args is a JSON object; progress may be called while it goes on. The
// result marshals to an object of less than a message. Errors that are the asker's are
// *control.Error.
type Command func(ctx context.Context, args json.RawMessage, progress func(any)) (any, error)

// Commands returns what the agent itself can do, by the names of topics.md.
func (a *Agent) Commands() map[string]Command {
	return map[string]Command{
		"capture-start": a.captureStartCommand, "capture-stop": a.captureStopCommand, "config-get": a.configGet,
		"link-reopen": a.linkReopen, "log-level": a.logLevel, "log-tail": a.logTail, "selftest": a.selftest,
	}
}

// mostData bounds the data of an answer: a message has 32 KiB, and quotes its data.
const mostData = 24 << 10

// arguments reads a command's arguments. Those that came over MQTT have passed their
// schema before.
func arguments(args json.RawMessage, to any) error {
	if len(args) == 0 {
		return nil
	}
	if err := json.Unmarshal(args, to); err != nil {
		return &control.Error{Code: "bad_request", Message: "arguments do not fit"}
	}
	return nil
}

// link returns a link of the configuration, nil if there is none of that name.
func (a *Agent) link(name string) *Link {
	for i := range a.o.Links {
		if a.o.Links[i].Config.Name == name {
			return &a.o.Links[i]
		}
	}
	return nil
}

// noLink says why a link is not in use, and which links there are.
func (a *Agent) noLink(name string) error {
	if l := a.link(name); l != nil {
		why := "is not in use yet"
		if !l.Config.Enabled {
			why = "is not in use: enabled = false"
		}
		return &control.Error{Code: "unavailable", Message: "link " + name + " " + why}
	}
	var names []string
	for _, l := range a.o.Links {
		names = append(names, l.Config.Name)
	}
	return &control.Error{Code: "not_found", About: "link", Message: "no such link, want one of " + strings.Join(names, ", ")}
}

func (a *Agent) linkReopen(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Link string `json:"link"`
	}
	if err := arguments(args, &q); err != nil {
		return nil, err
	}
	state := ""
	for _, l := range a.Links() {
		if l.Name == q.Link {
			state = l.State
		}
	}
	if !a.Reopen(q.Link) {
		return nil, a.noLink(q.Link)
	}
	a.log.Info("link.reopen_asked", "link", q.Link)
	return map[string]string{"link": q.Link, "state": state}, nil
}

func (a *Agent) captureStartCommand(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Link     string `json:"link"`
		MaxBytes int64  `json:"max_bytes"`
		ForS     int64  `json:"for_s"`
	}
	if err := arguments(args, &q); err != nil {
		return nil, err
	}
	return a.startCapture(CaptureArgs{Link: q.Link, MaxBytes: q.MaxBytes, For: time.Duration(q.ForS) * time.Second})
}

func (a *Agent) captureStopCommand(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Link string `json:"link"`
	}
	if err := arguments(args, &q); err != nil {
		return nil, err
	}
	stopped, err := a.stopCaptures(q.Link)
	if err != nil {
		return nil, err
	}
	return map[string][]capture.Info{"captures": stopped}, nil
}

// levelFor is how long a changed log level lasts where nothing is said.
const levelFor = 10 * time.Minute

func (a *Agent) logLevel(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Level string `json:"level"`
		ForS  int64  `json:"for_s"`
	}
	if err := arguments(args, &q); err != nil {
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
	usual, until := a.o.Book.SetLevelFor(level, long)
	// At the highest level, so that a log that was silenced says by whom.
	a.log.Error("log.level_changed", "level", q.Level, "until", until, "configured", logbook.LevelName(usual))
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

func (a *Agent) logTail(_ context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct {
		Lines int    `json:"lines"`
		Level string `json:"level"`
		Link  string `json:"link"`
		Cases bool   `json:"cases"`
	}
	if err := arguments(args, &q); err != nil {
		return nil, err
	}
	want := TailArgs{Lines: q.Lines, Level: slog.LevelInfo, Link: q.Link, Cases: q.Cases}
	if q.Level != "" {
		want.Level, _ = logbook.ParseLevel(q.Level)
	}
	if q.Link != "" && a.link(q.Link) == nil {
		return nil, a.noLink(q.Link)
	}
	if want.Lines <= 0 {
		want.Lines = tailLines
	}
	n := min(want.Lines, tailMost)
	if !want.Cases {
		return fitLines(a.o.Book.Last(n, want.Wants))
	}
	last, err := a.o.Book.Cases(n, want.Wants)
	if err != nil && len(last) == 0 {
		return nil, err
	}
	return fitLines(last)
}

// fitLines keeps the newest lines that an answer holds.
func fitLines(last []logbook.Line) (any, error) {
	room, lines := mostData-64, make([]tailLine, 0, len(last))
	left := 0
	for i := len(last) - 1; i >= 0; i-- {
		l := last[i]
		one := tailLine{l.Time, logbook.LevelName(l.Level), l.Code, clip(l.Fields, tailField), l.Repeat}
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

// clip cuts a text to at most n bytes, at a character, and shows that it did.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
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
func (a *Agent) configGet(context.Context, json.RawMessage, func(any)) (any, error) {
	now := a.inForce()
	return fitSettings(settingsAnswer{Digest: a.Digest(), Version: now.Version, Origin: now.Origin()}, now.Effective())
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
		if len(raw) <= mostData {
			return answer, nil
		}
	}
	return answer, &control.Error{Code: "too_large", Message: "the settings do not fit into one answer; yuanlu support-bundle has them"}
}

// inForce returns the configuration that counts.
func (a *Agent) inForce() desired.InForce {
	if a.o.InForce != nil {
		return a.o.InForce()
	}
	return desired.InForce{Config: a.o.Config, File: a.o.Config}
}
