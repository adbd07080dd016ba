package refund

import "fmt"

// Stale judges everything up to seq again, from nothing but the events, and returns
// what should have been judged again and was not; "" if nothing.
func Stale(j *Judge, h History, last int64) string {
	w, err := j.begin(h, last+1)
	if err != nil {
		return err.Error()
	}
	for e, err := range h.Range(1, last) {
		if err != nil {
			return err.Error()
		}
		if e.Record.Training {
			continue
		}
		if e.Record.Kind.reversible() && unusable(&e.Record) == "" {
			by, err := w.undoneBy(e)
			if err != nil {
				return err.Error()
			}
			if by != e.UndoneBy {
				return fmt.Sprintf("event %d is undone by %d, was %d", e.Seq, by, e.UndoneBy)
			}
		}
		if e.Record.Kind.Judged() {
			w.toJudge.add(e.Seq)
		}
	}
	if err := w.judgeAll(); err != nil {
		return err.Error()
	}
	for seq, v := range w.judged {
		return fmt.Sprintf("verdict %d is %+v", seq, v.Verdict)
	}
	return ""
}
