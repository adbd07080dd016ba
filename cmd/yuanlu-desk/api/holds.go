package api

import (
	"context"
	"time"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/holds"
	"yuanlu/cmd/yuanlu-desk/store"
)

// How far back the questions about holds look, unless they state it.
const (
	holdsBack     = 48 * time.Hour // a hold lasts a day at most
	preventedBack = 30 * 24 * time.Hour
)

// holds lists the holds with their time left.
func (a *API) holds(ctx context.Context, q *query) (any, error) {
	state := q.text("state", "open", "all")
	terminal, since := q.text("terminal"), q.time("since")
	if err := q.done(); err != nil {
		return nil, err
	}
	now := a.o.Now().UTC()
	if since.IsZero() {
		since = now.Add(-holdsBack)
	}
	all, err := a.folded(ctx, terminal, since, now)
	if err != nil {
		return nil, err
	}
	list := []holds.Hold{}
	for _, h := range all {
		if state == "all" || h.State == "open" {
			list = append(list, h)
		}
	}
	return map[string]any{"holds": list, "now": now}, nil
}

// prevented counts the money of holds that ended without a refund.
func (a *API) prevented(ctx context.Context, q *query) (any, error) {
	terminal, since := q.text("terminal"), q.time("since")
	if err := q.done(); err != nil {
		return nil, err
	}
	now := a.o.Now().UTC()
	if since.IsZero() {
		since = now.Add(-preventedBack)
	}
	var p holds.Prevention
	_, err := a.o.Store.Look(ctx, now, "", `"show":"desk"`, func(l *store.Looking, _ casework.Answer) (err error) {
		p, err = l.PreventedSince(terminal, since, now)
		return err
	})
	return map[string]any{"since": since.UTC(), "prevented": p}, err
}

func (a *API) folded(ctx context.Context, terminal string, since, now time.Time) ([]holds.Hold, error) {
	rows, err := a.o.Store.HoldEvents(ctx, terminal, since)
	if err != nil {
		return nil, err
	}
	return holds.Fold(rows, now), nil
}
