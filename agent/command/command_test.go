package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/guard"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/report"
	"yuanlu/agent/sanitise"
)

// rig is an agent with the link pos in use, the link off that is not, and no store.
type rig struct {
	set     *Set
	book    *logbook.Book
	wakes   int
	reopens int
	tap     ingest.Tap
	office  guard.Office
}

func newRig(t *testing.T) *rig {
	t.Helper()
	text := "[terminal]\nid = \"t-1\"\n[store]\ndir = \"" + t.TempDir() + "\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"/none\"\n" +
		"[[link]]\nname = \"off\"\nwire = \"mispos\"\nport = \"/none2\"\nenabled = false\n"
	c, err := config.Parse("f", []byte(text), config.Options{Wires: ingest.Wires()})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{book: logbook.Open(logbook.Options{})}
	r.set = New(Options{Agent: r, Config: c, InForce: func() desired.InForce { return desired.InForce{Config: c, File: c} }, Book: r.book,
		Now: time.Now, Office: func() guard.Office { return r.office }})
	t.Cleanup(func() { r.set.EndCaptures(time.Second) })
	return r
}

func (r *rig) Store() *ledger.DB { return nil }
func (r *rig) Digest() string    { return "d1" }
func (r *rig) Wake()             { r.wakes++ }
func (r *rig) Link(name string) Link {
	if name == "pos" {
		return r
	}
	return nil
}

func (r *rig) Health() ingest.LinkHealth {
	return ingest.LinkHealth{Name: "pos", Wire: "mispos", State: ingest.StateOnline}
}
func (r *rig) Reopen()                        { r.reopens++ }
func (r *rig) SetTap(t ingest.Tap)            { r.tap = t }
func (r *rig) Sanitiser() *sanitise.Sanitiser { return sanitise.Smart() }

// do runs a command and reads its answer.
func (r *rig) do(t *testing.T, name, args string, to any) (any, error) {
	t.Helper()
	data, err := r.set.Funcs()[name](t.Context(), json.RawMessage(args), func(any) {})
	if err != nil || to == nil {
		return data, err
	}
	raw, err := json.Marshal(data)
	if err != nil || len(raw) > MostData {
		t.Errorf("%s: %d bytes, %v", name, len(raw), err)
	}
	return data, json.Unmarshal(raw, to)
}

func isControl(err error, code, about string) bool {
	var e *control.Error
	return errors.As(err, &e) && e.Code == code && e.About == about
}

func TestLogCommands(t *testing.T) {
	r := newRig(t)
	var level struct {
		Level, Configured string
		Until             time.Time
	}
	if _, err := r.do(t, "log-level", `{"level":"debug"}`, &level); err != nil || level.Configured != "info" || time.Until(level.Until) < 9*time.Minute || r.book.Level() != slog.LevelDebug {
		t.Errorf("%+v, %v, level %v", level, err, r.book.Level())
	}
	if _, err := r.do(t, "log-level", `{"level":"info"}`, &level); err != nil || r.book.Level() != slog.LevelInfo {
		t.Errorf("%+v, %v", level, err)
	}
	for _, args := range []string{`{"level":"loud"}`, `{"level":"info","for_s":99999}`, `[]`} {
		t.Run(args, func(t *testing.T) {
			if _, err := r.do(t, "log-level", args, nil); !isControl(err, "bad_request", "") {
				t.Errorf("%s: %v", args, err)
			}
		})
	}
	for n := range 600 {
		r.book.Logger().Error("filler", "n", n, "text", strings.Repeat("长", 100), "link", "pos")
	}
	r.book.Logger().Warn("the.last", "path", strings.Repeat("x", 1000))
	var tail struct {
		Lines []struct {
			Time                time.Time
			Level, Code, Fields string
		}
		LeftOut int `json:"left_out"`
	}
	if _, err := r.do(t, "log-tail", `{"lines":500}`, &tail); err != nil || len(tail.Lines)+tail.LeftOut != 500 || tail.LeftOut == 0 ||
		tail.Lines[len(tail.Lines)-1].Code != "the.last" || !strings.Contains(tail.Lines[0].Fields, "n=") {
		t.Errorf("%d lines, %d left out, %v", len(tail.Lines), tail.LeftOut, err)
	}
	if _, err := r.do(t, "log-tail", `{"lines":3,"level":"warn"}`, &tail); err != nil || len(tail.Lines) == 0 || tail.Lines[len(tail.Lines)-1].Level != "warn" {
		t.Errorf("%+v, %v", tail, err)
	}
	if _, err := r.do(t, "log-tail", `{"lines":3,"link":"pos"}`, &tail); err != nil || len(tail.Lines) != 3 || tail.Lines[2].Code != "filler" {
		t.Errorf("%+v, %v", tail, err)
	}
	if _, err := r.do(t, "log-tail", `{"link":"usb"}`, &tail); !isControl(err, "not_found", "link") {
		t.Error(err)
	}
}

func TestConfigGet(t *testing.T) {
	r := newRig(t)
	var got struct {
		Digest, Origin string
		Settings       []setting
		LeftOut        bool `json:"defaults_left_out"`
	}
	if _, err := r.do(t, "config-get", ``, &got); err != nil || got.Digest != "d1" || got.Origin != "file" || got.LeftOut || len(got.Settings) < 40 {
		t.Errorf("%+v, %v", got, err)
	}
	// Many links: what is the default goes first; when even that is too much, the answer is an error.
	many := func(n int) (all []config.Entry) {
		for i := range n {
			all = append(all, config.Entry{Name: fmt.Sprintf("link[%d].port", i), Value: `"/dev/serial/by-id/x"`, Default: i%2 == 1})
		}
		return all
	}
	if fit, err := fitSettings(settingsAnswer{}, many(450)); err != nil || !fit.LeftOut || len(fit.All) != 225 {
		t.Errorf("%d settings, %v, %v", len(fit.All), fit.LeftOut, err)
	}
	if _, err := fitSettings(settingsAnswer{}, many(2000)); !isControl(err, "too_large", "") {
		t.Error(err)
	}
}

func TestLinkAndCaptureCommands(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"link-reopen", "capture-start", "capture-stop"} {
		t.Run(name, func(t *testing.T) {
			if _, err := r.do(t, name, `{"link":"usb"}`, nil); !isControl(err, "not_found", "link") || !strings.Contains(err.Error(), "want one of pos") {
				t.Errorf("%s of no link: %v", name, err)
			}
			if _, err := r.do(t, name, `{"link":5}`, nil); !isControl(err, "bad_request", "") {
				t.Errorf("%s of a number: %v", name, err)
			}
		})
	}
	var info struct {
		File    string
		Running bool
	}
	if _, err := r.do(t, "capture-start", `{"link":"pos","for_s":60}`, &info); err != nil || !info.Running {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := r.do(t, "capture-start", `{"link":"pos"}`, nil); !isControl(err, "busy", "") {
		t.Error(err)
	}
	if _, err := r.do(t, "capture-start", `{"link":"pos","max_bytes":999999999999}`, nil); err == nil {
		t.Error("a capture without bounds")
	}
	if _, err := r.do(t, "capture-stop", `{}`, nil); err != nil {
		t.Error(err)
	}
	if _, err := r.do(t, "capture-stop", `{}`, nil); !isControl(err, "not_found", "") {
		t.Error(err)
	}
	if _, err := r.do(t, "link-reopen", `{"link":"off"}`, nil); !isControl(err, "unavailable", "") || !strings.Contains(err.Error(), "enabled = false") {
		t.Errorf("a link that is not in use: %v", err)
	}
	var link struct{ Link, State string }
	if _, err := r.do(t, "link-reopen", `{"link":"pos"}`, &link); err != nil || link.State != "online" {
		t.Errorf("%+v, %v", link, err)
	}
}

// What the technician alone may ask for is on the control socket too.
func TestVerbs(t *testing.T) {
	r := newRig(t)
	verbs := r.set.Verbs()
	for _, name := range []string{"capture.start", "capture.stop", "capture.info", "tail", "requeue", "log-level"} {
		t.Run(name, func(t *testing.T) {
			if verbs[name] == nil {
				t.Errorf("no %s", name)
			}
		})
	}
	var sent []any
	send := func(v any) error { sent = append(sent, v); return nil }
	if err := verbs["requeue"](t.Context(), json.RawMessage(`{"entry":1}`), send); !isControl(err, "unavailable", "") {
		t.Error(err)
	}
	if _, _, err := (Taken{r}).Recall(t.Context()); !errors.Is(err, ledger.ErrUnavailable) {
		t.Error(err)
	}
	if err := verbs["capture.start"](t.Context(), json.RawMessage(`{"link":"pos"}`), send); err != nil || r.tap == nil {
		t.Error(err)
	}
	if err := verbs["capture.info"](t.Context(), nil, send); err != nil || len(sent) != 2 {
		t.Errorf("%v, %v", sent, err)
	}
	r.book.Logger().Warn("a.line")
	sent = nil
	if err := verbs["tail"](t.Context(), json.RawMessage(`{"lines":1}`), send); err != nil || len(sent) != 1 {
		t.Errorf("%v, %v", sent, err)
	}
}

func TestRestartIsBounded(t *testing.T) {
	var r Restart
	now := time.Now()
	code := func(err error) string {
		var e *report.CommandError
		if errors.As(err, &e) && e.Rejected {
			return e.Code
		}
		return fmt.Sprint(err)
	}
	if got := code(r.ask(now)); got != "busy" {
		t.Errorf("before there is an agent: %s", got)
	}
	stopped := 0
	r.Begin(func() { stopped++ })
	r.stopNow() // it was not asked for
	if got := code(r.ask(now)); got != "<nil>" || stopped != 0 {
		t.Errorf("the first: %s, stopped %d", got, stopped)
	}
	if got := code(r.ask(now)); got != "busy" {
		t.Errorf("another at the same time: %s", got)
	}
	r.CallOff() // the broker did not take the answer
	if got := code(r.ask(now)); got != "<nil>" || r.last != (time.Time{}) {
		t.Errorf("after one that was called off: %s", got)
	}
	r.stopNow()
	if !r.Asked() || stopped != 1 {
		t.Errorf("wanted %v, stopped %d", r.Asked(), stopped)
	}
	r.Restarted(time.Now())
	r.Begin(func() {})
	if got := code(r.ask(time.Now().Add(restartEvery - time.Second))); got != "too_soon" || r.Asked() {
		t.Errorf("within a minute: %s", got)
	}
	if got := code(r.ask(time.Now().Add(restartEvery + time.Second))); got != "<nil>" {
		t.Errorf("after a minute: %s", got)
	}
	r.CallOff() // SIGTERM came
	if r.Asked() {
		t.Error("a daemon that is to end starts again")
	}
}

func TestCommandErrors(t *testing.T) {
	for _, tc := range []struct {
		err      error
		code     string
		rejected bool
	}{
		{&control.Error{Code: "not_found", About: "link", Message: "no such link"}, "args", true},
		{&control.Error{Code: "bad_request", Message: "x"}, "args", true},
		{fmt.Errorf("wrapped: %w", &control.Error{Code: "busy", Message: "x"}), "busy", false},
		{context.Canceled, "stopped", false},
	} {
		t.Run(tc.code, func(t *testing.T) {
			var got *report.CommandError
			if !errors.As(reported(tc.err), &got) || got.Code != tc.code || got.Rejected != tc.rejected {
				t.Errorf("%v: %+v", tc.err, got)
			}
		})
	}
	if reported(nil) != nil {
		t.Error("no error is one")
	}
	all := Funcs{"b": nil, "a": func(context.Context, json.RawMessage, func(any)) (any, error) { return 1, nil }}
	if got := all.Names(); len(got) != 2 || got[0] != "a" {
		t.Errorf("names %v", got)
	}
	if _, err := all.Do(t.Context(), report.Command{Name: "c"}); !errors.Is(err, report.ErrUnknownCommand) {
		t.Error(err)
	}
}
