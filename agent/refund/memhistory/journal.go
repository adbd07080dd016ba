package memhistory

import (
	"cmp"
	"slices"

	"yuanlu/agent/refund"
)

// Line is one line of what `yuanlu check` prints.
type Line struct {
	Seq  int64
	JSON []byte // without a line end
}

// Journal runs a whole journal in memory, as `yuanlu check` does: records in, lines
// out. The grace of what waits is taken as passed at Finish.
type Journal struct {
	Store *Store
	judge *refund.Judge
	seq   int64
}

// NewJournal returns an empty journal.
func NewJournal(j *refund.Judge) *Journal { return &Journal{Store: New(), judge: j} }

// Add takes in the next sealed record and returns what the judge decided and the
// lines to print. It fails only if the judge does.
func (j *Journal) Add(r refund.Record) (refund.Changes, []Line, error) {
	j.seq++
	c, err := j.judge.Apply(j.Store, j.seq, r)
	if err != nil {
		return c, nil, err
	}
	j.Store.Commit(&c)
	return c, Lines(&c), nil
}

// Finish releases the verdicts that wait and returns their lines, in seq order.
func (j *Journal) Finish() ([]Line, error) {
	var lines []Line
	for _, v := range j.Store.Verdicts() {
		if !v.Unreleased {
			continue
		}
		c, err := j.judge.Release(j.Store, v.Verdict.Seq)
		if err != nil {
			return lines, err
		}
		j.Store.Commit(&c)
		lines = append(lines, Lines(&c)...)
	}
	return lines, nil
}

// Lines returns the lines that one record causes, in seq order: none for
// unreleased verdicts.
func Lines(c *refund.Changes) []Line {
	var lines []Line
	for i := range c.Verdicts {
		if v := &c.Verdicts[i]; !v.Unreleased {
			lines = append(lines, Line{v.Verdict.Seq, v.Verdict.AppendJSON(nil)})
		}
	}
	if c.Integrity != nil {
		lines = append(lines, Line{c.Integrity.Seq, c.Integrity.AppendJSON(nil)})
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(a.Seq, b.Seq) })
	return lines
}
