package dryrun

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"math"
	"slices"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// link is the one that all lines are of.
const link = "check"

// batch bounds how many records share one transaction.
const batch = 512

// Options say how records are judged and where the verdicts go; all are needed.
type Options struct {
	Dir   string // where the temporary store is made; "": the system's place
	Judge *refund.Judge
	Out   io.Writer // of verdicts and integrity lines, JSON Lines
	Final bool      // only the last verdict of each refund and void, in seq order
	Now   func() time.Time
}

// Run is one dry run: records are added, and Finish ends it. It is not safe for concurrent
// use.
type Run struct {
	db    *ledger.DB
	out   *bufio.Writer
	final bool
	now   func() time.Time

	guard     *guard
	batch     []refund.Sighting
	last      int64 // number of the newest record in batch or store
	integrity []refund.Integrity
	buf       []byte
}

// Start makes the temporary store; Close removes it. Errors are those of the ledger.
func Start(ctx context.Context, o Options) (*Run, error) {
	r := &Run{out: bufio.NewWriterSize(o.Out, 64<<10), final: o.Final, now: o.Now, guard: newGuard(o.Final)}
	var err error
	r.db, err = ledger.OpenTemporary(ctx, ledger.Options{Dir: o.Dir, Judge: o.Judge, Now: o.Now, HoldChanged: r.guard.changed})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Seal hides the identifiers of a record as Add needs it. It is safe for concurrent use.
func (r *Run) Seal(record refund.Record) refund.Record { return refund.Seal(record, r.db.Keys()) }

// Add takes in record number seq, sealed. Numbers only grow. A number that is left out (of
// a blank or refused line) is filled with a training record, which takes part in nothing:
// the store numbers records one by one, and a verdict names a record by its number.
func (r *Run) Add(ctx context.Context, seq int64, record refund.Record) error {
	if err := r.expire(ctx, seq, record.At); err != nil {
		return err
	}
	if err := r.fill(ctx, seq); err != nil {
		return err
	}
	return r.put(ctx, record)
}

// fill puts something in the place of every number before seq that holds no record.
func (r *Run) fill(ctx context.Context, seq int64) error {
	for r.last+1 < seq {
		if err := r.put(ctx, refund.Record{Kind: refund.KindJournal, Training: true}); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) put(ctx context.Context, record refund.Record) error {
	r.batch = append(r.batch, refund.Sighting{Record: record, Received: r.now(), ClockSynced: true})
	r.last++
	if len(r.batch) < batch {
		return nil
	}
	return r.judge(ctx)
}

// judge has the waiting records judged and prints the verdicts.
func (r *Run) judge(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	applied, err := r.db.Apply(ctx, []refund.Arrival{{Link: link, Sightings: r.batch}})
	clear(r.batch)
	r.batch = r.batch[:0]
	if err != nil {
		return err
	}
	return r.print(applied)
}

// print writes the lines that each record caused, in seq order.
func (r *Run) print(applied []refund.Applied) error {
	for i := range applied {
		a := &applied[i]
		if !r.final {
			holds := r.guard.changedBy(a.Seq)
			for k := range a.Verdicts {
				holds = r.printHolds(holds, a.Verdicts[k].Verdict.Seq)
				r.line(a.Verdicts[k].Verdict.AppendJSON(r.buf[:0]))
			}
			r.printHolds(holds, math.MaxInt64)
		}
		switch {
		case a.Integrity == nil:
		case r.final:
			r.integrity = append(r.integrity, *a.Integrity)
		default:
			r.line(a.Integrity.AppendJSON(r.buf[:0]))
		}
	}
	if r.final {
		return nil
	}
	return r.out.Flush()
}

// flush writes out what was printed, but for what is printed at the end.
func (r *Run) flush() error {
	if r.final {
		return nil
	}
	return r.out.Flush()
}

// line writes one line; an error of the output shows at the next flush.
func (r *Run) line(b []byte) {
	r.buf = append(b, '\n')
	_, _ = r.out.Write(r.buf)
}

// Finish judges what waits, releases the verdicts that waited for an original, and prints
// the last lines where only those are wanted.
func (r *Run) Finish(ctx context.Context) error {
	if err := r.judge(ctx); err != nil {
		return err
	}
	if err := r.db.ReleaseAll(ctx, r.print); err != nil {
		return err
	}
	if !r.final {
		return nil
	}
	rest := r.guard.finalLines()
	for i := range r.integrity {
		rest = append(rest, finalLine{r.integrity[i].Seq, r.integrity[i].AppendJSON(nil)})
	}
	slices.SortStableFunc(rest, func(a, b finalLine) int { return cmp.Compare(a.seq, b.seq) })
	for v, err := range r.db.Verdicts(ctx, 1) {
		if err != nil {
			return err
		}
		for len(rest) > 0 && rest[0].seq < v.Verdict.Seq {
			r.line(rest[0].text)
			rest = rest[1:]
		}
		r.line(v.Verdict.AppendJSON(r.buf[:0]))
	}
	for i := range rest {
		r.line(rest[i].text)
	}
	return r.out.Flush()
}

// finalLine is a line that is printed at the end.
type finalLine struct {
	seq  int64
	text []byte
}

// Close removes the temporary store.
func (r *Run) Close() error { return r.db.Close() }
