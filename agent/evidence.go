package agent

import (
	"context"
	"time"

	"yuanlu/agent/beat"
	"yuanlu/agent/ledger"
	"yuanlu/protocol/evidence"
)

// stopNoted is how long the note of a stop may take.
const stopNoted = 300 * time.Millisecond

// noteRun notes in the evidence log that the agent starts, under which configuration it runs, and
// that it stops (evidence.md § 1). A note that cannot be stored is logged; nothing waits for it.
func (a *Agent) noteRun(ctx context.Context, db *ledger.DB) error {
	keep := func(ctx context.Context, what string, members []byte) bool {
		err := db.NoteLog(ctx, what, members)
		if err != nil && ctx.Err() == nil {
			a.log.Warn("log.note_lost", "what", what, "err", err)
		}
		return err == nil
	}
	keep(ctx, "start", nil)
	noted := ""
	for ctx.Err() == nil {
		if digest := a.Digest(); digest != noted && keep(ctx, "config", append(evidence.AppendString([]byte(`{"digest":`), digest), '}')) {
			noted = digest
		}
		a.sumLost()
		a.sums.due(time.Now(), func(n note) bool { return keep(ctx, n.what, n.members) })
		rest(ctx, beat.Every)
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), stopNoted)
	defer done()
	keep(last, "stop", nil)
	return nil
}

// sumLost takes in what the links have lost so far.
func (a *Agent) sumLost() {
	a.mu.Lock()
	workers := a.workers
	a.mu.Unlock()
	for _, w := range workers {
		h := w.Health()
		a.sums.link(h.Name, h.SkippedBytes)
	}
}
