package report

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"yuanlu/agent/beat"
	"yuanlu/agent/refund"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

// Times of the drainer.
const (
	retryFirst   = 30 * time.Second // topics.md rule 5
	retryMost    = 15 * time.Minute
	drainBeat    = beat.Every      // longest sleep, for the watchdog
	hostGrace    = 2 * time.Second // for the retained presence to come after subscribing
	drainBatch   = 32
	eventBatch   = 14 // smaller, so that a new case does not wait behind many events
	unackedTries = 3  // sent so often without dn/ack: a problem
)

// drain sends the outbox over one connection. It is one goroutine.
type drain struct {
	s      *session
	batch  []refund.Notice // what the outbox returned last; its memory is used again
	flight []inFlight
	except []int64                        // the entries in flight
	done   []int64                        // acknowledged by the broker, not yet passed to the outbox
	first  inFlight                       // stream and earlier number of PUBACKs, equal for all in done
	acked  [refund.NoticeDay + 1]inFlight // by class: the newest that the broker has acknowledged
	leave  []mqtt.Outgoing
	spare  []inFlight                  // memory of what is in flight no more
	broken bool                        // the outbox fails; logged once
	routes [refund.NoticeDay + 1]route // by refund.Notice.Class
}

// route is where a class of entries goes.
type route struct {
	channel topics.Channel
	topic   string
}

// inFlight is one entry without its PUBACK. Payload and result are used again.
type inFlight struct {
	entry    int64
	sequence int64 // 0: no case
	stream   string
	class    refund.NoticeClass
	taken    int // PUBACKs before this one
	payload  []byte
	result   chan error
}

func newDrain(s *session) *drain {
	d := &drain{s: s}
	d.routes[refund.NoticeCase].channel, _ = topics.ChannelOf("case")
	d.routes[refund.NoticeCase].topic = s.r.o.Names.Case()
	d.routes[refund.NoticeEvent].channel, _ = topics.ChannelOf("event")
	d.routes[refund.NoticeEvent].topic = s.r.o.Names.Event()
	d.routes[refund.NoticeDay].channel, _ = topics.ChannelOf("day")
	d.routes[refund.NoticeDay].topic = s.r.o.Names.Day()
	return d
}

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
	batch, next, err := d.s.r.o.Terminal.Outbox().Due(ctx, now, drainBatch, d.batch, d.except...)
	if err != nil {
		return err
	}
	d.outbox(ctx, nil)
	switch {
	case len(batch) > 0:
		d.batch = batch
		if batch[0].Class == refund.NoticeEvent && len(batch) > eventBatch {
			batch = batch[:eventBatch]
		}
		return d.send(ctx, batch)
	case len(d.flight) > 0:
		return d.settle(ctx)
	}
	d.batch, d.spare = nil, nil // there may be none for days
	wait := min(beat.In(time.Now(), drainBeat), again)
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
//
// When the window is full half of it is waited for, and as many go out together: a write for
// each would be most of the cost. What is left in flight keeps the broker at work meanwhile.
func (d *drain) send(ctx context.Context, batch []refund.Notice) error {
	for len(batch) > 0 {
		if err := d.collect(ctx, len(batch)); err != nil {
			return err
		}
		n := min(len(batch), drainWindow-len(d.flight))
		if err := d.push(ctx, batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return d.noteSent(ctx)
}

// collect takes the answers that are there, and waits until there is room for so many, or
// half of the window is free.
func (d *drain) collect(ctx context.Context, wanted int) error {
	most := drainWindow - min(wanted, drainWindow/2)
	for len(d.flight) > most || len(d.flight) > 0 && len(d.flight[0].result) > 0 {
		if err := d.pop(ctx); err != nil {
			return err
		}
	}
	return nil
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
	if d.s.r.o.AckMode != AckBroker {
		return nil
	}
	for class := range d.acked {
		newest := &d.acked[class]
		if newest.sequence == 0 {
			continue
		}
		_, err := d.s.r.o.Terminal.Outbox().Acked(ctx, newest.stream, newest.sequence, "")
		newest.sequence = 0
		if err != nil && !errors.Is(err, refund.ErrOtherStream) { // a new one was begun meanwhile, in which it is sent again
			return err
		}
	}
	return nil
}

// push sends entries for which there is room in flight, together.
func (d *drain) push(ctx context.Context, entries []refund.Notice) error {
	d.leave = d.leave[:0]
	already := len(d.flight)
	for i := range entries {
		if err := d.prepare(ctx, &entries[i]); err != nil {
			d.flight = d.flight[:already]
			return err
		}
	}
	d.except = d.except[:0]
	for i := range d.flight {
		d.except = append(d.except, d.flight[i].entry)
	}
	if len(d.leave) == 0 {
		return nil
	}
	if err := d.s.conn.Send(ctx, d.leave...); err != nil {
		return errors.Join(errEnded, err)
	}
	return nil
}

// prepare adds an entry to those that leave, unless it must not.
func (d *drain) prepare(ctx context.Context, n *refund.Notice) error {
	to := &d.routes[n.Class]
	n.Attempt = d.s.r.o.Terminal.Outbox().Attempt(n.Stream, n.Entry)
	f := d.room()
	f.payload = topics.AppendEvent(f.payload[:0], &topics.Fields{ID: n.ID, Source: d.s.r.o.Names.Source(), Type: n.Type, Subject: n.Subject,
		Stream: n.Stream, Time: n.Time, Sequence: n.Sequence, Attempt: n.Attempt, Historical: n.Historical, ClockSynced: n.ClockSynced, Data: n.Data})
	if err := d.s.r.fit(to.channel.Schema, f.payload, topics.MaxMessage); err != nil {
		return d.quarantine(ctx, n, err)
	}
	f.entry, f.sequence, f.stream, f.class, f.taken = n.Entry, n.Sequence, n.Stream, n.Class, n.Taken
	d.flight = append(d.flight, f)
	d.leave = append(d.leave, mqtt.Outgoing{Topic: to.topic, QoS: to.channel.QoS, Retain: to.channel.Retain, Payload: f.payload, Result: f.result})
	return nil
}

// room is memory for one more in flight. The bytes of a message are not read any
// more once the broker has acknowledged it.
func (d *drain) room() inFlight {
	n := len(d.spare)
	if n == 0 {
		return inFlight{result: make(chan error, 1)}
	}
	f := d.spare[n-1]
	d.spare = d.spare[:n-1]
	return f
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
	d.except = append(d.except[:0], d.except[1:]...)
	if len(d.spare) < drainWindow {
		d.spare = append(d.spare, oldest)
	}
	if len(d.done) > 0 && (oldest.taken != d.first.taken || oldest.stream != d.first.stream) || len(d.done) >= drainWindow {
		if err := d.flush(ctx); err != nil {
			return err
		}
	}
	d.done, d.first = append(d.done, oldest.entry), oldest
	if oldest.sequence > 0 {
		if newest := &d.acked[oldest.class]; oldest.stream != newest.stream || oldest.sequence > newest.sequence { // a retry follows newer ones
			*newest = oldest
		}
		if taken := oldest.taken + 1; oldest.class == refund.NoticeCase && taken >= unackedTries && d.s.r.o.AckMode == AckBackoffice {
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
	err := d.s.r.o.Terminal.Outbox().Sent(ctx, d.first.stream, d.done, d.s.r.o.Clock.Now().Add(retryAfter(d.first.taken+1, d.s.r.o.AckTimeout)))
	d.done = d.done[:0]
	d.s.r.wakePresence.set()
	return err
}
