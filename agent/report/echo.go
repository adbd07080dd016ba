package report

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"yuanlu/protocol/topics"
)

// ErrNotConnected: there is no connection to the broker.
var ErrNotConnected = errors.New("report: not connected")

// Echo publishes health again and returns the time until the broker has acknowledged it.
// Errors: ErrNotConnected, ctx's, that of the connection.
func (r *Reporter) Echo(ctx context.Context) (time.Duration, error) {
	s := r.session()
	if s == nil {
		return 0, ErrNotConnected
	}
	now := r.o.Terminal.Glance(ctx)
	h := r.health(ctx, &now, s.id)
	channel, _ := topics.ChannelOf("health")
	payload, err := r.payload(channel.Schema, &h)
	if err != nil {
		return 0, err
	}
	published := make(chan sent, 1)
	select {
	case s.answers <- answer{channel: channel, topic: r.o.Names.Health(), payload: json.RawMessage(payload), published: published}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case one := <-published:
		return one.took, one.err
	case <-s.conn.Done():
		return 0, fmt.Errorf("%w: %w", ErrNotConnected, s.conn.Err())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// EventEcho is the type of the event that asks the back office for a sign of life: it
// answers with the command ping under the id that stands in the event.
const EventEcho = "echo.asked"

// echoEvent returns the event that asks for a ping of that id.
func echoEvent(n topics.Names, id, stream string, now time.Time, synced bool) []byte {
	return topics.AppendEvent(nil, &topics.Fields{ID: id, Source: n.Source(), Type: EventEcho, Subject: "echo", Stream: stream, Time: now, Attempt: 1,
		ClockSynced: synced, Data: fmt.Appendf(nil, `{"ping":%q}`, "echo-"+id)})
}

// AskBackOffice asks the back office for a sign of life and returns the time until it was
// here: a ping of its own, signed where keys are configured. Errors: ErrNotConnected, ctx's
// (it did not answer), that of the connection.
func (r *Reporter) AskBackOffice(ctx context.Context) (time.Duration, error) {
	s := r.session()
	if s == nil {
		return 0, ErrNotConnected
	}
	id, came := rand.Text(), make(chan struct{})
	r.mu.Lock()
	if r.echoes == nil {
		r.echoes = map[string]chan struct{}{}
	}
	r.echoes["echo-"+id] = came
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.echoes, "echo-"+id)
		r.mu.Unlock()
	}()
	stream := "-"
	if stat, err := r.o.Terminal.Outbox().OutboxStat(ctx); err == nil && stat.Stream != "" {
		stream = stat.Stream
	}
	channel, _ := topics.ChannelOf("event")
	payload := echoEvent(r.o.Names, id, stream, r.o.Clock.Now(), r.o.Clock.Synced())
	if err := r.fit(channel.Schema, payload, topics.MaxMessage); err != nil {
		return 0, err
	}
	begin := time.Now()
	select {
	case s.answers <- answer{channel: channel, topic: r.o.Names.Event(), payload: payload}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case <-came:
		return time.Since(begin), nil
	case <-s.conn.Done():
		return 0, fmt.Errorf("%w: %w", ErrNotConnected, s.conn.Err())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// echoed notes that a command of the back office came, if it is one that was asked for.
func (r *Reporter) echoed(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if came := r.echoes[id]; came != nil {
		close(came)
		delete(r.echoes, id)
	}
}

func (r *Reporter) noteAck() {
	now := r.o.Clock.Now()
	r.acked.Store(&now)
}
