package refund

import "fmt"

// SupposedOriginal returns the seq of the original that the refund or void with this seq would have
// if it had moved money and were not undone, 0 if none. It reads h and changes nothing; the only
// errors are those of h.
func (j *Judge) SupposedOriginal(h History, seq int64) (int64, error) {
	w, err := j.begin(h, 0)
	if err != nil {
		return 0, err
	}
	e, err := w.event(seq)
	if err != nil || e == nil || !e.Record.Kind.Judged() {
		return 0, err
	}
	supposed := *e
	supposed.UndoneBy, supposed.Record.Outcome = 0, Approved
	c, err := w.study(&supposed)
	if err != nil {
		return 0, fmt.Errorf("supposing an original of %d: %w", seq, err)
	}
	if c.Original == nil {
		return 0, nil
	}
	return c.Original.Seq, nil
}
