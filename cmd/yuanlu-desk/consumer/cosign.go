package consumer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// Command evidence (evidence.md § 3), and the topic of its answers.
const (
	cmdEvidence = "evidence"
	rspEvidence = "rsp/" + cmdEvidence
)

// Asker asks terminals for the leaves of cases; leaves.Asker is one.
type Asker interface {
	Take(terminal string, payload []byte)
	Run(ctx context.Context, send func(terminal string, c topics.Cmd) error) error
}

// leaves hands an answer to the command evidence on; false for every other message.
func (c *Consumer) leaves(topic string, payload []byte) bool {
	rest, ok := strings.CutPrefix(topic, c.o.Root+"/v1/")
	if !ok || c.o.Leaves == nil {
		return false
	}
	terminal, rest, _ := strings.Cut(rest, "/up/")
	if rest != rspEvidence || topics.CheckPart(terminal) != nil {
		return false
	}
	c.o.Leaves.Take(terminal, payload)
	return true
}

// ask lets terminals be asked on this connection, until ctx ends.
func (c *Consumer) ask(ctx context.Context, conn Broker) {
	if c.o.Leaves == nil || c.o.Observe {
		return
	}
	err := c.o.Leaves.Run(ctx, func(terminal string, cmd topics.Cmd) error {
		body, err := json.Marshal(&cmd)
		if err != nil {
			return err
		}
		return c.send(conn, topics.Names{Root: c.o.Root, Terminal: terminal}.Cmd(cmdEvidence), terminal, false, body)
	})
	if err != nil && ctx.Err() == nil {
		c.o.Log.Debug("evidence.unasked", "err", err) // the next connection
	}
}

// cosign answers checkpoints (evidence.md § 2). What is answered is committed.
func (c *Consumer) cosign(conn Broker, a *store.Answer) error {
	if c.o.Observe {
		return nil
	}
	for i := range a.Cosigned {
		one := &a.Cosigned[i]
		body, err := json.Marshal(topics.Cosign{V: 1, Origin: one.Answer.Origin, Checkpoint: one.Answer.Checkpoint, Desk: a.DeskNote})
		if err != nil {
			return err
		}
		if err := c.send(conn, topics.Names{Root: c.o.Root, Terminal: one.Terminal}.Cosign(), one.Terminal, true, body); err != nil {
			return err
		}
	}
	return nil
}

// send sends what comes down to a terminal, signed where there is a key.
func (c *Consumer) send(conn Sender, topic, terminal string, retain bool, body []byte) (err error) {
	if c.o.Key != nil {
		if body, err = topics.Sign(c.o.Key, c.o.KeyID, topic, terminal, rand.Text(), c.o.Now(), body); err != nil {
			return err
		}
	}
	return conn.Send(topic, retain, body)
}

// countLogs logs alarms about logs of terminals.
func (c *Consumer) countLogs(a *store.Answer) {
	for _, one := range a.LogAlarms {
		if c.alarms.worth() {
			c.o.Log.Error("evidence."+one.Code, "terminal", one.Terminal, "origin", one.Origin, "why", one.Why, "alarm", one.N, "times", c.alarms.n,
				"remedy", "both notes are kept with the alarm: yuanlu-desk evidence alarms")
		}
	}
	for _, origin := range a.Forked {
		c.o.Log.Error("evidence.desk_forked", "origin", origin,
			"remedy", "a terminal has a note that this desk signed and does not have: its store was put back from a copy. A new log was begun, and takes in all events and notes")
	}
	if a.OtherKey && c.alarms.worth() {
		c.o.Log.Error("evidence.other_key", "times", c.alarms.n, "remedy", "another desk on this store has begun a log of another co-signing key: all desks of one store must have one --cosign-key")
	}
}
