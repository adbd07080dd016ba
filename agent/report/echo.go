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

// Echo says health again and returns the time until the broker has acknowledged it.
// Errors: ErrNotConnected, ctx's, that of the connection.
func (r *Reporter) Echo(ctx context.Context) (time.Duration, error) {
	s := r.session()
	if s == nil {
		return 0, ErrNotConnected
	}
	h := r.health(s.id)
	if stat, err := r.o.Outbox.OutboxStat(ctx); err == nil {
		h.Outbox = r.healthOutbox(stat)
	}
	channel, _ := topics.ChannelOf("health")
	payload, err := r.payload(channel.Schema, &h)
	if err != nil {
		return 0, err
	}
	said := make(chan sent, 1)
	select {
	case s.answers <- answer{channel: channel, topic: r.o.Names.Health(), payload: json.RawMessage(payload), said: said}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case one := <-said:
		return one.took, one.err
	case <-s.conn.Done():
		return 0, fmt.Errorf("%w: %w", ErrNotConnected, s.conn.Err())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// HostStatus is the presence of the back office that the cases wait for.
type HostStatus struct {
	Known  bool // it has said something since the start
	Online bool
	At     time.Time // by its own clock, when it said so
}

// Host tells what is known about the back office of Options.HostID; ok is false where
// none is configured.
func (r *Reporter) Host() (h HostStatus, ok bool) {
	r.host.mu.Lock()
	defer r.host.mu.Unlock()
	h = HostStatus{Known: r.host.known, Online: r.host.online}
	if h.Known {
		h.At = time.UnixMilli(r.host.timestamp)
	}
	return h, r.o.HostID != ""
}

// LastAck is when the back office last acknowledged a case, zero if it has not since
// the start.
func (r *Reporter) LastAck() time.Time {
	if at := r.acked.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (r *Reporter) noteAck() {
	now := r.o.Now()
	r.acked.Store(&now)
}
