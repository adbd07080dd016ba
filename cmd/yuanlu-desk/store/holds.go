package store

import (
	"context"
	"time"
)

// mostHolds bounds the events of one question about holds.
const mostHolds = 20_000

// HoldEvents returns the newest events of holds that came since a moment, and of cases if
// cases is set, in the order of n; terminal "": of all.
func (s *Store) HoldEvents(ctx context.Context, terminal string, since time.Time, cases bool) (list []EventRow, err error) {
	w := &where{}
	if cases {
		w.add("kind = 'case' AND case_id <> ''")
	} else {
		w.add("case_id = '' AND type IN ('yuanlu.hold.opened.v1', 'yuanlu.hold.ended.v1')")
	}
	w.add("received >= ?", millis(since))
	w.text("terminal", terminal)
	err = s.read(ctx, func(t *tx) error {
		list, err = t.events(w.String()+" ORDER BY n DESC LIMIT ?", append(w.args, mostHolds))
		return err
	})
	return list, err
}
