package api

import (
	"context"
	"time"

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
	all, err := a.folded(ctx, terminal, since, now)
	if err != nil {
		return nil, err
	}
	cases, err := a.o.Store.HoldEvents(ctx, terminal, since, true)
	if err != nil {
		return nil, err
	}
	return map[string]any{"since": since.UTC(), "prevented": holds.Prevented(all, eventsOf(cases))}, nil
}

func (a *API) folded(ctx context.Context, terminal string, since, now time.Time) ([]holds.Hold, error) {
	rows, err := a.o.Store.HoldEvents(ctx, terminal, since, false)
	if err != nil {
		return nil, err
	}
	return holds.Fold(eventsOf(rows), now), nil
}

func eventsOf(rows []store.EventRow) []holds.Event {
	out := make([]holds.Event, len(rows))
	for i := range rows {
		out[i] = holds.Event{Terminal: rows[i].Terminal, Payload: rows[i].Event}
	}
	return out
}
