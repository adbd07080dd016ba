package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// judge is what the store asks of refund.Judge; tests have others.
type judge interface {
	Apply(h refund.History, seq int64, r refund.Record) (refund.Changes, error)
	Release(h refund.History, seq int64) (refund.Changes, error)
	Redated(h refund.History, seqs []int64) (refund.Changes, error)
	Foresee(h refund.History, seq int64, a *refund.Ask) (refund.Foreseen, error)
	SupposedOriginal(h refund.History, seq int64) (int64, error)
}

// DB is the store of one terminal. It is safe for concurrent use. Every exported
// method that writes is one transaction, durable when it returns nil; Sent and Acked
// hold at once in this process and are saved some together.
//
// After an I/O error the store closes itself and every method returns
// ErrUnavailable until a later call has reopened and checked it.
type DB struct {
	dir       string
	o         Options
	judge     judge
	keys      *Keys
	lock      *storeLock
	readOnly  bool
	temporary bool
	arrived   arrivals

	writer        chan struct{} // holds one token: the right to use what stands below
	w             *conn         // nil while the store is not available
	now           figures       // as committed
	index         *keyIndex
	lacking       atomic.Pointer[lacking] // as of now and index, for readers
	unreleased    map[int64]*unreleasedVerdict
	links         map[string]int64
	names         map[int64]string
	fault         error         // why w is nil
	failed        time.Time     // when it was last tried in vain
	failedIn      time.Duration // how long that took
	contradiction time.Time     // when a row was last in the way of another
	lost          []*attempt    // batches whose commit failed and which may be on the disk
	unknown       bool          // the last transaction failed in its commit
	ran           running
	recent        recent
	following     following
	dueDays       map[string]bool      // the table day_due
	notBefore     map[string]time.Time // when a day that is due may be published again
	digesting
	damagePublished int  // how many of damage have an event
	rebuilding      bool // a salvage judges old records again
	book            *ask.Book
	closed          bool

	committer committer     // arrivals that wait to be stored; has a lock of its own
	queue     *outbox.Queue // what waits in the outbox; has a lock of its own
	log       evidenceLog   // the evidence log; belongs to the writer
	due       checkpointDue // when its next checkpoint is made; has a lock of its own
	days      *outbox.Days  // digests that wait; has a lock of its own
	guarded   guarded       // what is counted of the refunds; has a lock of its own
	damageMu  sync.Mutex    // guards damage
	damage    []DamageNote
	renewing  sync.RWMutex // written while the stream changes: what Due returns is of one stream; taken before writer
	renewal   atomic.Pointer[Renewal]
	readers   readers
}

// figures is what a transaction counts on from the one before. It is copied when
// one begins and copied back when it is committed, so a rollback undoes it.
type figures struct {
	seq       int64 // newest record
	bounds    refund.Bounds
	newest    time.Time // newest trusted `at`
	synced    bool      // whether the clock was trusted at the newest record, or is since
	undated   undated
	payers    payers
	days      []dayCount // what the table daily lacks
	outbox    outbox.Figures
	tallies   outbox.Tallies
	removed   int64 // records that retention has removed
	sweeping  bool  // keys of removed records may be left
	swept     sweepPlace
	looked    int64  // newest record that retention has looked at
	lackSales bool   // cases of an earlier version may lack their sales
	runDay    string // of the newest run in day_run
}

// tx is one transaction on the writer connection.
type tx struct {
	d     *DB
	c     *conn
	n     figures
	h     *history
	links map[string]int64 // added by this transaction
	atEnd []func()         // run once it is committed
	// ifFailed is run, the last first, if it is not.
	ifFailed []ask.Undo
	out      *outbox.Tx     // has the outbox's figures; those of n are set at the end
	caseID   string         // in place of the computed one, "": none
	dueDays  []string       // that this transaction has noted as due
	left     leaving        // leaves of the evidence log
	removed  int64          // the newest record that retention has removed
	undone   map[int64]bool // refunds and voids that the record at hand has undone
}

// after has f run once the transaction is committed.
func (t *tx) after(f func()) { t.atEnd = append(t.atEnd, f) }

// acquire waits for the writer; release lets the next one have it.
func (d *DB) acquire(ctx context.Context) error {
	select {
	case <-d.writer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *DB) release() { d.writer <- struct{}{} }

// write runs do in a transaction. See DB for what an error means.
func (d *DB) write(ctx context.Context, do func(*tx) error) error {
	if d.readOnly {
		return ErrReadOnly
	}
	return d.withWriter(ctx, func(*conn) error { return d.transact(do) })
}

// withWriter calls do with the writer, reopening the store if it must.
func (d *DB) withWriter(ctx context.Context, do func(*conn) error) error {
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	if err := d.ready(ctx); err != nil {
		return err
	}
	return do(d.w)
}

// ready makes sure that there is a writer connection.
func (d *DB) ready(ctx context.Context) error {
	if d.closed {
		return ErrClosed
	}
	if d.w != nil {
		return nil
	}
	return d.reopen(ctx)
}

// transact is write for a caller that has the writer.
func (d *DB) transact(do func(*tx) error) error {
	if err := d.beginWork(); err != nil {
		return d.failedWith(err)
	}
	t := &tx{d: d, c: d.w, n: d.now}
	t.out = outbox.Begin(d.w.Conn, d.queue, &outbox.Env{
		Count: d.o.OutboxMaxCount, Bytes: d.o.OutboxMaxBytes, Age: d.o.OutboxMaxAge, Now: d.o.Now, NewID: randomID, After: t.after,
		SetMeta: func(name string, v int64) error { return setMetaInt(t.c, name, v) }, Stored: t.c.stored, Logged: t.logCase, Settled: t.logSettled,
		Synced: func() bool { return t.n.synced },
	}, d.now.outbox, d.now.tallies)
	t.h = &history{c: d.w, bounds: &t.n.bounds, payers: &t.n.payers, index: d.index, recent: &d.recent}
	d.unknown, d.log.hashed = false, false
	entries := len(d.index.entries)
	err := do(t)
	if err == nil {
		err = t.saveFigures()
	}
	if err == nil {
		d.o.step("commit")
		err = d.endWork()
		d.unknown = err != nil
	}
	if err != nil {
		t.h.index.truncate(entries)
		if d.log.hashed {
			d.log.edge = nil // it is made again from the rows
		}
		for _, undo := range slices.Backward(t.ifFailed) {
			undo()
		}
		return d.failedWith(err)
	}
	d.lock.committed()
	d.o.step("committed")
	d.now = t.n
	d.now.outbox, d.now.tallies = t.out.Figures, t.out.Tallies
	d.queue.Committed(t.out.Added, d.now.outbox, d.now.tallies)
	for _, f := range t.atEnd {
		f()
	}
	d.due.leaves(&t.left, d.o.Now)
	d.publishDays()
	return nil
}

// beginWork and endWork are begin and commit. A temporary store has one transaction
// from its opening to its end: nothing of it must be durable, and pages that are
// written once are written late. After an error it is of no more use.
func (d *DB) beginWork() error {
	if d.temporary && d.w.InTransaction() {
		return nil
	}
	return d.w.Begin()
}

func (d *DB) endWork() error {
	if d.temporary {
		return nil
	}
	return d.w.Commit()
}

// failedWith ends the transaction after an error and decides what the error means
// for the store: nothing, no room, or that it must be reopened.
func (d *DB) failedWith(err error) error {
	d.recent.forgetAll()
	if d.temporary {
		return err
	}
	if d.w != nil && d.w.InTransaction() {
		d.w.saved = ""
		if e := d.w.Script("ROLLBACK"); e != nil && d.w.InTransaction() {
			d.breakOff(e)
			return unavailable(err)
		}
	}
	switch {
	case errors.Is(err, ErrDiskFull):
		// Nothing is wrong with the store and reading goes on.
		return unavailable(err)
	case errors.Is(err, sqlite.ErrContradiction):
		d.breakOff(d.contradicted(err))
		return unavailable(err)
	case errors.Is(err, ErrUnavailable):
		d.breakOff(err)
	}
	return err
}

// contradictedAgain is how long after a salvage the same reason does not make another
// one: it would copy the store each time and cure nothing.
const contradictedAgain = time.Hour

// contradicted returns what a row that is in the way of another means for the store: that
// it is damaged, and after a salvage for the same reason only that it must be reopened.
func (d *DB) contradicted(err error) error {
	now := d.o.Now()
	if since := now.Sub(d.contradiction); !d.contradiction.IsZero() && since >= 0 && since < contradictedAgain {
		return fmt.Errorf("%w: %s", ErrUnavailable, err.Error())
	}
	d.contradiction = now
	return err
}

// breakOff closes the store after an error that leaves unknown what is on the
// disk. The next call reopens it.
func (d *DB) breakOff(err error) {
	d.o.Log.LogAttrs(context.Background(), slog.LevelError, "store.failed", slog.String("error", err.Error()))
	d.fault = err
	d.closeFile()
}

// retryEvery is the shortest pause between two attempts to reopen the store. After one
// that took longer, the pause is as long as that was, up to longestPause.
const (
	retryEvery   = 200 * time.Millisecond
	longestPause = 10 * time.Second
)

// reopen opens the store again after breakOff, with all the checks of Open.
func (d *DB) reopen(ctx context.Context) error {
	now := d.o.Now()
	if since := now.Sub(d.failed); since >= 0 && since < max(retryEvery, d.failedIn) {
		return unavailable(d.fault)
	}
	dropPageCache(d.file())
	if err := d.openStore(ctx, d.fault); err != nil {
		d.failed, d.fault = d.o.Now(), err
		d.failedIn = min(d.failed.Sub(now), longestPause) // the clock may have been set
		return unavailable(err)
	}
	d.fault = nil
	d.o.Log.LogAttrs(ctx, slog.LevelWarn, "store.reopened")
	if err := d.settleLost(); err != nil {
		return d.failedWith(err)
	}
	return d.publishDamage()
}

func (d *DB) file() string { return filepath.Join(d.dir, storeFile) }

// Keys returns the store's secrets.
func (d *DB) Keys() *Keys { return d.keys }

// Stream is the name of the store's stream, in which sequences have no gap.
func (d *DB) Stream() string { return d.queue.Stream() }

// Damage returns what opening or reopening the store has moved aside so far.
func (d *DB) Damage() []DamageNote {
	d.damageMu.Lock()
	defer d.damageMu.Unlock()
	return append([]DamageNote(nil), d.damage...)
}

// Close ends the use of the store. It is safe to call it twice.
func (d *DB) Close() error {
	d.committer.close()
	<-d.writer
	defer d.release()
	if d.closed {
		return nil
	}
	d.closed = true
	var err error
	if d.w != nil {
		if !d.readOnly && !d.temporary && d.queue.Unsaved() {
			for more := true; more && err == nil; {
				err = d.transact(func(t *tx) (err error) { more, err = t.save(); return err })
			}
		}
		err = errors.Join(err, d.saveAllKeys())
		d.readers.close()
		if d.w != nil {
			d.lock.clean()
			err = errors.Join(err, d.w.Close())
			d.w = nil
		}
	}
	d.readers.close()
	d.lock.release()
	if d.temporary {
		err = errors.Join(err, removeTemporary(d.dir))
	}
	if err != nil {
		return fmt.Errorf("ledger: close: %w", err)
	}
	return nil
}

// read hands a connection that sees what is committed to do.
func (d *DB) read(ctx context.Context, do func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.temporary {
		return d.withWriter(ctx, do)
	}
	err := d.readers.use(do)
	if errors.Is(err, errNoReader) && !d.readOnly {
		if err = d.withWriter(ctx, func(*conn) error { return nil }); err == nil {
			err = d.readers.use(do)
		}
	}
	if errors.Is(err, sqlite.ErrDamaged) && !d.readOnly {
		if e := d.acquire(ctx); e == nil {
			if d.w != nil {
				d.breakOff(err)
			}
			d.release()
		}
	}
	return err
}

// errNoReader: the store is closed, or being reopened.
var errNoReader = fmt.Errorf("%w: not open", ErrUnavailable)

// readers are the connections that only read: they see what is committed and
// never wait for the writer.
type readers struct {
	make       func() (*conn, error) // nil: the store is not open
	mu         sync.Mutex
	idle       []*conn
	generation int // counts close, so that a connection taken before is not kept
}

// use hands a reading connection to do; while the store is not open it returns
// ErrUnavailable.
func (r *readers) use(do func(*conn) error) error {
	r.mu.Lock()
	generation, open := r.generation, r.make
	var c *conn
	if n := len(r.idle); n > 0 {
		c, r.idle = r.idle[n-1], r.idle[:n-1]
	}
	r.mu.Unlock()
	if open == nil {
		return errNoReader
	}
	var err error
	if c == nil {
		if c, err = open(); err != nil {
			return unavailable(err)
		}
	}
	err = do(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && r.generation == generation && len(r.idle) < 2 {
		r.idle = append(r.idle, c)
		return nil
	}
	return errors.Join(err, c.Close())
}

// open lets reading begin.
func (r *readers) open(make func() (*conn, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.make = make
}

// close ends reading; a connection in use is closed by its user.
func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.idle {
		_ = c.Close()
	}
	r.idle, r.make = nil, nil
	r.generation++
}
