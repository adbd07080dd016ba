package refund

import (
	"fmt"
	"slices"
)

// Redated decides what follows once the store has given these events another `at`
// (wires.md, Common: "records dated by it get their date again"): who is undone
// by whom, and every verdict that depends on when they were, exactly as where a copy
// completes an event. seqs are in order; one that is no event of h is left out. It reads
// h and changes nothing; the only errors are those of h. Seq of the changes is 0.
func (j *Judge) Redated(h History, seqs []int64) (Changes, error) {
	w, err := j.begin(h, 0)
	if err != nil {
		return Changes{}, err
	}
	for _, seq := range seqs {
		if err := w.redated(seq); err != nil {
			return Changes{}, fmt.Errorf("judging record %d again: %w", seq, err)
		}
	}
	if slices.Contains(seqs, w.bounds.FirstSeq) {
		if err := w.wakeUnfound(); err != nil {
			return Changes{}, fmt.Errorf("judging again what has no original: %w", err)
		}
	}
	if err := w.gather(); err != nil {
		return Changes{}, fmt.Errorf("judging redated records: %w", err)
	}
	return w.out, nil
}

// redated does what follows from the new `at` of one event. What a settlement adds up
// stays as it was known when that was first seen (verdicts.md § 6).
func (w *work) redated(seq int64) error {
	e, err := w.event(seq)
	if err != nil || e == nil {
		return err
	}
	r := &e.Record
	if r.Training || r.Kind == KindSettlement || takesNoPart(r.Kind, unusable(r) != "") && !r.Kind.Judged() {
		return nil
	}
	if _, touched := w.before[seq]; !touched {
		w.before[seq] = e
	}
	now := *e
	w.put(&now)
	if r.Kind.Judged() {
		w.toJudge.add(seq)
	}
	return w.affect(e, &now)
}
