package refund

import (
	"container/heap"
	"slices"
)

// queue holds the seqs to judge, smallest first, each once.
type queue struct {
	seqs []int64
	in   map[int64]bool
}

func (q *queue) Len() int           { return len(q.seqs) }
func (q *queue) Less(i, k int) bool { return q.seqs[i] < q.seqs[k] }
func (q *queue) Swap(i, k int)      { q.seqs[i], q.seqs[k] = q.seqs[k], q.seqs[i] }

// Push and Pop are for container/heap.
func (q *queue) Push(x any) {
	if seq, ok := x.(int64); ok {
		q.seqs = append(q.seqs, seq)
	}
}

func (q *queue) Pop() any {
	last := q.seqs[len(q.seqs)-1]
	q.seqs = q.seqs[:len(q.seqs)-1]
	return last
}

func (q *queue) add(seq int64) {
	if q.in == nil {
		q.in = map[int64]bool{}
	}
	if !q.in[seq] {
		q.in[seq] = true
		heap.Push(q, seq)
	}
}

func (q *queue) next() int64 {
	seq := q.seqs[0]
	heap.Pop(q)
	delete(q.in, seq)
	return seq
}

// judgeAll judges what is marked, in seq order. A verdict depends on events, on the
// bounds and on earlier verdicts only, and marks only later ones: each is judged
// once, and it ends.
func (w *work) judgeAll() error {
	for w.toJudge.Len() > 0 {
		if err := w.judgeOne(w.toJudge.next()); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) judgeOne(seq int64) error {
	e, err := w.event(seq)
	if err != nil || e == nil {
		return err
	}
	c, err := w.study(e)
	if err != nil {
		return err
	}
	next := w.j.conclude(c)
	before, known := w.before[seq]
	isNew := known && before == nil
	var old *Judged
	if !isNew {
		if old, err = w.oldVerdict(seq); err != nil {
			return err
		}
	}
	rev := 0 // of the verdict that was released last
	if old != nil {
		rev = old.Verdict.Rev
	}
	next.Unreleased = next.Unreleased && rev == 0
	changed := old == nil || !old.Verdict.SameAs(&next.Verdict) || old.Unreleased != next.Unreleased
	if changed {
		if !next.Unreleased {
			next.Verdict.Rev = rev + 1
		}
		w.setVerdict(&next)
		if !known {
			w.before[seq] = e
		}
		w.put(e)
	}
	if isNew || !changed && (!known || before == e) {
		return nil
	}
	return w.wakeLater(seq, old, &next)
}

// wakeLater marks the refunds and voids after seq that its verdict may matter to:
// those that may have the same original (verdicts.md § 2 e; § 3 counted, voided; § 4 reissue).
func (w *work) wakeLater(seq int64, old, next *Judged) error {
	var originals []int64
	for _, j := range []*Judged{old, next} {
		if j != nil && j.Verdict.Original != nil && !slices.Contains(originals, j.Verdict.Original.Seq) {
			originals = append(originals, j.Verdict.Original.Seq)
		}
	}
	for _, o := range originals {
		sale, err := w.event(o)
		if err != nil {
			return err
		}
		if sale == nil {
			continue
		}
		if err := w.wake(sale, seq); err != nil {
			return err
		}
	}
	return nil
}
