package rows

import (
	"errors"

	"yuanlu/agent/ledger/packed"
	"yuanlu/agent/refund"
)

// VerdictColumns are the columns of the table verdict.
const VerdictColumns = `seq, rev, crc, verdict, explain`

// VerdictIntact reports whether VerdictColumns have the checksum that they were written with.
func VerdictIntact(c Columns) bool { return Sum(c.Int(0), c.View(3), c.View(4)) == c.Int(2) }

// ScanVerdict reads VerdictColumns; ruleNames returns the names of a rule set's rules, in
// the order that verdicts name them by. *Error if the row is damaged.
func ScanVerdict(c Columns, ruleNames func(ruleSet string) ([]string, error)) (j refund.Judged, err error) {
	seq, rev := c.Int(0), c.Int(1)
	if !VerdictIntact(c) {
		return j, Damaged("verdict", seq, "checksum does not match")
	}
	text, err := packed.Text(nil, c.View(3))
	if err == nil {
		j.Verdict, err = refund.DecodeVerdict(text)
	}
	if err == nil {
		text, err = packed.Text(text[:0], c.View(4))
	}
	if err == nil {
		j.Explain, err = refund.DecodeExplain(text, ruleNames)
	}
	if errors.Is(err, refund.ErrStored) || errors.Is(err, packed.ErrPacked) {
		err = Damaged("verdict", seq, "text is not a verdict")
	}
	if err == nil && int64(j.Verdict.Rev) != rev {
		err = Damaged("verdict", seq, "its revision is not that of its text")
	}
	j.Unreleased = rev == 0
	return j, err
}
