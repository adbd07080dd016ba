package report

import (
	"context"
	"errors"
	"time"

	"yuanlu/protocol/evidence"
	"yuanlu/protocol/topics"
)

// EvidenceLog is the terminal's evidence log; *ledger.DB has one. It is safe for concurrent use.
type EvidenceLog interface {
	// CheckpointDue returns how long it is until the next checkpoint is to be made; false: none is.
	CheckpointDue() (time.Duration, bool)
	// Checkpoint returns the message about the first size leaves, 0: all that are durable.
	Checkpoint(ctx context.Context, size int64) (*evidence.Announcement, error)
	// Cosigned takes what came on dn/cosign and returns what it means, and the size of its note.
	Cosigned(ctx context.Context, origin, checkpoint, desk string, cosigner *evidence.Key) (evidence.Answered, int64, error)
}

// How long a checkpoint may be unanswered before it is published again: it doubles (evidence.md § 2).
const (
	firstUnanswered = 30 * time.Second
	mostUnanswered  = 6 * time.Hour
)

// checkpointLook is how often it is looked whether a checkpoint is due that nothing has woken for.
const checkpointLook = time.Minute

// answeredWith is what an answer on dn/cosign meant.
type answeredWith struct {
	is   evidence.Answered
	size int64
}

// checkpoints publishes the checkpoints of the evidence log on one connection.
type checkpoints struct {
	s        *session
	made     int64     // size of the newest one that was published, 0: none
	from     int64     // the size that it continues
	answered bool      // it is co-signed
	again    time.Time // when it is published again
	wait     time.Duration
}

// run publishes until ctx ends; the newest checkpoint at once.
func (c *checkpoints) run(ctx context.Context) {
	for wait := c.publish(ctx, 0); ctx.Err() == nil; {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-c.s.r.wakeCheckpoint:
		case a := <-c.s.cosigned:
			c.take(a)
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() == nil {
			wait = c.turn(ctx)
		}
	}
}

// take notes an answer. An older note than the newest is the base of what is published again at
// once; one that says nothing new waits for its time.
func (c *checkpoints) take(a answeredWith) {
	switch {
	case a.is == evidence.Contradicted:
		c.made, c.from, c.answered, c.again = 0, 0, false, time.Now()
	case a.is == evidence.Base && a.size >= c.made:
		c.answered = true
	case a.is == evidence.Base && a.size > c.from:
		c.again = time.Now()
	}
}

// turn publishes what is due and returns when to look again.
func (c *checkpoints) turn(ctx context.Context) time.Duration {
	log := c.s.r.o.Terminal.Evidence()
	if log == nil {
		return checkpointLook
	}
	if due, ok := log.CheckpointDue(); ok && due <= 0 {
		return c.publish(ctx, 0)
	}
	if !c.answered && !c.again.After(time.Now()) {
		return c.publish(ctx, c.made)
	}
	return c.next(log)
}

// next returns when to look again.
func (c *checkpoints) next(log EvidenceLog) time.Duration {
	wait := checkpointLook
	if due, ok := log.CheckpointDue(); ok {
		wait = min(wait, max(due, 0))
	}
	if !c.answered {
		wait = min(wait, max(time.Until(c.again), 0))
	}
	return wait
}

// publish publishes the checkpoint of a size, 0: of all leaves.
func (c *checkpoints) publish(ctx context.Context, size int64) time.Duration {
	log := c.s.r.o.Terminal.Evidence()
	if log == nil {
		return checkpointLook
	}
	a, err := log.Checkpoint(ctx, size)
	if err != nil {
		if size > 0 && errors.Is(err, evidence.ErrProof) {
			c.made = 0 // of a log that has ended, or what lies behind it is co-signed: a new one is made
		}
		if ctx.Err() == nil {
			c.s.r.log.Warn("log.checkpoint_waits", "err", err)
		}
		c.again = time.Now().Add(checkpointLook)
		return checkpointLook
	}
	if a.Note.Size != c.made {
		c.wait = firstUnanswered / 2
	}
	c.wait = min(2*c.wait, mostUnanswered)
	c.made, c.from, c.answered, c.again = a.Note.Size, a.From, a.From == a.Note.Size, time.Now().Add(c.wait)
	channel, _ := topics.ChannelOf("checkpoint")
	select {
	case c.s.answers <- answer{channel: channel, topic: c.s.r.o.Names.Checkpoint(), payload: a.Append(nil)}:
	case <-ctx.Done():
	}
	return c.next(log)
}

// cosign takes a message on dn/cosign. It runs in the Broker's one goroutine.
func (s *session) cosign(topic string, body []byte) {
	var a topics.Cosign
	if err := s.r.check.Decode("cosign.v1", body, &a); err != nil {
		s.r.refuse(topic, "schema", err)
		return
	}
	log := s.r.o.Terminal.Evidence()
	if log == nil {
		return // it comes again when the newest checkpoint is published
	}
	ctx, done := context.WithTimeout(context.Background(), downTime)
	defer done()
	is, size, err := log.Cosigned(ctx, a.Origin, a.Checkpoint, a.Desk, s.r.o.Cosigner)
	if err != nil {
		s.r.log.Warn("log.cosign_lost", "size", size, "err", err) // it is answered again
		return
	}
	if is == evidence.Contradicted {
		s.r.log.Error("log.contradicted", "size", size)
		s.r.Wake()
	}
	select {
	case s.cosigned <- answeredWith{is, size}:
	default: // an older one is on its way to the same goroutine, and the checkpoint comes again
	}
}
