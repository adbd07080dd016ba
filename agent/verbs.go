package agent

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"

	"yuanlu/agent/control"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
)

// TailArgs are the arguments of the verb tail.
type TailArgs struct {
	Follow bool       `json:"follow"`
	Lines  int        `json:"lines"` // of the past
	Level  slog.Level `json:"level"` // least
	Link   string     `json:"link,omitempty"`
	Cases  bool       `json:"cases,omitempty"`
}

// Wants returns the filter that the arguments mean.
func (t TailArgs) Wants(l logbook.Line) bool {
	return l.Level >= t.Level && (t.Link == "" || l.Field("link") == t.Link) &&
		(!t.Cases || logbook.IsCase(l))
}

// verbs are what the control socket answers.
func (a *Agent) verbs() map[string]control.Handler {
	all := a.captureVerbs()
	maps.Copy(all, a.o.Verbs)
	maps.Copy(all, map[string]control.Handler{
		"status": func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
			return send(a.Snapshot(ctx))
		},
		"tail":    a.tail,
		"echo":    a.echo,
		"requeue": a.requeue,
	})
	for name, do := range a.Commands() {
		all[name] = func(ctx context.Context, args json.RawMessage, send func(any) error) error {
			result, err := do(ctx, args, func(any) {})
			if err != nil {
				return err
			}
			return send(result)
		}
	}
	return all
}

// requeue puts a quarantined entry of the outbox back into the queue.
func (a *Agent) requeue(ctx context.Context, args json.RawMessage, _ func(any) error) error {
	var q struct {
		Entry int64 `json:"entry"`
	}
	if err := json.Unmarshal(args, &q); err != nil {
		return &control.Error{Code: "bad_request", Message: "requeue: arguments do not fit"}
	}
	db := a.Store()
	if db == nil {
		return &control.Error{Code: "unavailable", Message: "the store is not open"}
	}
	err := db.Requeue(ctx, q.Entry)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return &control.Error{Code: "not_found", Message: "no such entry in quarantine"}
	case err != nil:
		return &control.Error{Code: "unavailable", Message: err.Error()}
	}
	a.wake()
	return nil
}

func (a *Agent) tail(ctx context.Context, args json.RawMessage, send func(any) error) error {
	var t TailArgs
	if err := json.Unmarshal(args, &t); err != nil {
		return &control.Error{Code: "bad_request", Message: "tail: arguments do not fit"}
	}
	past, sub := a.o.Book.Subscribe(t.Lines, t.Wants)
	defer sub.Cancel()
	shown := map[string]bool{} // cases that came while their file was read
	if t.Cases {
		var err error
		if past, err = a.o.Book.Cases(t.Lines, t.Wants); err != nil {
			a.log.Warn("log.unreadable", "err", err)
		}
	}
	for _, l := range past {
		if t.Cases && t.Follow {
			shown[l.String()] = true
		}
		if err := send(l); err != nil {
			return err
		}
	}
	for t.Follow {
		select {
		case l, open := <-sub.Lines():
			if !open {
				return nil
			}
			if shown[l.String()] {
				delete(shown, l.String())
				continue
			}
			if err := send(l); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
