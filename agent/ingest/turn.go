package ingest

import "context"

// turn is somebody who waits until all that came before is durable.
type turn struct {
	behind uint64 // Worker.queue.queued when he came
	done   chan struct{}
}

// Turn waits until all that the link has brought so far is durable. Errors: that of ctx. Safe
// for concurrent use while Run runs.
func (w *Worker) Turn(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case w.turnsAsked <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takeTurn takes one in, behind all that was read.
func (w *Worker) takeTurn(done chan struct{}) {
	for w.mayDecode() && w.receive() {
		continue // what lies in the inbox came before it
	}
	w.turns = append(w.turns, turn{w.queued, done})
}

// settleTurns ends the waiting of those whose turn it is.
func (w *Worker) settleTurns() {
	for len(w.turns) > 0 && w.turns[0].behind <= w.settled {
		close(w.turns[0].done)
		w.turns = w.turns[1:]
	}
}
