package agent

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"yuanlu/agent/capture"
	"yuanlu/agent/control"
	"yuanlu/agent/ingest"
	"yuanlu/agent/machine"
)

// CaptureArgs are the arguments of the verbs capture.start and capture.stop.
type CaptureArgs struct {
	Link     string        `json:"link"` // stop: "" is every link
	MaxBytes int64         `json:"max_bytes,omitempty"`
	For      time.Duration `json:"for,omitempty"` // ns
}

// CaptureDir is where captures of a store go.
func CaptureDir(store string) string { return filepath.Join(store, "captures") }

// captures are those of this run, by link; the last of a link stays after its end.
type captures struct {
	mu  sync.Mutex // guards all
	all map[string]*capture.Recorder
}

// captureVerbs are what the control socket answers about captures.
func (a *Agent) captureVerbs() map[string]control.Handler {
	return map[string]control.Handler{
		"capture.start": a.captureStart, "capture.stop": a.captureStop,
		"capture.info": func(_ context.Context, _ json.RawMessage, send func(any) error) error {
			return a.sendCaptures(send)
		},
	}
}

func (a *Agent) captureStart(_ context.Context, args json.RawMessage, send func(any) error) error {
	var q CaptureArgs
	if err := json.Unmarshal(args, &q); err != nil {
		return &control.Error{Code: "bad_request", Message: "capture: arguments do not fit"}
	}
	i, err := a.startCapture(q)
	if err != nil {
		return err
	}
	return send(i)
}

func (a *Agent) startCapture(q CaptureArgs) (i capture.Info, err error) {
	worker, link := a.workerOf(q.Link)
	if worker == nil {
		return i, a.noLink(q.Link)
	}
	cleaner, err := ingest.NewSanitiser(link.Profile)
	if err != nil {
		return i, err
	}
	a.captures.mu.Lock()
	defer a.captures.mu.Unlock()
	if r := a.captures.all[q.Link]; r != nil && r.Info().Running {
		return i, &control.Error{Code: "busy", Message: "a capture of this link is under way: " + r.Info().File}
	}
	r, err := capture.Start(capture.Options{Dir: CaptureDir(a.o.Config.Store.Dir), Link: q.Link, Wire: link.Config.Wire, Cleaner: cleaner,
		MaxBytes: q.MaxBytes, For: q.For, Now: a.clock.Now, Log: a.log, Low: func() bool { return machine.DiskLow(a.o.Config.Store.Dir) }})
	switch {
	case errors.Is(err, capture.ErrLimit):
		return i, &control.Error{Code: "bad_request", Message: err.Error()}
	case errors.Is(err, capture.ErrLow):
		return i, &control.Error{Code: "disk_low", Message: err.Error()}
	case err != nil:
		return i, &control.Error{Code: "unavailable", Message: err.Error()}
	}
	if a.captures.all == nil {
		a.captures.all = map[string]*capture.Recorder{}
	}
	a.captures.all[q.Link] = r
	worker.SetTap(r)
	a.log.Info("capture.started", "link", q.Link, "file", r.Info().File)
	return r.Info(), nil
}

func (a *Agent) captureStop(_ context.Context, args json.RawMessage, send func(any) error) error {
	var q CaptureArgs
	if err := json.Unmarshal(args, &q); err != nil {
		return &control.Error{Code: "bad_request", Message: "capture: arguments do not fit"}
	}
	stopped, err := a.stopCaptures(q.Link)
	for _, i := range stopped {
		if err := send(i); err != nil {
			return err
		}
	}
	return err
}

// stopCaptures ends those of a link, "" all; none is an error.
func (a *Agent) stopCaptures(link string) ([]capture.Info, error) {
	stopped := a.endCaptures(link)
	if len(stopped) > 0 {
		return stopped, nil
	}
	if link != "" && a.link(link) == nil {
		return nil, a.noLink(link)
	}
	return nil, &control.Error{Code: "not_found", Message: "no capture is under way"}
}

// endCaptures ends those of a link, "" all, and waits for their files.
func (a *Agent) endCaptures(link string) (ended []capture.Info) {
	a.captures.mu.Lock()
	defer a.captures.mu.Unlock()
	for name, r := range a.captures.all {
		if link != "" && link != name || !r.Info().Running {
			continue
		}
		if w, _ := a.workerOf(name); w != nil {
			w.SetTap(nil)
		}
		ended = append(ended, r.Stop())
	}
	sort.Slice(ended, func(i, j int) bool { return ended[i].Link < ended[j].Link })
	return ended
}

// endCapturesSoon ends all, but does not wait for a disk that hangs.
func (a *Agent) endCapturesSoon() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.endCaptures("")
	}()
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		a.log.Error("capture.stuck")
	}
}

func (a *Agent) sendCaptures(send func(any) error) error {
	all, err := capture.List(CaptureDir(a.o.Config.Store.Dir))
	if err != nil {
		return &control.Error{Code: "unavailable", Message: err.Error()}
	}
	a.captures.mu.Lock()
	defer a.captures.mu.Unlock()
	for _, i := range all {
		if r := a.captures.all[i.Link]; r != nil && r.Info().File == i.File {
			i = r.Info()
		}
		if err := send(i); err != nil {
			return err
		}
	}
	return nil
}

// workerOf returns the worker of a link that is in use.
func (a *Agent) workerOf(name string) (*ingest.Worker, *Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.workers {
		if w.Health().Name != name {
			continue
		}
		for i := range a.o.Links {
			if a.o.Links[i].Config.Name == name {
				return w, &a.o.Links[i]
			}
		}
	}
	return nil, nil
}
