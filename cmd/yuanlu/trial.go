package main

import (
	"bufio"
	"context"
	"runtime/debug"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// trialBatch bounds how many records share one transaction of a trial.
const trialBatch = 512

// trialGCPercent is what the heap may grow by between two runs of the collector:
// what lives on it is a few megabytes, and a trial is measured by its time.
// Above trialMemory bytes of Go's own memory it runs as often as it must.
const (
	trialGCPercent = 800
	trialMemory    = 48 << 20
)

// trial judges records in a temporary store, for `check` and `replay`: nothing of
// it stays. Verdicts are printed as they are made, or at the end with final.
type trial struct {
	db    *ledger.DB
	out   *bufio.Writer
	final bool
	now   func() time.Time

	batch     []refund.Sighting
	last      int64 // number of the newest record in batch or store
	integrity []refund.Integrity
	buf       []byte
}

func newTrial(ctx context.Context, p *program, final bool) (*trial, error) {
	if p.whole && p.env("GOGC") == "" {
		debug.SetGCPercent(trialGCPercent)
		debug.SetMemoryLimit(trialMemory)
	}
	db, err := ledger.OpenTemporary(ctx, ledger.Options{
		Dir:   p.env("TMPDIR"),
		Judge: newJudge(refund.DefaultSettings()),
		Now:   p.now,
	})
	if err != nil {
		return nil, err
	}
	return &trial{db: db, out: bufio.NewWriterSize(p.stdout, 64<<10), final: final, now: p.now}, nil
}

// seal hides the identifiers of a record as add wants it. It is safe to call it in
// another goroutine.
func (t *trial) seal(r refund.Record) refund.Record { return refund.Seal(r, t.db.Keys()) }

// add takes in record number seq, sealed. Numbers only grow. Where some are left
// out (blank and refused lines keep theirs), training records, which take part
// in nothing, use them up: a record's number is then its place in the store.
func (t *trial) add(ctx context.Context, seq int64, r refund.Record) error {
	for t.last+1 < seq {
		filler := refund.Record{Kind: refund.KindJournal, Training: true}
		if err := t.put(ctx, filler); err != nil {
			return err
		}
	}
	return t.put(ctx, r)
}

func (t *trial) put(ctx context.Context, r refund.Record) error {
	t.batch = append(t.batch, refund.Sighting{Record: r, Received: t.now(), ClockSynced: true})
	t.last++
	if len(t.batch) < trialBatch {
		return nil
	}
	return t.judge(ctx)
}

// judge has the waiting records judged and prints what that gives.
func (t *trial) judge(ctx context.Context) error {
	if len(t.batch) == 0 {
		return nil
	}
	applied, err := t.db.Apply(ctx, []refund.Arrival{{Link: "check", Sightings: t.batch}})
	clear(t.batch)
	t.batch = t.batch[:0]
	if err != nil {
		return err
	}
	return t.print(applied)
}

// print writes the lines that each record caused, in seq order.
func (t *trial) print(applied []refund.Applied) error {
	for i := range applied {
		a := &applied[i]
		if !t.final {
			for k := range a.Verdicts {
				t.line(a.Verdicts[k].Verdict.AppendJSON(t.buf[:0]))
			}
		}
		switch {
		case a.Integrity == nil:
		case t.final:
			t.integrity = append(t.integrity, *a.Integrity)
		default:
			t.line(a.Integrity.AppendJSON(t.buf[:0]))
		}
	}
	if t.final {
		return nil
	}
	return t.out.Flush()
}

// line writes one line; an error of the output shows at the next flush.
func (t *trial) line(b []byte) {
	t.buf = append(b, '\n')
	_, _ = t.out.Write(t.buf)
}

// finish judges what waits, releases the verdicts that waited for a sale, and
// prints the last verdicts where only those are wanted.
func (t *trial) finish(ctx context.Context) error {
	if err := t.judge(ctx); err != nil {
		return err
	}
	if err := t.db.ReleaseAll(ctx, t.print); err != nil {
		return err
	}
	if !t.final {
		return nil
	}
	rest := t.integrity
	for v, err := range t.db.Verdicts(ctx, 1) {
		if err != nil {
			return err
		}
		for len(rest) > 0 && rest[0].Seq < v.Verdict.Seq {
			t.line(rest[0].AppendJSON(t.buf[:0]))
			rest = rest[1:]
		}
		t.line(v.Verdict.AppendJSON(t.buf[:0]))
	}
	for i := range rest {
		t.line(rest[i].AppendJSON(t.buf[:0]))
	}
	return t.out.Flush()
}

// close removes the temporary store.
func (t *trial) close() error { return t.db.Close() }
