package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger/rows"
	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

// Errors about asks. Nothing was done.
var (
	ErrAskReused  = errors.New("ledger: the id is that of another ask")
	ErrAskUnknown = errors.New("ledger: no such ask is remembered")
)

// AskHow are the circumstances of an ask.
type AskHow struct {
	Link    string
	Level   ask.Level
	HoldFor time.Duration // how long a hold of it may stay open
	// Full reports whether the terminal of an ask, which has so many other open holds of its
	// kind, may have no more: the hold is then opened and expired at once. It is called with
	// the writer; nil: never.
	Full func(a *refund.Ask, open int) bool
}

// Asked is an ask as it stands.
type Asked struct {
	Entry    ask.Entry
	Repeated bool // it was known, and nothing else was done
}

// asked returns a copy of an entry that no one changes.
func asked(e *ask.Entry) Asked {
	a := Asked{Entry: *e}
	if e.Held != nil {
		h := *e.Held
		a.Entry.Held = &h
	}
	return a
}

// Ask answers a sealed ask by what is committed; a hold that it makes, and what it ends, is
// durable then. A known ask is answered as it was. When ctx ends before the judge has, its
// error is returned and nothing is kept; once the commit has begun it is waited for.
// Errors: ErrAskReused; of ctx, ErrUnavailable (a store that has to be opened again is not
// waited for), ErrClosed, ErrReadOnly: the ask could not be judged.
// Source: guard.md § 1, guard.md § 2 and guard.md § 3.
func (d *DB) Ask(ctx context.Context, a *refund.Ask, how AskHow) (Asked, error) {
	if d.readOnly {
		return Asked{}, ErrReadOnly
	}
	if err := d.acquire(ctx); err != nil {
		return Asked{}, err
	}
	defer d.release()
	switch {
	case d.closed:
		return Asked{}, ErrClosed
	case d.w == nil:
		return Asked{}, unavailable(d.fault)
	}
	if e, reused := d.book.Known(a); reused {
		return Asked{}, ErrAskReused
	} else if e != nil {
		again := asked(e)
		again.Repeated = true
		return again, nil
	}
	e, err := d.judgeAsk(ctx, a, &how)
	if err != nil {
		return Asked{}, d.failedWith(err)
	}
	ended, undo := d.book.Add(e, e.Asked)
	if !d.temporary {
		d.book.Crowd(mostAsked)
	}
	if e.Held == nil && ended == nil {
		return asked(e), nil
	}
	err = d.transact(func(t *tx) error {
		t.undo(undo)
		if err := t.putEnded(ended); err != nil || e.Held == nil {
			return err
		}
		return t.openHold(e)
	})
	return asked(e), err
}

// judgeAsk makes the entry of an ask, which is not in the book yet.
func (d *DB) judgeAsk(ctx context.Context, a *refund.Ask, how *AskHow) (*ask.Entry, error) {
	h, err := d.askedHistory(ctx, a)
	if err != nil {
		return nil, err
	}
	f, err := d.judge.Foresee(h, d.now.seq+1, a)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	now := d.o.Now()
	e := &ask.Entry{Ask: *a, Answer: ask.Compose(a, &f, d.book.BeingMade(a, f.Verdict.Original)), Link: how.Link, Level: how.Level, Asked: now, Arrived: d.temporary}
	e.Answer.Action = how.Level.Shown(e.Answer.Action)
	if e.Answer.Action != ask.Hold || a.Look || !how.Level.Holds() {
		return e, nil
	}
	e.Held = &ask.Held{Key: e.Key(), Seq: e.Answer.Seq, Practice: a.Record.Training, Operator: a.Record.Operator, Link: how.Link,
		Level: how.Level, State: ask.Open, Opened: now, Until: now.Add(how.HoldFor)}
	if how.Full != nil && how.Full(a, d.book.OpenBeside(a)) {
		e.Held.State, e.Held.Ended, e.Held.Flood = ask.Expired, now, true
	}
	return e, nil
}

// askedHistory returns the journal in which an ask is judged: of a practice ask the training
// records of its merchant and terminal (guard.md § 7).
func (d *DB) askedHistory(ctx context.Context, a *refund.Ask) (refund.History, error) {
	if !a.Record.Training {
		return &history{c: d.w, bounds: &d.now.bounds, payers: &d.now.payers, index: d.index, recent: &d.recent, stop: ctx.Err}, nil
	}
	at, _ := a.Record.Time()
	p, err := d.practice(ctx, &a.Record, at)
	if err != nil {
		return nil, err
	}
	return p.History(), nil
}

// mostPractice bounds how many training records a practice ask is judged among.
const mostPractice = 2000

// practice reads the training records of the merchant and terminal of r, the newest
// mostPractice of the store's at most.
func (d *DB) practice(ctx context.Context, r *refund.Record, at time.Time) (*ask.Practice, error) {
	p := ask.NewPractice(d.judge, at)
	err := d.w.Each(`SELECT `+rows.RecordColumns+` FROM (SELECT `+rows.RecordColumns+` FROM record WHERE note = 'training' AND (typeof(body) = 'blob' OR length(body) > ?2)
 ORDER BY seq DESC LIMIT ?1) ORDER BY seq`, func(s *sqlite.Row) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := rows.ScanRecord(s)
		if err != nil {
			return err
		}
		one, err := row.Decode()
		if err != nil || one.MerchantID != r.MerchantID || one.TerminalID != r.TerminalID {
			return err
		}
		return p.Add(row.Seq, one)
	}, mostPractice, shortestRecord)
	return p, err
}

// shortestRecord is longer than the body of a record without any time, such as those that
// stand in the place of lines of `yuanlu check` that hold no record.
const shortestRecord = 60

// FindAsk returns a remembered ask. Errors: ErrAskUnknown, of ctx.
func (d *DB) FindAsk(ctx context.Context, k ask.Key) (Asked, error) {
	if err := d.acquire(ctx); err != nil {
		return Asked{}, err
	}
	defer d.release()
	e := d.book.Find(k)
	if e == nil {
		return Asked{}, ErrAskUnknown
	}
	return asked(e), nil
}

// Holds returns the remembered asks that were held, by place; open: those alone whose hold is
// open.
func (d *DB) Holds(ctx context.Context, open bool) ([]ask.Held, error) {
	if err := d.acquire(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	list := d.book.Open()
	if !open {
		list = d.book.All()
	}
	var holds []ask.Held
	for _, e := range list {
		if e.Held != nil {
			holds = append(holds, *e.Held)
		}
	}
	return holds, nil
}

// Asks returns the remembered asks, by place: with a hold those of 30 days, others those of 24
// hours and of this process.
func (d *DB) Asks(ctx context.Context) ([]ask.Entry, error) {
	if err := d.acquire(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	all := d.book.All()
	list := make([]ask.Entry, 0, len(all))
	for _, e := range all {
		list = append(list, asked(e).Entry)
	}
	return list, nil
}

// OverdueHolds returns the asks with an open hold whose own time and this long after it is not
// after at, by place.
func (d *DB) OverdueHolds(ctx context.Context, at time.Time, after time.Duration) ([]ask.Key, error) {
	if err := d.acquire(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	var due []ask.Key
	for _, e := range d.book.Due(at, after) {
		due = append(due, e.Key())
	}
	return due, nil
}

// EndHold ends an open hold, durably, or, with state ask.Cancelled, an ask without one. The
// entry is returned as it stands then; ended is false if its hold had ended before, and then
// nothing is done. Errors: ErrAskUnknown; others: nothing is ended as far as is known.
func (d *DB) EndHold(ctx context.Context, k ask.Key, by ask.Ending) (a Asked, ended bool, err error) {
	return d.changeAsk(ctx, k, func(t *tx, e *ask.Entry) (bool, error) {
		if e.Held != nil && e.Held.State != ask.Open {
			return false, nil
		}
		t.undo(t.d.book.End(e, by))
		if e.Held == nil {
			return true, nil
		}
		return true, t.putEnded(e)
	})
}

// arrivals are the asks whose answer has reached who asked, until that is stored: what comes
// on a link after the confirm must be judged by it.
type arrivals struct {
	mu  sync.Mutex // guards the rest
	all map[ask.Key]bool
}

// mostArrivals bounds what waits to be stored; one more is known when it is stored.
const mostArrivals = 1024

func (a *arrivals) add(k ask.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[ask.Key]bool{}
	}
	if len(a.all) < mostArrivals {
		a.all[k] = true
	}
}

func (a *arrivals) remove(k ask.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, k)
}

func (a *arrivals) has(k ask.Key) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[k]
}

// AnswerArrived has the answer to an ask count as arrived for all that is stored from now on.
// It does not wait for the store; NoteArrived makes it durable.
func (d *DB) AnswerArrived(k ask.Key) { d.arrived.add(k) }

// NoteArrived notes that the answer to an ask has reached who asked; of a held one durably.
func (d *DB) NoteArrived(ctx context.Context, k ask.Key) error {
	if noted, err := d.noteInMemory(ctx, k); noted || err != nil {
		return err
	}
	_, _, err := d.changeAsk(ctx, k, func(t *tx, e *ask.Entry) (bool, error) {
		if e.Arrived {
			return false, nil
		}
		e.Arrived = true
		t.undo(func() { e.Arrived = false })
		return true, t.putHold(e)
	})
	if err == nil || errors.Is(err, ErrAskUnknown) {
		d.arrived.remove(k)
	}
	return err
}

// noteInMemory does it where nothing is held: the disk has nothing to do with it.
func (d *DB) noteInMemory(ctx context.Context, k ask.Key) (noted bool, err error) {
	if err := d.acquire(ctx); err != nil {
		return false, err
	}
	defer d.release()
	e := d.book.Find(k)
	if e == nil || e.Held != nil {
		return false, nil
	}
	e.Arrived = true
	d.arrived.remove(k)
	return true, nil
}

// NoteWrongPIN counts a PIN that was wrong for a hold, durably.
func (d *DB) NoteWrongPIN(ctx context.Context, k ask.Key) error {
	_, _, err := d.changeAsk(ctx, k, func(t *tx, e *ask.Entry) (bool, error) {
		if e.Held == nil {
			return false, nil
		}
		e.Held.WrongPINs++
		t.undo(func() { e.Held.WrongPINs-- })
		return true, t.putHold(e)
	})
	return err
}

// changeAsk changes one entry in a transaction; do returns whether there was anything to do.
func (d *DB) changeAsk(ctx context.Context, k ask.Key, do func(*tx, *ask.Entry) (bool, error)) (a Asked, done bool, err error) {
	if d.readOnly {
		return Asked{}, false, ErrReadOnly
	}
	if err := d.acquire(ctx); err != nil {
		return Asked{}, false, err
	}
	defer d.release()
	e := d.book.Find(k)
	if e == nil {
		return Asked{}, false, ErrAskUnknown
	}
	if err := d.ready(ctx); err != nil {
		return Asked{}, false, err
	}
	err = d.transact(func(t *tx) (err error) { done, err = do(t, e); return err })
	return asked(e), done && err == nil, err
}

// How long asks are remembered (guard.md § 1).
const (
	heldFor  = 30 * day
	askedFor = day

	// mostAsked bounds the asks without a hold that are remembered: one every
	// 20 s of that day. A program that asks faster must not take the memory of the terminal.
	mostAsked = 4096
)

// ForgetAsks forgets asks whose time is over: with a hold that has ended after 30 days, others
// after 24 hours. It returns how many.
func (d *DB) ForgetAsks(ctx context.Context, now time.Time) (n int, err error) {
	err = d.write(ctx, func(t *tx) error {
		var gone []*ask.Entry
		for _, e := range t.d.book.All() {
			age := now.Sub(e.Asked)
			if e.Held == nil && age < askedFor || e.Held != nil && (age < heldFor || e.Held.State == ask.Open) {
				continue
			}
			gone = append(gone, e)
			if e.Held != nil {
				if err := t.c.Do(`DELETE FROM hold WHERE id = ?1`, e.ID); err != nil {
					return err
				}
			}
		}
		n = len(gone)
		t.after(func() {
			for _, e := range gone {
				t.d.book.Forget(e)
			}
		})
		return nil
	})
	return n, err
}
