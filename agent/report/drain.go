package report

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/protocol/topics"
)

// Times of the drainer.
const (
	retryFirst   = 30 * time.Second // topics.md rule 5
	retryMost    = 15 * time.Minute
	drainBeat    = 5 * time.Second // longest sleep, for the watchdog
	hostGrace    = 2 * time.Second // for the retained presence to come after subscribing
	drainBatch   = 64
	eventBatch   = 32 // smaller, so that a new case does not wait behind many events
	unackedTries = 3  // sent so often without dn/ack: a problem
)

// drain sends the outbox over one connection. It is one goroutine.
type drain struct {
	s      *session
	flight []inFlight
	done   []int64       // acknowledged by the broker, not yet passed to the outbox
	first  refund.Notice // stream and earlier number of PUBACKs, equal for all in done
	acked  refund.Notice
	buf    []byte
	spare  [][]byte // payloads that the library has let go of
	broken bool     // the outbox fails; logged once
}

// inFlight is one entry without its PUBACK.
type inFlight struct {
	notice  refund.Notice
	payload []byte
	result  <-chan error
}

func newDrain(s *session) *drain { return &drain{s: s} }

// retryAfter is topics.md rule 5: a wait (30 s) after the first attempt, doubling to 15 min.
func retryAfter(attempt int, first time.Duration) time.Duration {
	d := first
	for ; attempt > 1 && d < retryMost; attempt-- {
		d *= 2
	}
	return min(d, retryMost)
}

// run sends what is due until ctx or the connection ends.
func (d *drain) run(ctx context.Context) {
	defer d.last(ctx)
	for ctx.Err() == nil && d.s.conn.Err() == nil {
		d.beat()
		if err := d.turn(ctx); errors.Is(err, errEnded) {
			return
		} else if err != nil {
			d.outbox(ctx, err)
			d.sleep(ctx, drainBeat, nil)
		}
	}
}

// turn sends one batch, or waits for answers, or sleeps. What is in flight stays
// so between batches: a pause would cost the broker's delayed acknowledgement
// each time.
func (d *drain) turn(ctx context.Context) error {
	if hold, changed := d.hold(); hold {
		if err := d.settle(ctx); err != nil {
			return err
		}
		d.sleep(ctx, drainBeat, changed)
		return nil
	}
	again, err := d.resendForHost(ctx)
	if err != nil {
		return err
	}
	now := d.s.r.o.Clock.Now()
	batch, next, err := d.s.r.o.Terminal.Outbox().Due(ctx, now, drainBatch+len(d.flight))
	if err != nil {
		return err
	}
	d.outbox(ctx, nil)
	batch = slices.DeleteFunc(batch, func(n refund.Notice) bool {
		return slices.ContainsFunc(d.flight, func(f inFlight) bool { return f.notice.Entry == n.Entry && f.notice.Stream == n.Stream })
	})
	switch {
	case len(batch) > 0:
		if batch[0].Class == refund.NoticeEvent && len(batch) > eventBatch {
			batch = batch[:eventBatch]
		}
		return d.send(ctx, batch)
	case len(d.flight) > 0:
		return d.settle(ctx)
	}
	wait := min(drainBeat, again)
	if !next.IsZero() {
		wait = max(min(wait, next.Sub(now)), 10*time.Millisecond)
	}
	d.sleep(ctx, wait, nil)
	return nil
}

// beat feeds the watchdog, unless presence has stopped moving.
func (d *drain) beat() {
	if time.Since(time.Unix(0, d.s.presenceBeat.Load())) < time.Minute {
		d.s.r.progress.Add(1)
	}
}

// hold is topics.md rule 7; changed is closed when the answer may differ.
func (d *drain) hold() (bool, <-chan struct{}) {
	if d.s.r.o.HostID == "" {
		return false, nil
	}
	known, online, changed := d.s.r.host.presence()
	if known && !online {
		d.s.r.problems.set("host_offline", "the back office "+d.s.r.o.HostID+" is offline: cases wait", 0)
		return true, changed
	}
	d.s.r.problems.clear("host_offline")
	return !known && time.Since(d.s.began) < hostGrace, changed
}

// resendForHost makes all that is not acknowledged due at once where the back office that the
// cases wait for has come back: it asks for what it had not stored when it ended, and need
// not wait for topics.md rule 5. wait is until it is to be called again, at least 10 ms.
func (d *drain) resendForHost(ctx context.Context) (wait time.Duration, err error) {
	births, wait, owed := d.s.r.host.resendDue(time.Now())
	switch {
	case !owed:
		return drainBeat, nil
	case wait > 0:
		return max(wait, 10*time.Millisecond), nil
	}
	n, err := d.s.r.o.Terminal.Outbox().Resend(ctx, 1)
	if err != nil {
		return 0, err
	}
	d.s.r.host.resent(births, time.Now())
	d.s.r.log.Info("delivery.host_back", "host", d.s.r.o.HostID, "cases", n)
	return drainBeat, nil
}

// sleep waits for a wake, at most max.
func (d *drain) sleep(ctx context.Context, most time.Duration, changed <-chan struct{}) {
	if changed != nil && most > hostGrace/4 {
		if known, _, _ := d.s.r.host.presence(); !known {
			most = hostGrace / 4
		}
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-d.s.r.wakeDrain:
	case <-changed:
	case <-timer.C:
	case <-d.s.conn.Done():
	case <-ctx.Done():
	}
}

// outbox logs once that the outbox fails, and once that it works again.
func (d *drain) outbox(ctx context.Context, err error) {
	if ctx.Err() != nil || (err != nil) == d.broken {
		return
	}
	if d.broken = err != nil; d.broken {
		d.s.r.log.Warn("outbox.unavailable", "err", err)
	} else {
		d.s.r.log.Info("outbox.available")
	}
}

// send sends a batch in its order with at most drainWindow in flight, and notes
// in the outbox what the broker has acknowledged so far. An error of the class
// errEnded is the connection's, any other the outbox's.
func (d *drain) send(ctx context.Context, batch []refund.Notice) error {
	for i := range batch {
		if err := d.push(ctx, &batch[i]); err != nil {
			return err
		}
	}
	return d.noteSent(ctx)
}

// settle waits for all that is in flight.
func (d *drain) settle(ctx context.Context) error {
	for len(d.flight) > 0 {
		if err := d.pop(ctx); err != nil {
			return err
		}
	}
	return d.noteSent(ctx)
}

// noteSent notes in the outbox what the broker has acknowledged.
func (d *drain) noteSent(ctx context.Context) error {
	if err := d.flush(ctx); err != nil {
		return err
	}
	return d.ackByBroker(ctx)
}

// last waits for what is in flight when the reporter stops, at most stopFlight, and notes
// in the outbox what the broker has acknowledged.
func (d *drain) last(ctx context.Context) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), stopFlight)
	defer done()
	err := error(nil)
	for len(d.flight) > 0 && !errors.Is(err, errEnded) && ctx.Err() == nil {
		err = d.pop(ctx)
	}
	if err := d.noteSent(ctx); err != nil {
		d.s.r.log.Warn("outbox.sent_unsaved", "err", err) // costs duplicates
	}
}

// ackByBroker makes what the broker has acknowledged count as delivered, where
// that is configured (topics.md rule 4): once a batch, because each is a commit.
func (d *drain) ackByBroker(ctx context.Context) error {
	if d.s.r.o.AckMode != AckBroker || d.acked.Sequence == 0 {
		return nil
	}
	_, err := d.s.r.o.Terminal.Outbox().Acked(ctx, d.acked.Stream, d.acked.Sequence)
	d.acked.Sequence = 0
	if errors.Is(err, refund.ErrOtherStream) { // a new one was begun meanwhile, in which it is sent again
		return nil
	}
	return err
}

// push sends one entry when there is room for it in flight.
func (d *drain) push(ctx context.Context, n *refund.Notice) error {
	for len(d.flight) >= drainWindow {
		if err := d.pop(ctx); err != nil {
			return err
		}
	}
	channel, topic := d.channel(n)
	n.Attempt = d.s.r.o.Terminal.Outbox().Attempt(n.Stream, n.Entry)
	d.buf = topics.AppendEvent(d.buf[:0], &topics.Fields{ID: n.ID, Source: d.s.r.o.Names.Source(), Type: n.Type, Subject: n.Subject,
		Stream: n.Stream, Time: n.Time, Sequence: n.Sequence, Attempt: n.Attempt, Historical: n.Historical, ClockSynced: n.ClockSynced, Data: n.Data})
	if err := d.s.r.fit(channel.Schema, d.buf); err != nil {
		return d.quarantine(ctx, n, err)
	}
	payload := append(d.room(), d.buf...)
	result, err := d.s.conn.Send(ctx, topic, channel.QoS, channel.Retain, payload)
	if err != nil {
		return errors.Join(errEnded, err)
	}
	d.flight = append(d.flight, inFlight{*n, payload, result})
	d.flight[len(d.flight)-1].notice.Data = nil
	return nil
}

// room is an empty payload to fill. The bytes of a message are not read any
// more once the broker has acknowledged it.
func (d *drain) room() []byte {
	n := len(d.spare)
	if n == 0 {
		return nil
	}
	b := d.spare[n-1]
	d.spare = d.spare[:n-1]
	return b[:0]
}

func (d *drain) channel(n *refund.Notice) (topics.Channel, string) {
	if n.Class == refund.NoticeCase {
		c, _ := topics.ChannelOf("case")
		return c, d.s.r.o.Names.Case()
	}
	c, _ := topics.ChannelOf("event")
	return c, d.s.r.o.Names.Event()
}

// quarantine is topics.md rule 6 for what must not leave: the outbox queues the event, the
// queue goes on.
func (d *drain) quarantine(ctx context.Context, n *refund.Notice, why error) error {
	code := "schema"
	if errors.Is(why, ErrTooLarge) {
		code = "too_large"
	}
	d.s.r.log.Error("outbox.quarantined", "entry", n.Entry, "type", n.Type, "code", code, "err", why)
	err := d.s.r.o.Terminal.Outbox().Nacked(ctx, n.Stream, n.Entry, code, why.Error())
	if refusedFor(err) != "" { // acknowledged meanwhile, or it has another number in a new stream
		return nil
	}
	return err
}

// pop waits for the oldest entry in flight.
func (d *drain) pop(ctx context.Context) error {
	oldest := d.flight[0]
	if err := d.s.await(ctx, oldest.result); err != nil {
		return err
	}
	d.beat()
	d.flight = append(d.flight[:0], d.flight[1:]...)
	if len(d.spare) < drainWindow {
		d.spare = append(d.spare, oldest.payload)
	}
	n := oldest.notice
	if len(d.done) > 0 && (n.Taken != d.first.Taken || n.Stream != d.first.Stream) || len(d.done) >= drainWindow {
		if err := d.flush(ctx); err != nil {
			return err
		}
	}
	d.done, d.first = append(d.done, n.Entry), n
	if n.Class == refund.NoticeCase {
		d.acked = n
		if taken := n.Taken + 1; taken >= unackedTries && d.s.r.o.AckMode == AckBackoffice {
			d.unacked(taken)
		}
	}
	return nil
}

// unacked reports that the broker takes cases and none is acknowledged: a
// missing consumer, or an access list that throws them away.
func (d *drain) unacked(attempt int) {
	text := "a case was sent " + strconv.Itoa(attempt) + " times and taken by the broker, but nobody acknowledged it: check the back office and the broker's access list"
	if d.s.r.problems.set("unacknowledged", text, 0) {
		d.s.r.log.Warn("delivery.unacknowledged", "attempt", attempt)
		d.s.r.o.Terminal.Event("delivery.unacknowledged", "outbox", slog.Int("attempt", attempt))
	}
}

// flush notes in the outbox what the broker has acknowledged (topics.md rule 4).
func (d *drain) flush(ctx context.Context) error {
	if len(d.done) == 0 {
		return nil
	}
	err := d.s.r.o.Terminal.Outbox().Sent(ctx, d.first.Stream, d.done, d.s.r.o.Clock.Now().Add(retryAfter(d.first.Taken+1, d.s.r.o.AckTimeout)))
	d.done = d.done[:0]
	d.s.r.wakePresence.set()
	return err
}
