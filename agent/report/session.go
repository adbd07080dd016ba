package report

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

// How long the parts of a clean stop may take; together under 4 s.
const (
	stopFlight  = 2 * time.Second // for what is in flight
	stopPublish = time.Second     // for publishing offline
	stopClose   = time.Second     // for the DISCONNECT
)

// mostInFlight is topics.md rule 2: 14 entries of the outbox, one message of presence, one
// answer.
const (
	mostInFlight = 16
	drainWindow  = mostInFlight - 2
)

// session is one connection.
type session struct {
	r            *Reporter
	conn         Broker
	id           string
	began        time.Time // by time.Now: the wall clock may be set meanwhile
	answers      chan answer
	cosigned     chan answeredWith // of size 8
	republish    signal            // publish everything again (command rebirth)
	presenceBeat atomic.Int64
	granted      atomic.Bool // the broker granted what comes down
	exact        atomic.Bool // dn/config has a subscription of its own
	refused      []filter    // what the broker refused; of subscribe, then of subscribeAgain alone

	received bool      // of receive alone: something came down
	config   [32]byte  // likewise: SHA-256 of the last dn/config
	configAt time.Time // likewise: when it came, by time.Now
}

// answer is one message that somebody waits for: on up/rsp, or an echo.
type answer struct {
	channel   topics.Channel
	topic     string
	payload   []byte
	published chan<- sent // of size 1, or nil: what became of it is not asked for
	// claimed is set by the first of the goroutine that sends it and the one that has waited
	// for that too long and takes it back. nil: it cannot be taken back.
	claimed *atomic.Bool
}

// sent is what became of a message.
type sent struct {
	took time.Duration // from handing it over to the broker's PUBACK
	err  error
}

func newSession(r *Reporter, conn Broker, id string) *session {
	s := &session{r: r, conn: conn, id: id, began: time.Now(), answers: make(chan answer, 32), republish: make(signal, 1), cosigned: make(chan answeredWith, 8)}
	s.presenceBeat.Store(time.Now().UnixNano())
	return s
}

// run works until the connection or ctx ends, and closes the connection.
func (s *session) run(ctx context.Context) {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.close(ctx)
	if !s.subscribe(work) {
		return
	}
	p := newPresence(s)
	if p.publishState(work) != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { newDrain(s).run(work) })
	wg.Go(func() { p.run(work) })
	wg.Go(func() { s.answer(work) })
	wg.Go(func() { (&checkpoints{s: s}).run(work) })
	wg.Go(func() { s.subscribeAgain(work) })
	select {
	case <-s.conn.Done():
	case <-ctx.Done():
	}
	cancel()
	wg.Wait()
	if s.conn.Err() == nil { // a clean stop: a DISCONNECT discards the will
		bye, done := context.WithTimeout(context.WithoutCancel(ctx), stopPublish)
		defer done()
		if err := p.publishOffline(bye); err != nil {
			s.r.log.Warn("mqtt.offline_unsaid", "err", err)
		}
	}
}

func (s *session) close(ctx context.Context) {
	bye, done := context.WithTimeout(context.WithoutCancel(ctx), stopClose)
	defer done()
	if err := s.conn.Close(bye); err != nil {
		s.r.log.Debug("mqtt.close", "err", err)
	}
}

// publish sends one message and waits until the broker has acknowledged it.
func (s *session) publish(ctx context.Context, channel topics.Channel, topic string, payload []byte) error {
	result := make(chan error, 1)
	err := s.conn.Send(ctx, mqtt.Outgoing{Topic: topic, QoS: channel.QoS, Retain: channel.Retain, Payload: payload, Result: result})
	if err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer sends answers and log lines until ctx ends; answers that wait then
// still go, within the time of a stop.
func (s *session) answer(ctx context.Context) {
	for {
		select {
		case a := <-s.answers:
			if s.publishAnswer(ctx, a) != nil && ctx.Err() == nil {
				return // the connection has ended
			}
		case line := <-s.r.logs:
			s.sendLog(ctx, line)
		case <-ctx.Done():
			s.lastAnswers(context.WithoutCancel(ctx))
			return
		}
	}
}

func (s *session) publishAnswer(ctx context.Context, a answer) error {
	if a.claimed != nil && !a.claimed.CompareAndSwap(false, true) {
		return nil // taken back
	}
	begin := time.Now()
	err := s.publish(ctx, a.channel, a.topic, a.payload)
	if a.published != nil {
		a.published <- sent{time.Since(begin), err}
	}
	return err
}

func (s *session) lastAnswers(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, stopFlight)
	defer done()
	for {
		select {
		case a := <-s.answers:
			if s.publishAnswer(ctx, a) != nil {
				return
			}
		default:
			return
		}
	}
}

// errEnded wraps why a worker of a session stopped early.
var errEnded = errors.New("report: connection ended")

// await waits for the answer to a Send. While the connection stands it comes
// within the Broker's own time.
func (s *session) await(ctx context.Context, result <-chan error) error {
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("%w: %w", errEnded, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
