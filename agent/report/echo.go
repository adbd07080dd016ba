package report

import (
	"context"
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

func (r *Reporter) noteAck() {
	now := r.o.Clock.Now()
	r.acked.Store(&now)
}
