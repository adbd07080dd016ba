package command

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"yuanlu/agent/control"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/report"
)

// Verbs returns what the control socket answers: the commands, and what the technician
// alone may ask for.
func (s *Set) Verbs() map[string]control.Handler {
	all := s.captureVerbs()
	maps.Copy(all, map[string]control.Handler{"tail": s.tail, "requeue": s.requeue, "outbox-list": s.outboxList, "evidence-match": s.match, "evidence-restart": s.restartLog})
	for name, do := range s.Funcs() {
		all[name] = func(ctx context.Context, args json.RawMessage, send func(any) error) error {
			result, err := do(ctx, args, func(any) {})
			if err != nil {
				return err
			}
			if paged, ok := result.(report.Paged); ok {
				result = paged.Data
				for _, page := range paged.Pages {
					if err := send(page); err != nil {
						return err
					}
				}
			}
			return send(result)
		}
	}
	return all
}

// requeue puts a quarantined entry of the outbox back into the queue.
func (s *Set) requeue(ctx context.Context, args json.RawMessage, _ func(any) error) error {
	var q struct {
		Entry int64 `json:"entry"`
	}
	if err := json.Unmarshal(args, &q); err != nil {
		return &control.Error{Code: "bad_request", Message: "requeue: arguments do not fit"}
	}
	db := s.o.Agent.Store()
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
	s.o.Agent.Wake()
	return nil
}

// outboxList lists the outbox as the daemon knows it: how often an entry was sent is kept
// in its memory.
func (s *Set) outboxList(ctx context.Context, args json.RawMessage, send func(any) error) error {
	var q struct {
		Limit int `json:"limit"`
	}
	if err := json.Unmarshal(args, &q); err != nil || q.Limit < 1 {
		return &control.Error{Code: "bad_request", Message: "outbox-list: arguments do not fit"}
	}
	db := s.o.Agent.Store()
	if db == nil {
		return &control.Error{Code: "unavailable", Message: "the store is not open"}
	}
	rows, err := db.OutboxList(ctx, q.Limit)
	if err != nil {
		return &control.Error{Code: "unavailable", Message: err.Error()}
	}
	for i := range rows {
		if err := send(rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) tail(ctx context.Context, args json.RawMessage, send func(any) error) error {
	var q logbook.Query
	if err := json.Unmarshal(args, &q); err != nil {
		return &control.Error{Code: "bad_request", Message: "tail: arguments do not fit"}
	}
	live := q
	live.After = time.Time{} // a clock that was set back hides nothing that is logged from now on
	past, sub := s.o.Book.Subscribe(q.Lines, live.Wants)
	defer sub.Cancel()
	past = slices.DeleteFunc(past, func(l logbook.Line) bool { return !q.Wants(l) })
	shown := map[string]bool{} // cases that came while their file was read
	if q.Cases {
		var err error
		if past, err = s.o.Book.Cases(q.Lines, q.Wants); err != nil {
			s.log.Warn("log.unreadable", "err", err)
		}
	}
	for _, l := range past {
		if q.Cases && q.Follow {
			shown[l.String()] = true
		}
		if err := send(l); err != nil {
			return err
		}
	}
	if !q.Follow {
		return nil
	}
	return follow(ctx, sub, shown, send)
}

// follow sends the lines of a subscription until it or ctx ends, but for those already shown,
// and a line of its own where lines were missed.
func follow(ctx context.Context, sub *logbook.Subscription, shown map[string]bool, send func(any) error) error {
	missed := int64(0)
	for {
		select {
		case l, open := <-sub.Lines():
			if !open {
				return nil
			}
			if shown[l.String()] {
				delete(shown, l.String())
				continue
			}
			if n := sub.Missed(); n > missed {
				if err := send(logbook.Missed(l.Time, n-missed)); err != nil {
					return err
				}
				missed = n
			}
			if err := send(l); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}
