package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"yuanlu/agent/refund"
)

const (
	// maxSightings bounds one transaction, so that its memory and its time are.
	maxSightings = 512
	// maxWaiting is how many calls of Apply may wait for the commit that is on its way.
	maxWaiting = 256
	// commitWithin is how long one transaction may take before it is given up.
	commitWithin = 30 * time.Second
	// idleTick is how often an idle goroutine shows that it is alive.
	idleTick = 2 * time.Second
)

// errStopped: the agent is stopping and takes no more.
var errStopped = errors.New("agent: stopping")

// applier is the store as the committer sees it. Apply is durable on return: one
// transaction, all or nothing, one answer for every sighting in order. An error
// that is ErrUnavailable concerns the store, any other the arrivals.
type applier interface {
	Apply(ctx context.Context, a []refund.Arrival) ([]refund.Applied, error)
}

// committer gathers what waits from all links into one transaction. The first to
// come is committed at once; those who come while a commit is on its way share
// the next one. Its Apply is what the workers call; it is safe for concurrent use.
type committer struct {
	store       applier
	unavailable func(error) bool       // whether an error concerns the store as a whole
	after       func([]refund.Applied) // told what has become durable, after the callers
	queue       chan commitRequest
	stopped     chan struct{} // closed when run has ended
	result      func(error)   // called with the result of each transaction that tells of the store; nil: it works
	progress    atomic.Uint64
	commits     atomic.Uint64
}

type commitRequest struct {
	arrivals  []refund.Arrival
	sightings int
	done      chan commitResult // of size 1: the answer never waits for a caller that left
}

type commitResult struct {
	applied []refund.Applied
	err     error
}

func newCommitter(store applier, unavailable func(error) bool, after func([]refund.Applied), result func(error)) *committer {
	return &committer{store: store, unavailable: unavailable, after: after, result: result,
		queue: make(chan commitRequest, maxWaiting), stopped: make(chan struct{})}
}

// Apply waits until the arrivals are durable, with those of other links. After an
// error it is unknown whether they are; doing it again is safe.
func (c *committer) Apply(ctx context.Context, a []refund.Arrival) ([]refund.Applied, error) {
	r := commitRequest{arrivals: a, done: make(chan commitResult, 1)}
	for i := range a {
		r.sightings += len(a[i].Sightings)
	}
	select {
	case c.queue <- r:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.stopped:
		return nil, errStopped
	}
	select {
	case res := <-r.done:
		return res.applied, res.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.stopped:
		select {
		case res := <-r.done:
			return res.applied, res.err
		default:
			return nil, errStopped
		}
	}
}

// run commits until ctx ends. A commit that is on its way is finished.
func (c *committer) run(ctx context.Context) {
	defer close(c.stopped)
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	for {
		c.progress.Add(1)
		select {
		case r := <-c.queue:
			c.commit(ctx, c.gather(r))
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// gather adds to the first request those that wait already.
func (c *committer) gather(first commitRequest) []commitRequest {
	batch, n := []commitRequest{first}, first.sightings
	for n < maxSightings {
		select {
		case r := <-c.queue:
			batch, n = append(batch, r), n+r.sightings
		default:
			return batch
		}
	}
	return batch
}

func (c *committer) commit(ctx context.Context, batch []commitRequest) {
	var all []refund.Arrival
	for _, r := range batch {
		all = append(all, r.arrivals...)
	}
	applied, err := c.apply(ctx, all)
	switch {
	case err == nil:
		c.deliver(batch, applied)
		return
	case len(batch) > 1 && !c.unavailable(err):
		// What one link brought must not hold up the others.
		for _, r := range batch {
			c.commit(ctx, []commitRequest{r})
		}
		return
	}
	for _, r := range batch {
		r.done <- commitResult{err: err}
	}
}

func (c *committer) apply(ctx context.Context, all []refund.Arrival) ([]refund.Applied, error) {
	// The stop of the agent does not tear a commit apart: it only begins no new one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	applied, err := c.store.Apply(ctx, all)
	if err == nil || c.unavailable(err) {
		c.result(err)
	}
	if err != nil {
		return nil, err
	}
	want := 0
	for i := range all {
		want += len(all[i].Sightings)
	}
	if len(applied) != want {
		return nil, fmt.Errorf("agent: the store answered %d sightings, want %d", len(applied), want)
	}
	c.commits.Add(1)
	return applied, nil
}

func (c *committer) deliver(batch []commitRequest, applied []refund.Applied) {
	rest := applied
	for _, r := range batch {
		r.done <- commitResult{applied: rest[:r.sightings:r.sightings]}
		rest = rest[r.sightings:]
	}
	c.after(applied)
}
