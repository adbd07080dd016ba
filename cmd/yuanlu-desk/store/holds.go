package store

import (
	"context"
	"time"

	"yuanlu/cmd/yuanlu-desk/holds"
)

// mostHolds bounds the events of holds of one question, and those of cases.
const mostHolds = 20_000

// HoldEvents returns the newest events of holds that came since a moment, latest first;
// terminal "": of all.
func (s *Store) HoldEvents(ctx context.Context, terminal string, since time.Time) (list []holds.Event, err error) {
	err = s.read(ctx, func(t *tx) error {
		list, err = t.holdEvents(terminal, since, false)
		return err
	})
	return list, err
}

// PreventedSince counts what was prevented by holds that ended since a moment, of all stores;
// terminal "": of all.
func (l *Looking) PreventedSince(terminal string, since, now time.Time) (holds.Prevention, error) {
	return l.prevented(terminal, since, now, func(h *holds.Hold) (string, bool) {
		store, counts := l.Desk.Prevents("", h.MerchantID, h.TerminalID)
		return store, counts && !ended(h).Before(since)
	})
}

// Prevented counts it for the statistics of a person, of the dates from and to and those
// between.
func (l *Looking) Prevented(by, from, to string, now time.Time) (holds.Prevention, error) {
	since, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return holds.Prevention{}, err // casework has refused it
	}
	since = since.AddDate(0, 0, -1) // wherever the desk's zone is
	return l.prevented("", since, now, func(h *holds.Hold) (string, bool) {
		store, counts := l.Desk.Prevents(by, h.MerchantID, h.TerminalID)
		date := l.Desk.DateOf(ended(h))
		return store, counts && from <= date && date <= to
	})
}

func ended(h *holds.Hold) time.Time {
	if h.Ended != nil {
		return *h.Ended
	}
	return h.Opened
}

func (l *Looking) prevented(terminal string, since, now time.Time, where func(*holds.Hold) (string, bool)) (holds.Prevention, error) {
	since = since.Add(-holds.Back)
	of, err := l.t.holdEvents(terminal, since, false)
	if err != nil {
		return holds.Prevention{}, err
	}
	cases, err := l.t.holdEvents(terminal, since, true)
	if err != nil {
		return holds.Prevention{}, err
	}
	return holds.Prevented(holds.Fold(of, now), cases, where), nil
}

func (t *tx) holdEvents(terminal string, since time.Time, cases bool) ([]holds.Event, error) {
	w := &where{}
	if cases {
		w.add(`kind = 'case' AND case_id <> '' AND payload LIKE '%"guard"%'`)
	} else {
		w.add("case_id = '' AND type IN ('yuanlu.hold.opened.v1', 'yuanlu.hold.ended.v1')")
	}
	w.add("received >= ?", millis(since))
	w.text("terminal", terminal)
	rows, err := t.events(w.String()+" ORDER BY n DESC LIMIT ?", append(w.args, mostHolds))
	list := make([]holds.Event, len(rows))
	for i := range rows {
		list[i] = holds.Event{Terminal: rows[i].Terminal, Payload: rows[i].Event}
	}
	return list, err
}
