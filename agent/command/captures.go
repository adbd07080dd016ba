package command

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"sync"
	"time"

	"yuanlu/agent/capture"
	"yuanlu/agent/control"
	"yuanlu/agent/machine"
)

// CaptureArgs are the arguments of the verbs capture.start and capture.stop.
type CaptureArgs struct {
	Link     string        `json:"link"` // stop: "" is every link
	MaxBytes int64         `json:"max_bytes,omitempty"`
	For      time.Duration `json:"for,omitempty"` // ns
}

// captures are those of this run, by link; the last of a link stays after its end.
type captures struct {
	mu  sync.Mutex // guards all
	all map[string]*capture.Recorder
}

// captureVerbs are what the control socket answers about captures.
func (s *Set) captureVerbs() map[string]control.Handler {
	return map[string]control.Handler{
		"capture.start": s.captureStart, "capture.stop": s.captureStop,
		"capture.info": func(_ context.Context, _ json.RawMessage, send func(any) error) error {
			return s.sendCaptures(send)
		},
	}
}

func (s *Set) captureStart(_ context.Context, args json.RawMessage, send func(any) error) error {
	var q CaptureArgs
	if err := json.Unmarshal(args, &q); err != nil {
		return &control.Error{Code: "bad_request", Message: "capture: arguments do not fit"}
	}
	i, err := s.startCapture(q)
	if err != nil {
		return err
	}
	return send(i)
}

func (s *Set) startCapture(q CaptureArgs) (i capture.Info, err error) {
	link := s.o.Agent.Link(q.Link)
	if link == nil {
		return i, s.noLink(q.Link)
	}
	s.captures.mu.Lock()
	defer s.captures.mu.Unlock()
	if r := s.captures.all[q.Link]; r != nil && r.Info().Running {
		return i, &control.Error{Code: "busy", Message: "a capture of this link is under way: " + r.Info().File}
	}
	r, err := capture.Start(capture.Options{Dir: capture.Dir(s.o.Config.Store.Dir), Link: q.Link, Wire: link.Health().Wire, Cleaner: link.Sanitiser(),
		MaxBytes: q.MaxBytes, For: q.For, Now: s.o.Now, Log: s.log, Low: func() bool { return machine.DiskLow(s.o.Config.Store.Dir) }})
	switch {
	case errors.Is(err, capture.ErrLimit):
		return i, &control.Error{Code: "bad_request", Message: err.Error()}
	case errors.Is(err, capture.ErrLow):
		return i, &control.Error{Code: "disk_low", Message: err.Error()}
	case err != nil:
		return i, &control.Error{Code: "unavailable", Message: err.Error()}
	}
	if s.captures.all == nil {
		s.captures.all = map[string]*capture.Recorder{}
	}
	s.captures.all[q.Link] = r
	link.SetTap(r)
	s.log.Info("capture.started", "link", q.Link, "file", r.Info().File)
	return r.Info(), nil
}

func (s *Set) captureStop(_ context.Context, args json.RawMessage, send func(any) error) error {
	var q CaptureArgs
	if err := json.Unmarshal(args, &q); err != nil {
		return &control.Error{Code: "bad_request", Message: "capture: arguments do not fit"}
	}
	stopped, err := s.stopCaptures(q.Link)
	for _, i := range stopped {
		if err := send(i); err != nil {
			return err
		}
	}
	return err
}

// stopCaptures ends those of a link, "" all; none is an error.
func (s *Set) stopCaptures(link string) ([]capture.Info, error) {
	stopped := s.endCaptures(link)
	if len(stopped) > 0 {
		return stopped, nil
	}
	if link != "" && !s.isLink(link) {
		return nil, s.noLink(link)
	}
	return nil, &control.Error{Code: "not_found", Message: "no capture is under way"}
}

// endCaptures ends those of a link, "" all, and waits for their files.
func (s *Set) endCaptures(link string) (ended []capture.Info) {
	s.captures.mu.Lock()
	defer s.captures.mu.Unlock()
	for name, r := range s.captures.all {
		if link != "" && link != name || !r.Info().Running {
			continue
		}
		if l := s.o.Agent.Link(name); l != nil {
			l.SetTap(nil)
		}
		ended = append(ended, r.Stop())
	}
	sort.Slice(ended, func(i, j int) bool { return ended[i].Link < ended[j].Link })
	return ended
}

// EndCaptures ends all, and waits at most within for a disk that hangs.
func (s *Set) EndCaptures(within time.Duration) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.endCaptures("")
	}()
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		s.log.Error("capture.stuck")
	}
}

func (s *Set) sendCaptures(send func(any) error) error {
	all, err := capture.List(capture.Dir(s.o.Config.Store.Dir))
	if err != nil {
		return &control.Error{Code: "unavailable", Message: err.Error()}
	}
	s.captures.mu.Lock()
	defer s.captures.mu.Unlock()
	for _, i := range all {
		if r := s.captures.all[i.Link]; r != nil && r.Info().File == i.File {
			i = r.Info()
		}
		if err := send(i); err != nil {
			return err
		}
	}
	return nil
}
