package agent

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// maxEvents is how many events may wait for the store.
const maxEvents = 64

// events are those for the back office that wait for the store (topics.md, up/event).
type events struct {
	waiting chan refund.Notice
	clock   *Clock
	log     *slog.Logger
	wake    func() // of the reporter
}

func newEvents(clock *Clock, log *slog.Logger, wake func()) *events {
	return &events{make(chan refund.Notice, maxEvents), clock, log, wake}
}

// Event queues an event. It never waits and never fails: what cannot be queued is logged.
func (e *events) Event(name, subject string, attrs ...slog.Attr) {
	data := map[string]any{}
	for _, one := range attrs {
		switch v := one.Value.Resolve(); v.Kind() {
		case slog.KindInt64:
			data[one.Key] = v.Int64()
		case slog.KindBool:
			data[one.Key] = v.Bool()
		default:
			data[one.Key] = v.String()
		}
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return
	}
	n := refund.Notice{Type: name, Subject: subject, Time: e.clock.Now(), ClockSynced: e.clock.Synced(),
		Class: refund.NoticeEvent, Data: raw}
	select {
	case e.waiting <- n:
	default:
		e.log.Warn("event.lost", "event", name, "why", "too many wait")
	}
}

// store stores events as they come. One that finds the store unavailable is
// tried again until the store works or the agent stops.
func (e *events) store(ctx context.Context, db *ledger.DB) error {
	for {
		select {
		case n := <-e.waiting:
			for err := db.AddEvent(ctx, n); err != nil; err = db.AddEvent(ctx, n) {
				if !errors.Is(err, ledger.ErrUnavailable) || !sleep(ctx, time.Second) {
					e.log.Warn("event.lost", "event", n.Type, "err", err)
					break
				}
			}
			e.wake()
		case <-ctx.Done():
			return nil
		}
	}
}
