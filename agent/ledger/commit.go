package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"yuanlu/agent/refund"
)

const (
	// maxSightings bounds one transaction of arrivals, so that its memory and its time are.
	maxSightings = 512
	// commitWithin is how long one transaction of arrivals may take, with the wait for the
	// writer, before it is given up.
	commitWithin = 30 * time.Second
)

// submission is the arrivals of one caller, and then what became of them.
type submission struct {
	arrivals  []refund.Arrival
	sightings int
	done      func([]refund.Applied, error)
	applied   []refund.Applied
	err       error
}

// committer is what waits to be committed. One goroutine, from the first submission to the
// closing of the store, commits: the first submission at once; those that come while a commit
// is on its way share the next one. It is not started for each, because what it calls needs
// a large stack, and to grow one costs a quarter of a small commit.
type committer struct {
	mu       sync.Mutex // guards the rest
	waiting  []*submission
	changed  sync.Cond     // of waiting and closed
	ended    chan struct{} // closed when the goroutine ends, nil: it has not begun
	idle     bool          // it has nothing to commit
	closed   bool
	progress uint64
}

// Submit is Apply for a caller that must not wait: done is called once, with what Apply
// would return, from the goroutine that committed or, if the store is closed or read-only,
// before Submit returns. It may not block. The arrivals are not to be changed until then.
// Submissions are stored in the order in which they came.
func (d *DB) Submit(arrivals []refund.Arrival, done func([]refund.Applied, error)) {
	if err := d.submit(&submission{arrivals: arrivals, sightings: sightings(arrivals), done: done}); err != nil {
		done(nil, err)
	}
}

func (d *DB) submit(s *submission) error {
	if d.readOnly {
		return ErrReadOnly
	}
	q := &d.committer
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.waiting = append(q.waiting, s)
	if q.ended == nil {
		q.changed.L, q.ended = &q.mu, make(chan struct{})
		go d.commitAll(q.ended)
	}
	q.changed.Signal()
	return nil
}

// Progress returns a number for a watchdog: it grows at each call while commits end or
// nothing waits. If it stays equal, one commit has been on its way since the last call.
func (d *DB) Progress() uint64 {
	q := &d.committer
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.idle || q.ended == nil {
		q.progress++
	}
	return q.progress
}

// commitAll commits until the store is closed and nothing waits.
func (d *DB) commitAll(ended chan struct{}) {
	defer close(ended)
	for d.committer.more() {
		d.commitNext()
	}
}

// more waits for something to commit; false: there will be nothing.
func (q *committer) more() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.progress++
	q.idle = true
	for len(q.waiting) == 0 && !q.closed {
		q.changed.Wait()
	}
	q.idle = false
	return len(q.waiting) > 0
}

// take returns the submissions of the next transaction.
func (q *committer) take() []*submission {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for total := 0; n < len(q.waiting) && (n == 0 || total < maxSightings); n++ {
		total += q.waiting[n].sightings
	}
	batch := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	return batch
}

// withdraw takes out a submission that still waits; false: it is being committed, or was.
func (q *committer) withdraw(s *submission) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.waiting {
		if other == s {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// close has later submissions refused and waits until none is being committed.
func (q *committer) close() {
	q.mu.Lock()
	q.closed = true
	ended := q.ended
	q.mu.Unlock()
	if ended != nil {
		q.changed.Signal()
		<-ended
	}
}

// commitNext commits what waits, or as much of it as fits one transaction, and answers.
func (d *DB) commitNext() {
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	defer cancel()
	err := d.acquire(ctx)
	batch := d.committer.take()
	if err == nil {
		if len(batch) > 0 {
			d.commitTogether(ctx, batch)
		}
		d.release()
	}
	for _, s := range batch {
		if err != nil {
			s.err = err
		}
		s.done(s.applied, s.err)
	}
}

// commitTogether has the writer and commits submissions in one transaction. If it fails
// because of what one of them brought, each gets a transaction of its own.
func (d *DB) commitTogether(ctx context.Context, batch []*submission) {
	all := batch[0].arrivals
	for _, s := range batch[1:] {
		all = append(all[:len(all):len(all)], s.arrivals...)
	}
	applied, err := d.apply(ctx, all)
	if err != nil && len(batch) > 1 && !errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		for _, s := range batch {
			s.applied, s.err = d.apply(ctx, s.arrivals)
		}
		return
	}
	for _, s := range batch {
		if s.err = err; err == nil {
			s.applied, applied = applied[:s.sightings:s.sightings], applied[s.sightings:]
		}
	}
}
